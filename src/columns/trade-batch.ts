/**
 * A trade batch: a fixed-size piece of (shared) memory in Arrow column layout.
 *
 *   byte 0      header, 64 bytes: word 0 = rows
 *   byte 64     instrument | trade_id | time | price | quantity | receive_time | source_sequence |
 *               frame_sequence | first_id | last_id | frame_index | side | condition | duplicate
 *
 * Every column starts on a 64-byte boundary and is exactly an Arrow values buffer: int32, int64
 * (seen here as pairs of int32 words, see base/int64.ts) or uint8, little-endian, no nulls.
 * The class is a view: it owns nothing, copies nothing and may be made over any slot or chunk.
 * One writer at a time; handing a batch on is handing on the right to write it.
 */
import { assert } from '../base/errors.js';

const ALIGN = 64;
const HEADER_BYTES = 64;

/** Fewer rows are copied value by value (40 ns a row); more column by column (0.5 us, then 3 ns a row). */
const SHORT_RUN = 16;

/** Bytes a value takes in each column, in memory order. */
const COLUMN_BYTES = [4, 8, 8, 8, 8, 8, 8, 8, 8, 8, 4, 1, 1, 1] as const;

function columnBytes(width: number, capacity: number): number {
  return Math.ceil((width * capacity) / ALIGN) * ALIGN;
}

export class TradeBatch {
  readonly capacity: number;
  /** Dictionary code of the instrument (schemas/instrument.ts). */
  readonly instrument: Int32Array;
  /** int64 pairs. Exchange's trade id, 0 <= id < 2^53. */
  readonly tradeId: Int32Array;
  /** int64 pairs. Exchange's trade time, us since the epoch. */
  readonly time: Int32Array;
  /** int64 pairs. Price x 10^8, 0 < value < 10^18. */
  readonly price: Int32Array;
  /** int64 pairs. Quantity x 10^8, 0 < value < 10^18. */
  readonly quantity: Int32Array;
  /** int64 pairs. Receive time of the frame, us since the epoch. */
  readonly receiveTime: Int32Array;
  /** int64 pairs. The exchange's own sequence, or -1 for none. */
  readonly sourceSequence: Int32Array;
  /** int64 pairs. Sequence of the frame in its bronze log. */
  readonly frameSequence: Int32Array;
  /** int64 pairs. First raw trade id of a Binance aggregate trade, else 0. */
  readonly firstId: Int32Array;
  /** int64 pairs. Last raw trade id of a Binance aggregate trade, else 0. */
  readonly lastId: Int32Array;
  /** Index of the trade in its frame, 0-based. */
  readonly frameIndex: Int32Array;
  /** Aggressor: 0 BUY, 1 SELL. */
  readonly side: Uint8Array;
  /** Bits of TRADE_CONDITIONS. */
  readonly condition: Uint8Array;
  /** 1 when gold has this trade already; written by the gold shard only. */
  readonly duplicate: Uint8Array;

  readonly #header: Int32Array;
  readonly #wide: readonly Int32Array[];

  constructor(memory: SharedArrayBuffer | ArrayBuffer, byteOffset: number, capacity: number) {
    assert(byteOffset % ALIGN === 0, `batch at byte ${byteOffset} is not 64-byte aligned`);
    assert(
      byteOffset + TradeBatch.byteSize(capacity) <= memory.byteLength,
      `batch of ${capacity} rows at byte ${byteOffset} exceeds ${memory.byteLength} bytes`,
    );
    this.capacity = capacity;
    this.#header = new Int32Array(memory, byteOffset, HEADER_BYTES / 4);
    let at = byteOffset + HEADER_BYTES;
    const next = (width: number): number => {
      const start = at;
      at += columnBytes(width, capacity);
      return start;
    };
    const int32 = (): Int32Array => new Int32Array(memory, next(4), capacity);
    const int64 = (): Int32Array => new Int32Array(memory, next(8), 2 * capacity);
    const uint8 = (): Uint8Array => new Uint8Array(memory, next(1), capacity);
    this.instrument = int32();
    this.tradeId = int64();
    this.time = int64();
    this.price = int64();
    this.quantity = int64();
    this.receiveTime = int64();
    this.sourceSequence = int64();
    this.frameSequence = int64();
    this.firstId = int64();
    this.lastId = int64();
    this.frameIndex = int32();
    this.side = uint8();
    this.condition = uint8();
    this.duplicate = uint8();
    this.#wide = [
      this.tradeId,
      this.time,
      this.price,
      this.quantity,
      this.receiveTime,
      this.sourceSequence,
      this.frameSequence,
      this.firstId,
      this.lastId,
    ];
  }

  /** Bytes a batch of `capacity` rows takes, header and padding included. */
  static byteSize(capacity: number): number {
    return COLUMN_BYTES.reduce((sum, width) => sum + columnBytes(width, capacity), HEADER_BYTES);
  }

  /** A batch in shared memory of its own. */
  static allocate(capacity: number): TradeBatch & { readonly memory: SharedArrayBuffer } {
    const memory = new SharedArrayBuffer(TradeBatch.byteSize(capacity));
    return Object.assign(new TradeBatch(memory, 0, capacity), { memory });
  }

  get rows(): number {
    return this.#header[0] as number;
  }

  set rows(rows: number) {
    this.#header[0] = rows;
  }

  #copyRow(at: number, from: TradeBatch, row: number): void {
    const to = this.#wide;
    const source = from.#wide;
    for (let c = 0; c < to.length; c++) {
      const target = to[c] as Int32Array;
      const words = source[c] as Int32Array;
      target[2 * at] = words[2 * row] as number;
      target[2 * at + 1] = words[2 * row + 1] as number;
    }
    this.instrument[at] = from.instrument[row] as number;
    this.frameIndex[at] = from.frameIndex[row] as number;
    this.side[at] = from.side[row] as number;
    this.condition[at] = from.condition[row] as number;
    this.duplicate[at] = from.duplicate[row] as number;
  }

  /** Copies rows [first, first + count) of `from` to this batch, starting at row `at`. */
  copyRows(at: number, from: TradeBatch, first: number, count: number): void {
    if (count < SHORT_RUN) {
      for (let i = 0; i < count; i++) this.#copyRow(at + i, from, first + i);
      return;
    }
    for (let c = 0; c < this.#wide.length; c++) {
      const source = (from.#wide[c] as Int32Array).subarray(2 * first, 2 * (first + count));
      (this.#wide[c] as Int32Array).set(source, 2 * at);
    }
    this.instrument.set(from.instrument.subarray(first, first + count), at);
    this.frameIndex.set(from.frameIndex.subarray(first, first + count), at);
    this.side.set(from.side.subarray(first, first + count), at);
    this.condition.set(from.condition.subarray(first, first + count), at);
    this.duplicate.set(from.duplicate.subarray(first, first + count), at);
  }
}
