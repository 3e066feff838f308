/**
 * The candles in memory, by timeframe, instrument and window, and what is remembered of the
 * incomplete ones that are not.
 *
 * A candle comes in when its window is asked for: loaded when it may have been committed, empty
 * otherwise. It leaves when the book says so; `load` must then be able to bring it back.
 */

import { TIMEFRAME_US, TIMEFRAMES } from '#schemas/timeframe';
import { assert } from '#src/base/errors';
import { mark } from '#src/base/marks';
import { IncompleteWindows } from '#src/candles/incomplete-windows';
import {
  CANDLE_WORDS,
  copyRecord,
  FLAG_COMPLETE,
  flagsAt,
  numberAt,
  recordWords,
  startRecord,
  timeframeAt,
  WORD,
} from '#src/candles/record';
import { FORGOTTEN, NONE, RecordSlots } from '#src/candles/record-slots';
import type { IntervalSet } from '#src/trades/interval-set';

/** Fetches a committed record; called only for windows that earlier trades may have touched. */
export type LoadCandle = (
  timeframe: number,
  instrument: number,
  windowStartUs: number,
) => Uint8Array | undefined;

export class ResidentCandles {
  readonly slots = new RecordSlots();
  /** Slots by window index, per timeframe and instrument: in order, timeframe first. */
  readonly series: readonly Map<number, number>[];
  /** Per timeframe: windows that start earlier are past retention. */
  readonly keptFromUs = new Float64Array(TIMEFRAMES.length);
  /** Candles forgotten while not complete, in the same order. */
  readonly #incomplete: readonly IncompleteWindows[];
  /** One more than the largest instrument code. */
  readonly #codes: number;
  readonly #load: LoadCandle;

  constructor(codes: number, load: LoadCandle) {
    this.#codes = codes;
    this.#load = load;
    const count = TIMEFRAMES.length * codes;
    this.series = Array.from({ length: count }, () => new Map());
    this.#incomplete = Array.from({ length: count }, () => new IncompleteWindows());
  }

  /** Candles forgotten while not complete: each waits for a gap to be filled. */
  get incompleteCount(): number {
    return this.#incomplete.reduce((sum, windows) => sum + windows.count, 0);
  }

  /**
   * The slot of a candle, loaded or new when it is not in memory. No trade after `seenUs` has come
   * yet, so a window that starts later has no record to load.
   */
  find(timeframe: number, instrument: number, startUs: number, seenUs: number): number {
    const series = this.series[timeframe * this.#codes + instrument];
    const slot = series.get(startUs / TIMEFRAME_US[timeframe]);
    if (slot !== undefined) return slot;
    const bytes = startUs > seenUs ? undefined : this.#load(timeframe, instrument, startUs);
    if (bytes === undefined) {
      const empty = this.slots.take();
      startRecord(this.slots.words, this.slots.candle(empty), instrument, timeframe, startUs);
      this.#enlist(empty);
      return empty;
    }
    mark('candles: a late trade changed a committed candle');
    const record = recordWords(bytes);
    assert(
      record.length === CANDLE_WORDS &&
        timeframeAt(record, 0) === timeframe &&
        record[WORD.instrument] === instrument &&
        numberAt(record, 0, WORD.windowStart) === startUs,
      `loaded another candle than ${TIMEFRAMES[timeframe]} of instrument ${instrument} at ${startUs}`,
    );
    return this.insert(record, 0);
  }

  /** Takes in the record at word `at`; its window must not be in memory. */
  insert(record: Int32Array, at: number): number {
    const { slots } = this;
    const slot = slots.take();
    copyRecord(slots.words, slots.candle(slot), record, at);
    this.#enlist(slot);
    return slot;
  }

  /** Forgets the candles that `isForgettable` names; those not complete stay known by id range. */
  forget(isForgettable: (slot: number) => boolean): void {
    const { state, parent, words } = this.slots;
    const forgotten: number[] = [];
    for (const windows of this.series) {
      for (const slot of windows.values()) {
        if (!isForgettable(slot)) continue;
        state[slot] |= FORGOTTEN;
        forgotten.push(slot);
      }
    }
    for (const windows of this.series) {
      for (const slot of windows.values()) {
        const above = parent[slot];
        if (above !== NONE && (state[above] & FORGOTTEN) !== 0) parent[slot] = NONE;
      }
    }
    for (const slot of forgotten) {
      const at = this.slots.candle(slot);
      this.remember(words, at);
      this.series[this.#seriesOf(words, at)].delete(windowIndex(words, at));
      this.slots.release(slot);
    }
  }

  /** Keeps the id range of a record that is not in memory, if it is not complete. */
  remember(words: Int32Array, at: number): void {
    if ((flagsAt(words, at) & FLAG_COMPLETE) !== 0) return;
    const startUs = numberAt(words, at, WORD.windowStart);
    if (startUs < this.keptFromUs[timeframeAt(words, at)]) return;
    this.#incomplete[this.#seriesOf(words, at)].add(
      windowIndex(words, at),
      numberAt(words, at, WORD.firstTradeId),
      numberAt(words, at, WORD.lastTradeId),
    );
  }

  /** Windows of a timeframe that start before `fromUs` are past retention: nothing waits for them. */
  expire(timeframe: number, fromUs: number): void {
    if (fromUs <= this.keptFromUs[timeframe]) return;
    this.keptFromUs[timeframe] = fromUs;
    const beforeIndex = fromUs / TIMEFRAME_US[timeframe];
    for (let code = 0; code < this.#codes; code++) {
      this.#incomplete[timeframe * this.#codes + code].deleteBefore(beforeIndex);
    }
  }

  /** Brings back the forgotten candles of an instrument that are complete by now. */
  recallCompleted(instrument: number, set: IntervalSet): void {
    for (const [timeframe, lengthUs] of TIMEFRAME_US.entries()) {
      for (const index of this.#incomplete[timeframe * this.#codes + instrument].completed(set)) {
        const slot = this.find(timeframe, instrument, index * lengthUs, Infinity);
        assert(
          numberAt(this.slots.words, this.slots.candle(slot), WORD.tradeCount) > 0,
          `the committed ${TIMEFRAMES[timeframe]} candle ${index} of instrument ${instrument} is lost`,
        );
      }
    }
  }

  #enlist(slot: number): void {
    const { words } = this.slots;
    const at = this.slots.candle(slot);
    const series = this.#seriesOf(words, at);
    const index = windowIndex(words, at);
    this.series[series].set(index, slot);
    this.#incomplete[series].delete(index);
  }

  #seriesOf(words: Int32Array, at: number): number {
    return timeframeAt(words, at) * this.#codes + words[at + WORD.instrument];
  }
}

function windowIndex(words: Int32Array, at: number): number {
  return numberAt(words, at, WORD.windowStart) / TIMEFRAME_US[timeframeAt(words, at)];
}
