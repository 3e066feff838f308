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
import { type Exchange, exchangeCode } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { TIMEFRAME_US, TIMEFRAMES, windowStartUs } from '#schemas/timeframe';
import { CONDITION_IMPORTED } from '#schemas/trade';
import { AssertionError, assert } from '#src/base/errors';
import { loadInt64 } from '#src/base/int64';
import { clearTrades, foldTrade, mergeRecord } from '#src/candles/fold';
import { lateMask } from '#src/candles/lateness';
import type { LiveCandlesWriter } from '#src/candles/live-candles';
import {
  CANDLE_WORDS,
  copyRecord,
  FLAG_COMPLETE,
  FLAG_FINAL,
  flagsAt,
  numberAt,
  recordWords,
  setFlags,
  WORD,
  windowEndAt,
} from '#src/candles/record';
import { CHANGED, NONE, TOUCHED, UNPUBLISHED, WATCHED } from '#src/candles/record-slots';
import { type LoadCandle, ResidentCandles } from '#src/candles/resident-candles';
import type { TradeBatch } from '#src/columns/trade-batch';
import { IntervalSet } from '#src/trades/interval-set';

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
  /** Largest receive time in each log so far. */
  readonly watermarks: Iterable<{ readonly exchange: Exchange; readonly watermarkUs: number }>;
  /** All records that are not final or not complete, any number of them in each array. */
  readonly pending: Iterable<Uint8Array>;
}

const COARSEST = TIMEFRAMES.length - 1;

export class CandleBook {
  readonly #allowedLatenessUs: number;
  readonly #goldShards: number;
  readonly #candles: ResidentCandles;

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

  /** Per timeframe: slots whose delta holds trades. */
  readonly #touched: number[][] = TIMEFRAMES.map(() => []);
  /** Slots to look at when publishing. */
  #watched: number[] = [];
  /** Whether anybody publishes: then a candle stays until it has been. */
  #isPublished = false;
  #collects = 0;
  #commits = 0;

  constructor(options: CandleBookOptions) {
    const { instruments } = options;
    this.#allowedLatenessUs = options.allowedLatenessUs;
    this.#goldShards = options.goldShards ?? 1;
    const codes = instruments.reduce((above, { code }) => Math.max(above, code + 1), 0);
    this.#candles = new ResidentCandles(codes, options.load);
    this.#sets = Array.from({ length: codes }, () => new IntervalSet());
    this.#watermarkOf = new Int32Array(codes);
    let watermarks = 0;
    for (const { code, exchange } of instruments) {
      const watermark = exchangeCode(exchange) * this.#goldShards + (code % this.#goldShards);
      this.#watermarkOf[code] = watermark;
      watermarks = Math.max(watermarks, watermark + this.#goldShards);
    }
    this.#watermarksUs = new Float64Array(watermarks);
    this.#backfillsSeen = new Float64Array(codes);
    this.#currentSlot = new Int32Array(codes);
    this.#currentStartUs = new Float64Array(codes);
    this.#currentEndUs = new Float64Array(codes);
  }

  /** Candles in memory. */
  get residentCount(): number {
    return this.#candles.slots.count;
  }

  /** Candles forgotten while not complete: each waits for a gap to be filled. */
  get incompleteCount(): number {
    return this.#candles.incompleteCount;
  }

  /** Takes up the state of the last epoch; call it first or not at all. */
  restore(state: CandleBookState): void {
    assert(this.#candles.slots.count === 0, 'restore after the book was used');
    for (const { instrument, intervals } of state.intervals) {
      this.#sets[instrument] = IntervalSet.unpack(intervals);
    }
    for (const { exchange, watermarkUs } of state.watermarks) {
      this.watermark(exchangeCode(exchange), watermarkUs);
    }
    for (const bytes of state.pending) {
      const words = recordWords(bytes);
      for (let at = 0; at < words.length; at += CANDLE_WORDS) {
        if (this.#isSettled(words, at)) this.#candles.remember(words, at);
        else this.#candles.insert(words, at);
      }
    }
  }

  /** Applies the rows gold accepted. */
  apply(batch: TradeBatch): void {
    const { rows, instrument: instruments, tradeId, time, receiveTime } = batch;
    const { condition, duplicate } = batch;
    const slots = this.#candles.slots;
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
    const { keptFromUs } = this.#candles;
    const { state, collectedIn, words } = this.#candles.slots;
    const changed: number[] = [];
    for (const [series, windows] of this.#candles.series.entries()) {
      const timeframe = Math.floor(series / this.#sets.length);
      const indexes: number[] = [];
      for (const [index, slot] of windows) {
        this.#refreshFlags(slot);
        if ((state[slot] & CHANGED) === 0) continue;
        if (index * TIMEFRAME_US[timeframe] >= keptFromUs[timeframe]) indexes.push(index);
        else this.#dismiss(slot);
      }
      indexes.sort((a, b) => a - b);
      for (const index of indexes) changed.push(windows.get(index) as number);
    }
    const records = new Int32Array(changed.length * CANDLE_WORDS);
    for (const [i, slot] of changed.entries()) {
      copyRecord(records, i * CANDLE_WORDS, words, this.#candles.slots.candle(slot));
      state[slot] &= ~CHANGED;
      collectedIn[slot] = this.#collects;
    }
    return new Uint8Array(records.buffer);
  }

  /**
   * Candles whose window starts before `fromUs` of their timeframe are no longer kept: they are not
   * collected any more, whatever a late trade or a filled gap does to them.
   */
  expire(fromUs: readonly number[]): void {
    for (const [timeframe, us] of fromUs.entries()) this.#candles.expire(timeframe, us);
  }

  /**
   * The oldest collect not yet acknowledged is durable: `load` now answers with its records. Forgets
   * candles that cannot change without a late trade or a filled gap.
   */
  committed(): void {
    assert(this.#commits < this.#collects, 'committed without a collect');
    this.#commits++;
    this.#rollUp(); // a touched candle needs its parents
    this.#candles.forget((slot) => this.#isForgettable(slot));
    const { state } = this.#candles.slots;
    this.#watched = this.#watched.filter((slot) => (state[slot] & WATCHED) !== 0);
    this.#currentStartUs.fill(0);
    this.#currentEndUs.fill(0);
  }

  /** Shows readers every candle touched, or become final or complete, since the last call. */
  publish(live: LiveCandlesWriter): void {
    this.#isPublished = true;
    this.#rollUp();
    const { state, words } = this.#candles.slots;
    let kept = 0;
    for (const slot of this.#watched) {
      this.#refreshFlags(slot);
      const at = this.#candles.slots.candle(slot);
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

  /** The slot's candle is past retention: as if it had been collected. */
  #dismiss(slot: number): void {
    const { state, collectedIn } = this.#candles.slots;
    state[slot] &= ~CHANGED;
    collectedIn[slot] = this.#collects;
  }

  /** Makes the 1m candle around `timeUs` the instrument's current one. */
  #enter(instrument: number, timeUs: number, seenUs: number): void {
    const startUs = windowStartUs(timeUs, TIMEFRAME_US[0]);
    this.#currentSlot[instrument] = this.#candles.find(0, instrument, startUs, seenUs);
    this.#currentStartUs[instrument] = startUs;
    this.#currentEndUs[instrument] = startUs + TIMEFRAME_US[0];
  }

  /** Notes that a 1m candle's delta gets trades, and makes sure that they have a way up. */
  #touch(slot: number, instrument: number, timeUs: number, seenUs: number): void {
    const slots = this.#candles.slots;
    slots.state[slot] |= TOUCHED;
    this.#touched[0].push(slot);
    let below = slot;
    for (let k = 1; k <= COARSEST; k++) {
      let above = slots.parent[below];
      if (above === NONE) {
        above = this.#candles.find(k, instrument, windowStartUs(timeUs, TIMEFRAME_US[k]), seenUs);
        slots.parent[below] = above;
      }
      below = above;
    }
  }

  /** Moves the trades of all deltas into their candles and the coarser ones around them. */
  #rollUp(): void {
    const slots = this.#candles.slots;
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
    const { state } = this.#candles.slots;
    if ((state[slot] & WATCHED) === 0) this.#watched.push(slot);
    state[slot] |= CHANGED | UNPUBLISHED | WATCHED;
  }

  #refreshFlags(slot: number): void {
    const slots = this.#candles.slots;
    const { words } = slots;
    const at = slots.candle(slot);
    const instrument = words[at + WORD.instrument];
    const isFinal =
      this.#watermarksUs[this.#watermarkOf[instrument]] >=
      windowEndAt(words, at) + this.#allowedLatenessUs;
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
      this.#candles.recallCompleted(instrument, set);
    }
  }

  /** Whether a candle can be dropped from memory: committed as it is, and settled. */
  #isForgettable(slot: number): boolean {
    this.#refreshFlags(slot);
    const slots = this.#candles.slots;
    const pending = TOUCHED | CHANGED | (this.#isPublished ? UNPUBLISHED : 0);
    return (
      (slots.state[slot] & pending) === 0 &&
      slots.collectedIn[slot] <= this.#commits &&
      this.#isSettled(slots.words, slots.candle(slot))
    );
  }

  /**
   * Whether only a late trade or a filled gap can change the record at `at`: it is final, not the
   * newest, and complete or at least not waiting for the next id at the top, which is no backfill.
   */
  #isSettled(words: Int32Array, at: number): boolean {
    const flags = flagsAt(words, at);
    const set = this.#sets[words[at + WORD.instrument]];
    return (
      (flags & FLAG_FINAL) !== 0 &&
      windowEndAt(words, at) <= set.eventTimeMaxUs &&
      ((flags & FLAG_COMPLETE) !== 0 || numberAt(words, at, WORD.lastTradeId) < set.largestId)
    );
  }
}
