/**
 * A growing column of numbers or bytes in chunks, so that appending never copies what is there and
 * the oldest chunks can be let go. Row numbers never change.
 */
const CHUNK_ROWS = 16_384;
const CHUNK_SHIFT = 14;
const CHUNK_MASK = CHUNK_ROWS - 1;

abstract class Column<T extends Float64Array | Uint8Array> {
  readonly #chunks: (T | undefined)[] = [];
  #first = 0;

  protected abstract allocate(rows: number): T;

  /** The lowest row still held. */
  get first(): number {
    return this.#first;
  }

  /** 0 for a row that was never set or has been let go. */
  get(row: number): number {
    return this.#chunks[row >>> CHUNK_SHIFT]?.[row & CHUNK_MASK] ?? 0;
  }

  set(row: number, value: number): void {
    if (row < this.#first) return;
    let chunk = this.#chunks[row >>> CHUNK_SHIFT];
    if (chunk === undefined) {
      chunk = this.allocate(CHUNK_ROWS);
      this.#chunks[row >>> CHUNK_SHIFT] = chunk;
    }
    chunk[row & CHUNK_MASK] = value;
  }

  /** Lets whole chunks below `row` go. */
  forgetBelow(row: number): void {
    for (let chunk = this.#first >>> CHUNK_SHIFT; chunk < row >>> CHUNK_SHIFT; chunk++) {
      this.#chunks[chunk] = undefined;
      this.#first = (chunk + 1) * CHUNK_ROWS;
    }
  }
}

export class NumberColumn extends Column<Float64Array> {
  protected allocate(rows: number): Float64Array {
    return new Float64Array(rows);
  }
}

export class ByteColumn extends Column<Uint8Array> {
  protected allocate(rows: number): Uint8Array {
    return new Uint8Array(rows);
  }
}
