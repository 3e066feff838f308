/**
 * The candle book: every candle of all timeframes as a function of gold.
 *
 * It owns the candles that may still change, in memory, and asks `load` for a committed one when an
 * older window is touched. It keeps its own replica of the interval sets, so that lateness and
 * completeness follow from the rows alone. Candles depend only on the sequence of accepted rows and
 * on the watermarks: not on batch boundaries, nor on when they are collected, published or forgotten.
 *
 *   trade -> delta of its 1m candle
 *   roll-up: delta -> its own candle, and -> delta of the next coarser candle around it, up to 1d
 *
 * Merging deltas is merging 1m into 5m into 15m and so on, but each trade goes up once: a touched
 * minute costs at most 11 merges, and a late trade loads six records instead of their finer parts.
 */
import { exchangeCode } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { TIMEFRAME_US, TIMEFRAMES, windowStartUs } from '#schemas/timeframe';
import { CONDITION_IMPORTED } from '#schemas/trade';
import { AssertionError, assert } from '#src/base/errors';
import { loadInt64 } from '#src/base/int64';
import { clearTrades, foldTrade, isEmpty, mergeRecord } from '#src/candles/fold';
import { IncompleteWindows } from '#src/candles/incomplete-windows';
import { lateMask } from '#src/candles/lateness';
import type { LiveCandlesWriter } from '#src/candles/live-candles';
import {
  CANDLE_WORDS,
  FLAG_COMPLETE,
  FLAG_FINAL,
  flagsAt,
  numberAt,
  recordWords,
  setFlags,
  startRecord,
  timeframeAt,
  WORD,
} from '#src/candles/record';
import {
  CHANGED,
  FORGOTTEN,
  NONE,
  RecordSlots,
  TOUCHED,
  UNPUBLISHED,
  WATCHED,
} from '#src/candles/record-slots';
import type { TradeBatch } from '#src/columns/trade-batch';
import { IntervalSet } from '#src/trades/interval-set';

/** Fetches a committed record; called only for windows that earlier trades may have touched. */
export type LoadCandle = (
  timeframe: number,
  instrument: number,
  windowStartUs: number,
) => Uint8Array | undefined;

export interface CandleBookOptions {
  /** All instruments; codes are their indexes in the registry. */
  readonly instruments: readonly Instrument[];
  readonly allowedLatenessUs: number;
  readonly load: LoadCandle;
  /** Gold shards whose watermarks are told apart: an instrument is on shard code % goldShards. */
  readonly goldShards?: number;
}

/** What the last epoch holds of the book. */
export interface CandleBookState {
  /** Packed interval sets, one per instrument that has any. */
  readonly intervals: Iterable<{ readonly instrument: number; readonly intervals: Uint8Array }>;
  /** All records that are not final or not complete, any number of them in each array. */
  readonly pending: Iterable<Uint8Array>;
}

const COARSEST = TIMEFRAMES.length - 1;

export class CandleBook {
  readonly #allowedLatenessUs: number;
  readonly #load: LoadCandle;
  readonly #goldShards: number;
  /** One more than the largest instrument code. */
  readonly #codes: number;
  readonly #slots = new RecordSlots();

  /** Per instrument. */
  readonly #sets: IntervalSet[];
  /** Which watermark the instrument's finality follows. */
  readonly #watermarkOf: Int32Array;
  /** `backfillsCount` when the incomplete windows were last looked through. */
  readonly #backfillsSeen: Float64Array;
  /** Its 1m candle in use: slot, window start and end. */
  readonly #currentSlot: Int32Array;
  readonly #currentStartUs: Float64Array;
  readonly #currentEndUs: Float64Array;

  /** Per exchange and gold shard: largest receive time of the log so far, us. */
  readonly #watermarksUs: Float64Array;

  /** Per timeframe and instrument: slots by window index, and candles forgotten while incomplete. */
  readonly #windows: Map<number, number>[];
  readonly #incomplete: IncompleteWindows[];

  /** Per timeframe: slots whose delta holds trades. */
  readonly #touched: number[][] = TIMEFRAMES.map(() => []);
  /** Slots to look at when publishing. */
  #watched: number[] = [];
  #collects = 0;
  #commits = 0;

  constructor(options: CandleBookOptions) {
    const { instruments } = options;
    this.#allowedLatenessUs = options.allowedLatenessUs;
    this.#load = options.load;
    this.#goldShards = options.goldShards ?? 1;
    this.#codes = instruments.reduce((codes, { code }) => Math.max(codes, code + 1), 0);
    this.#sets = Array.from({ length: this.#codes }, () => new IntervalSet());
    this.#watermarkOf = new Int32Array(this.#codes);
    let watermarks = 0;
    for (const { code, exchange } of instruments) {
      const watermark = exchangeCode(exchange) * this.#goldShards + (code % this.#goldShards);
      this.#watermarkOf[code] = watermark;
      watermarks = Math.max(watermarks, watermark + this.#goldShards);
    }
    this.#watermarksUs = new Float64Array(watermarks);
    this.#backfillsSeen = new Float64Array(this.#codes);
    this.#currentSlot = new Int32Array(this.#codes);
    this.#currentStartUs = new Float64Array(this.#codes);
    this.#currentEndUs = new Float64Array(this.#codes);
    const series = TIMEFRAMES.length * this.#codes;
    this.#windows = Array.from({ length: series }, () => new Map());
    this.#incomplete = Array.from({ length: series }, () => new IncompleteWindows());
  }

  /** Candles in memory. */
  get residentCount(): number {
    return this.#slots.count;
  }

  /** Candles forgotten while not complete: each waits for a gap to be filled. */
  get incompleteCount(): number {
    return this.#incomplete.reduce((sum, windows) => sum + windows.count, 0);
  }

  /** Takes up the state of the last epoch; call it first, and `watermark` after it. */
  restore(state: CandleBookState): void {
    assert(this.#slots.count === 0, 'restore after the book was used');
    for (const { instrument, intervals } of state.intervals) {
      this.#sets[instrument] = IntervalSet.unpack(intervals);
    }
    for (const bytes of state.pending) {
      const words = recordWords(bytes);
      for (let at = 0; at < words.length; at += CANDLE_WORDS) {
        const slot = this.#insert(words, at);
        if (this.#isForgettable(slot)) this.#forget(slot);
      }
    }
  }

  /** Applies the rows gold accepted. */
  apply(batch: TradeBatch): void {
    const { rows, instrument: instruments, tradeId, time, receiveTime } = batch;
    const { condition, duplicate } = batch;
    const slots = this.#slots;
    for (let row = 0; row < rows; row++) {
      if (duplicate[row] !== 0) continue;
      const instrument = instruments[row];
      const timeUs = loadInt64(time, row);
      const set = this.#sets[instrument];
      const seenUs = set.eventTimeMaxUs;
      if (timeUs >= this.#currentEndUs[instrument] || timeUs < this.#currentStartUs[instrument]) {
        this.#enter(instrument, timeUs, seenUs);
      }
      if (!set.add(loadInt64(tradeId, row), timeUs)) this.#refuse(batch, row);
      let latestUs = seenUs;
      if ((condition[row] & CONDITION_IMPORTED) === 0) {
        const receiveUs = loadInt64(receiveTime, row);
        if (receiveUs > latestUs) latestUs = receiveUs;
      }
      const closedUntilUs = latestUs - this.#allowedLatenessUs;
      // Most trades are in an open minute; a closed one is rare and may be late for more timeframes.
      const late =
        closedUntilUs < this.#currentEndUs[instrument] ? 0 : lateMask(timeUs, closedUntilUs);
      const slot = this.#currentSlot[instrument];
      if ((slots.state[slot] & TOUCHED) === 0) this.#touch(slot, instrument, timeUs, seenUs);
      foldTrade(slots.words, slots.delta(slot), batch, row, late);
    }
  }

  /**
   * The log of an exchange has been read up to receive time `timeUs`, as told by one gold shard, or
   * by all when `shard` is left out. At a barrier every shard must have told the same.
   */
  watermark(exchange: number, timeUs: number, shard?: number): void {
    for (let s = shard ?? 0; s < (shard === undefined ? this.#goldShards : shard + 1); s++) {
      const i = exchange * this.#goldShards + s;
      // An exchange without instruments has no candles to make final.
      if (i < this.#watermarksUs.length && timeUs > this.#watermarksUs[i]) {
        this.#watermarksUs[i] = timeUs;
      }
    }
  }

  /**
   * Every record whose bytes changed since the last collect, back to back, by timeframe, instrument
   * and window start: touched ones, and those that became final or complete.
   */
  collect(): Uint8Array {
    this.#rollUp();
    this.#recallCompleted();
    this.#collects++;
    const { state, collectedIn, words } = this.#slots;
    const changed: number[] = [];
    for (const windows of this.#windows) {
      const indexes: number[] = [];
      for (const [index, slot] of windows) {
        this.#refreshFlags(slot);
        if ((state[slot] & CHANGED) !== 0) indexes.push(index);
      }
      indexes.sort((a, b) => a - b);
      for (const index of indexes) changed.push(windows.get(index) as number);
    }
    const records = new Int32Array(changed.length * CANDLE_WORDS);
    for (const [i, slot] of changed.entries()) {
      const at = this.#slots.candle(slot);
      records.set(words.subarray(at, at + CANDLE_WORDS), i * CANDLE_WORDS);
      state[slot] &= ~CHANGED;
      collectedIn[slot] = this.#collects;
    }
    return new Uint8Array(records.buffer);
  }

  /**
   * The oldest collect not yet acknowledged is durable: `load` now answers with its records. Forgets
   * candles that cannot change without a late trade or a filled gap.
   */
  committed(): void {
    assert(this.#commits < this.#collects, 'committed without a collect');
    this.#commits++;
    this.#rollUp(); // a touched candle needs its parents
    const { state, parent } = this.#slots;
    const forgotten: number[] = [];
    for (const windows of this.#windows) {
      for (const slot of windows.values()) {
        if (!this.#isForgettable(slot)) continue;
        state[slot] |= FORGOTTEN;
        forgotten.push(slot);
      }
    }
    for (const windows of this.#windows) {
      for (const slot of windows.values()) {
        const above = parent[slot];
        if (above !== NONE && (state[above] & FORGOTTEN) !== 0) parent[slot] = NONE;
      }
    }
    for (const slot of forgotten) this.#forget(slot);
    this.#watched = this.#watched.filter((slot) => (state[slot] & WATCHED) !== 0);
    this.#currentStartUs.fill(0);
    this.#currentEndUs.fill(0);
  }

  /** Shows readers every candle touched, or become final or complete, since the last call. */
  publish(live: LiveCandlesWriter): void {
    this.#rollUp();
    const { state, words } = this.#slots;
    let kept = 0;
    for (const slot of this.#watched) {
      this.#refreshFlags(slot);
      const at = this.#slots.candle(slot);
      if ((state[slot] & UNPUBLISHED) !== 0) live.publish(words, at);
      state[slot] &= ~UNPUBLISHED;
      if (flagsAt(words, at) === (FLAG_FINAL | FLAG_COMPLETE)) state[slot] &= ~WATCHED;
      else this.#watched[kept++] = slot;
    }
    this.#watched.length = kept;
  }

  #refuse(batch: TradeBatch, row: number): never {
    const id = loadInt64(batch.tradeId, row);
    throw new AssertionError(
      `gold accepted trade ${id} of instrument ${batch.instrument[row]}, which the candle book has already`,
    );
  }

  /** Makes the 1m candle around `timeUs` the instrument's current one. */
  #enter(instrument: number, timeUs: number, seenUs: number): void {
    const startUs = windowStartUs(timeUs, TIMEFRAME_US[0]);
    this.#currentSlot[instrument] = this.#resident(0, instrument, startUs, seenUs);
    this.#currentStartUs[instrument] = startUs;
    this.#currentEndUs[instrument] = startUs + TIMEFRAME_US[0];
  }

  /** Notes that a 1m candle's delta gets trades, and makes sure that they have a way up. */
  #touch(slot: number, instrument: number, timeUs: number, seenUs: number): void {
    const slots = this.#slots;
    slots.state[slot] |= TOUCHED;
    this.#touched[0].push(slot);
    let below = slot;
    for (let k = 1; k <= COARSEST; k++) {
      let above = slots.parent[below];
      if (above === NONE) {
        above = this.#resident(k, instrument, windowStartUs(timeUs, TIMEFRAME_US[k]), seenUs);
        slots.parent[below] = above;
      }
      below = above;
    }
  }

  /** The slot of a candle, loaded or new when it is not in memory. */
  #resident(timeframe: number, instrument: number, startUs: number, seenUs: number): number {
    const series = timeframe * this.#codes + instrument;
    const slot = this.#windows[series].get(startUs / TIMEFRAME_US[timeframe]);
    if (slot !== undefined) return slot;
    // A window that starts after every trade so far has no record to load.
    const bytes = startUs > seenUs ? undefined : this.#load(timeframe, instrument, startUs);
    const record = bytes === undefined ? new Int32Array(CANDLE_WORDS) : recordWords(bytes);
    if (bytes === undefined) startRecord(record, 0, instrument, timeframe, startUs);
    assert(
      record.length === CANDLE_WORDS &&
        timeframeAt(record, 0) === timeframe &&
        record[WORD.instrument] === instrument &&
        numberAt(record, 0, WORD.windowStart) === startUs,
      `loaded another candle than ${TIMEFRAMES[timeframe]} of instrument ${instrument} at ${startUs}`,
    );
    return this.#insert(record, 0);
  }

  #insert(record: Int32Array, at: number): number {
    const slots = this.#slots;
    const slot = slots.take();
    slots.words.set(record.subarray(at, at + CANDLE_WORDS), slots.candle(slot));
    const lengthUs = TIMEFRAME_US[timeframeAt(record, at)];
    const startUs = numberAt(record, at, WORD.windowStart);
    slots.finalAtUs[slot] = startUs + lengthUs + this.#allowedLatenessUs;
    const series = this.#seriesOf(slot);
    this.#windows[series].set(startUs / lengthUs, slot);
    this.#incomplete[series].delete(startUs / lengthUs);
    return slot;
  }

  /** Moves the trades of all deltas into their candles and the coarser ones around them. */
  #rollUp(): void {
    const slots = this.#slots;
    const { words, state, parent } = slots;
    for (let k = 0; k <= COARSEST; k++) {
      const touched = this.#touched[k];
      for (const slot of touched) {
        const delta = slots.delta(slot);
        mergeRecord(words, slots.candle(slot), words, delta);
        if (k < COARSEST) {
          const above = parent[slot];
          mergeRecord(words, slots.delta(above), words, delta);
          if ((state[above] & TOUCHED) === 0) {
            state[above] |= TOUCHED;
            this.#touched[k + 1].push(above);
          }
        }
        clearTrades(words, delta);
        state[slot] &= ~TOUCHED;
        this.#change(slot);
      }
      touched.length = 0;
    }
  }

  /** Notes that a candle's bytes changed. */
  #change(slot: number): void {
    const { state } = this.#slots;
    if ((state[slot] & WATCHED) === 0) this.#watched.push(slot);
    state[slot] |= CHANGED | UNPUBLISHED | WATCHED;
  }

  #refreshFlags(slot: number): void {
    const slots = this.#slots;
    const { words } = slots;
    const at = slots.candle(slot);
    const instrument = words[at + WORD.instrument];
    const isFinal = this.#watermarksUs[this.#watermarkOf[instrument]] >= slots.finalAtUs[slot];
    const isComplete = this.#sets[instrument].covers(
      numberAt(words, at, WORD.firstTradeId) - 1,
      numberAt(words, at, WORD.lastTradeId) + 1,
    );
    const flags = (isFinal ? FLAG_FINAL : 0) | (isComplete ? FLAG_COMPLETE : 0);
    if (flags === flagsAt(words, at)) return;
    setFlags(words, at, flags);
    this.#change(slot);
  }

  /** Brings back forgotten candles that a filled gap has completed. */
  #recallCompleted(): void {
    for (const [instrument, set] of this.#sets.entries()) {
      // Appends at the top complete only candles that end there, and those are never forgotten.
      if (set.backfillsCount === this.#backfillsSeen[instrument]) continue;
      this.#backfillsSeen[instrument] = set.backfillsCount;
      for (let k = 0; k <= COARSEST; k++) {
        const incomplete = this.#incomplete[k * this.#codes + instrument];
        for (const index of incomplete.completed(set)) {
          const slot = this.#resident(k, instrument, index * TIMEFRAME_US[k], Infinity);
          assert(
            !isEmpty(this.#slots.words, this.#slots.candle(slot)),
            `the committed ${TIMEFRAMES[k]} candle ${index} of instrument ${instrument} is lost`,
          );
        }
      }
    }
  }

  /**
   * Whether a candle can be dropped from memory: committed as it is, final, not the newest, and, if
   * not complete, not waiting for the next trade at the top (that one comes without a backfill).
   */
  #isForgettable(slot: number): boolean {
    const slots = this.#slots;
    const { words } = slots;
    if ((slots.state[slot] & (TOUCHED | CHANGED)) !== 0) return false;
    if (slots.collectedIn[slot] > this.#commits) return false;
    const at = slots.candle(slot);
    const flags = flagsAt(words, at);
    if ((flags & FLAG_FINAL) === 0) return false;
    const set = this.#sets[words[at + WORD.instrument]];
    if (slots.finalAtUs[slot] - this.#allowedLatenessUs > set.eventTimeMaxUs) return false;
    return (flags & FLAG_COMPLETE) !== 0 || numberAt(words, at, WORD.lastTradeId) < set.largestId;
  }

  #forget(slot: number): void {
    const slots = this.#slots;
    const { words } = slots;
    const at = slots.candle(slot);
    const series = this.#seriesOf(slot);
    const index = numberAt(words, at, WORD.windowStart) / TIMEFRAME_US[timeframeAt(words, at)];
    if ((flagsAt(words, at) & FLAG_COMPLETE) === 0) {
      const firstTradeId = numberAt(words, at, WORD.firstTradeId);
      this.#incomplete[series].add(index, firstTradeId, numberAt(words, at, WORD.lastTradeId));
    }
    this.#windows[series].delete(index);
    slots.release(slot);
  }

  #seriesOf(slot: number): number {
    const { words } = this.#slots;
    const at = this.#slots.candle(slot);
    return timeframeAt(words, at) * this.#codes + words[at + WORD.instrument];
  }
}
