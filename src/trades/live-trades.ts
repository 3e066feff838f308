/**
 * Live trades: the newest trades gold accepted, per instrument, in shared memory, for readers in
 * other threads.
 *
 *   word 0           instruments | depth | (zero) | (zero)
 *   per instrument, from byte 64 on, 64 bytes:
 *     word 0         version of the head; its lowest bit says which of the two copies counts
 *     words 2-6      copy 0: trades accepted (int64) | frame sequence (int64) and index of the last
 *     words 8-12     copy 1
 *   then per instrument `depth` slots of 64 bytes:
 *     word 0         lock: 2n + 2 while the slot holds the nth trade, 2n + 1 while it is being written
 *     words 1-15     the trade (LIVE_TRADE below)
 *
 * Trade n of an instrument, counted from 0 since the process started, lives in slot n % depth until
 * trade n + depth takes it. One writer per instrument (its gold shard), any number of readers, who
 * never wait: a slot whose lock is not the one they look for is overwritten or was left out.
 *
 * A reader wants the newest trades only, so of a long batch only the end is written, and the last
 * trade of each instrument: an ordered store takes some 8 ns, a trade has 16. The count says how
 * many there were, so whatever was left out can be told.
 *
 * A new generation of the processing group replays the log from the last epoch and accepts the same
 * trades again. The head says how far in the log the readers have been told, and is replaced as a
 * whole; so what comes again is passed over, and what was half shown is shown again as the same n.
 */
import { joinInt64, loadInt64, storeInt64 } from '#src/base/int64';
import type { TradeBatch } from '#src/columns/trade-batch';

/** Words of a trade as a reader gets it. All but the first two are int64 pairs. */
export const LIVE_TRADE = {
  instrument: 0,
  /** Bits 0-7: 0 BUY, 1 SELL; bits 8-15: TRADE_CONDITIONS. */
  sideAndCondition: 1,
  tradeId: 2,
  time: 4,
  price: 6,
  quantity: 8,
  receiveTime: 10,
  sourceSequence: 12,
  /** Sequence of the frame in its exchange's log. */
  frameSequence: 14,
} as const;
export const LIVE_TRADE_WORDS = 16;

/** Trades of an instrument that are kept: 10 ms of one that makes 50,000 a second, in 32 KiB. */
const LIVE_TRADES_DEPTH = 512;

/** Trades written at the end of a batch: 2 % of the largest, all of a usual live one. */
const TAIL = 64;

const HEADER_WORDS = 16;
const HEAD_WORDS = 16;
const SLOT_WORDS = 16;
/** Offsets in a head's copy; `storeInt64` counts in pairs. */
const COPY = [2, 8] as const;
const COUNT = 0;
const FRAME = 2;
const INDEX = 4;

export function allocateLiveTrades(
  instruments: number,
  depth = LIVE_TRADES_DEPTH,
): SharedArrayBuffer {
  const words = HEADER_WORDS + instruments * (HEAD_WORDS + depth * SLOT_WORDS);
  const memory = new SharedArrayBuffer(4 * words);
  new Int32Array(memory).set([instruments, depth]);
  return memory;
}

function headOf(instrument: number): number {
  return HEADER_WORDS + instrument * HEAD_WORDS;
}

/** Value of the lock of a slot that holds trade n whole. */
function lockOf(n: number): number {
  return (2 * n + 2) | 0;
}

/** Word of the slot of trade n. */
function slotOf(words: Int32Array, instrument: number, n: number): number {
  const depth = words[1];
  return headOf(words[0]) + (instrument * depth + (n % depth)) * SLOT_WORDS;
}

export class LiveTradesWriter {
  readonly #words: Int32Array;
  /** Per instrument: trades accepted, and where in the log the last of them stands. */
  readonly #counts: Float64Array;
  readonly #frames: Float64Array;
  readonly #indexes: Int32Array;
  /** Per instrument: 1 until a trade comes that the readers have not been told of. */
  readonly #replays: Uint8Array;
  /** Of the batch at hand, per instrument: new trades, those not looked at yet, row of the last. */
  readonly #fresh: Int32Array;
  readonly #left: Int32Array;
  readonly #lastRow: Int32Array;
  readonly #touched: Int32Array;
  /** Count and frame sequence on their way into a head. */
  readonly #position = new Int32Array(4);

  /** Attaches to memory of `allocateLiveTrades` and goes on where the last writer ended. */
  constructor(memory: SharedArrayBuffer) {
    const words = new Int32Array(memory);
    const instruments = words[0];
    this.#words = words;
    this.#counts = new Float64Array(instruments);
    this.#frames = new Float64Array(instruments);
    this.#indexes = new Int32Array(instruments);
    this.#replays = new Uint8Array(instruments);
    for (let code = 0; code < instruments; code++) {
      const head = headOf(code);
      const copy = head + COPY[words[head] & 1];
      this.#counts[code] = loadInt64(words, (copy + COUNT) / 2);
      this.#frames[code] = loadInt64(words, (copy + FRAME) / 2);
      this.#indexes[code] = words[copy + INDEX];
      this.#replays[code] = this.#counts[code] > 0 ? 1 : 0;
    }
    this.#fresh = new Int32Array(instruments);
    this.#left = new Int32Array(instruments);
    this.#lastRow = new Int32Array(instruments);
    this.#touched = new Int32Array(instruments);
  }

  /** Shows the newest of the first `rows` rows that are not masked as duplicates. */
  publish(batch: TradeBatch, rows: number): void {
    const fresh = this.#fresh;
    const touched = this.#count(batch, rows);
    let room = Math.min(TAIL, this.#words[1]);
    for (let row = rows - 1, left = this.#left, open = touched; row >= 0 && open > 0; row--) {
      if (batch.duplicate[row] !== 0) continue;
      const code = batch.instrument[row];
      // What an instrument has new is the end of its rows: the replayed ones come before.
      if (left[code] === 0) continue;
      const n = this.#counts[code] + --left[code];
      if (room > 0 || row === this.#lastRow[code]) this.#write(batch, row, code, n);
      if (--room <= 0) left[code] = 0;
      if (left[code] === 0) open--;
    }
    for (let i = 0; i < touched; i++) {
      const code = this.#touched[i];
      const row = this.#lastRow[code];
      this.#counts[code] += fresh[code];
      this.#frames[code] = loadInt64(batch.frameSequence, row);
      this.#indexes[code] = batch.frameIndex[row];
      fresh[code] = 0;
      this.#writeHead(code);
    }
  }

  /** Counts what is new, per instrument; answers how many instruments have any. */
  #count(batch: TradeBatch, rows: number): number {
    const { instrument, duplicate } = batch;
    const fresh = this.#fresh;
    let touched = 0;
    for (let row = 0; row < rows; row++) {
      if (duplicate[row] !== 0) continue;
      const code = instrument[row];
      if (this.#replays[code] !== 0 && this.#isShown(batch, row, code)) continue;
      if (fresh[code]++ === 0) this.#touched[touched++] = code;
      this.#lastRow[code] = row;
    }
    for (let i = 0; i < touched; i++) {
      const code = this.#touched[i];
      this.#left[code] = fresh[code];
    }
    return touched;
  }

  #isShown(batch: TradeBatch, row: number, code: number): boolean {
    const frame = loadInt64(batch.frameSequence, row);
    const shown = this.#frames[code];
    if (frame < shown) return true;
    if (frame === shown && batch.frameIndex[row] <= this.#indexes[code]) {
      return true;
    }
    this.#replays[code] = 0;
    return false;
  }

  #write(batch: TradeBatch, row: number, code: number, n: number): void {
    const words = this.#words;
    const slot = slotOf(words, code, n);
    const lock = lockOf(n);
    Atomics.store(words, slot, lock - 1);
    const sideAndCondition = batch.side[row] | (batch.condition[row] << 8);
    Atomics.store(words, slot + LIVE_TRADE.sideAndCondition, sideAndCondition);
    this.#writePair(slot + LIVE_TRADE.tradeId, batch.tradeId, row);
    this.#writePair(slot + LIVE_TRADE.time, batch.time, row);
    this.#writePair(slot + LIVE_TRADE.price, batch.price, row);
    this.#writePair(slot + LIVE_TRADE.quantity, batch.quantity, row);
    this.#writePair(slot + LIVE_TRADE.receiveTime, batch.receiveTime, row);
    this.#writePair(slot + LIVE_TRADE.sourceSequence, batch.sourceSequence, row);
    this.#writePair(slot + LIVE_TRADE.frameSequence, batch.frameSequence, row);
    Atomics.store(words, slot, lock);
  }

  #writePair(at: number, column: Int32Array, row: number): void {
    Atomics.store(this.#words, at, column[2 * row]);
    Atomics.store(this.#words, at + 1, column[2 * row + 1]);
  }

  #writeHead(code: number): void {
    const words = this.#words;
    const head = headOf(code);
    const version = (words[head] + 1) | 0;
    const copy = head + COPY[version & 1];
    const position = this.#position;
    storeInt64(position, 0, this.#counts[code]);
    storeInt64(position, 1, this.#frames[code]);
    for (let w = 0; w < 4; w++) Atomics.store(words, copy + w, position[w]);
    Atomics.store(words, copy + INDEX, this.#indexes[code]);
    Atomics.store(words, head, version);
  }
}

export class LiveTradesReader {
  readonly #words: Int32Array;
  /** Trades of an instrument that can be there at once. */
  readonly depth: number;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.depth = this.#words[1];
  }

  /** Trades of the instrument accepted since the process started; the newest is number count - 1. */
  count(instrument: number): number {
    const words = this.#words;
    const head = headOf(instrument);
    for (;;) {
      const version = Atomics.load(words, head);
      const copy = head + COPY[version & 1] + COUNT;
      const count = joinInt64(Atomics.load(words, copy), Atomics.load(words, copy + 1));
      // The copy that counts is not written before the other one has come to count.
      if (Atomics.load(words, head) === version) return count;
    }
  }

  /** Copies trade n to word `at` of `into`; false when it is not here (any more). */
  read(instrument: number, n: number, into: Int32Array, at = 0): boolean {
    const words = this.#words;
    const slot = slotOf(words, instrument, n);
    const lock = lockOf(n);
    if (Atomics.load(words, slot) !== lock) return false;
    for (let w = 1; w < LIVE_TRADE_WORDS; w++) into[at + w] = Atomics.load(words, slot + w);
    into[at + LIVE_TRADE.instrument] = instrument;
    return Atomics.load(words, slot) === lock;
  }

  /**
   * Copies the trades numbered from `fromN` to `toN` - 1 that are here, oldest first, to the start of
   * `into` and answers how many: the newest `depth` at most.
   */
  range(instrument: number, fromN: number, toN: number, into: Int32Array): number {
    let found = 0;
    for (let n = Math.max(fromN, toN - this.depth, 0); n < toN; n++) {
      if (this.read(instrument, n, into, found * LIVE_TRADE_WORDS)) found++;
    }
    return found;
  }
}
