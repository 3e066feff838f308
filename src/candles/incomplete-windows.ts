/**
 * Candles of one instrument and timeframe that are final, not proven complete, and out of memory:
 * just their window and trade id range, so that a filled gap finds the candles it completes.
 */
import type { IntervalSet } from '#src/trades/interval-set';

const FIRST_CAPACITY = 16;

export class IncompleteWindows {
  /** Position in `#ranges` by window index. */
  readonly #positions = new Map<number, number>();
  /** Triples: window index, first trade id, last trade id. */
  #ranges = new Float64Array(3 * FIRST_CAPACITY);

  get count(): number {
    return this.#positions.size;
  }

  add(windowIndex: number, firstTradeId: number, lastTradeId: number): void {
    const at = 3 * this.#positions.size;
    if (at === this.#ranges.length) {
      const wider = new Float64Array(2 * at);
      wider.set(this.#ranges);
      this.#ranges = wider;
    }
    this.#positions.set(windowIndex, at);
    this.#ranges[at] = windowIndex;
    this.#ranges[at + 1] = firstTradeId;
    this.#ranges[at + 2] = lastTradeId;
  }

  /** Forgets a window, if it is here. */
  delete(windowIndex: number): void {
    const at = this.#positions.get(windowIndex);
    if (at === undefined) return;
    this.#positions.delete(windowIndex);
    // The last triple moves into the hole.
    const last = 3 * this.#positions.size;
    if (at === last) return;
    this.#ranges.copyWithin(at, last, last + 3);
    this.#positions.set(this.#ranges[at], at);
  }

  /** Forgets every window below `windowIndex`. */
  deleteBefore(windowIndex: number): void {
    for (const index of [...this.#positions.keys()]) if (index < windowIndex) this.delete(index);
  }

  /** Windows whose candle is complete by now. */
  completed(set: IntervalSet): number[] {
    const windows: number[] = [];
    for (let at = 0; at < 3 * this.#positions.size; at += 3) {
      if (set.covers(this.#ranges[at + 1] - 1, this.#ranges[at + 2] + 1)) {
        windows.push(this.#ranges[at]);
      }
    }
    return windows;
  }
}
