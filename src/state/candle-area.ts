/**
 * Candles in the state store: one 176-byte record (src/candles/record.ts) per timeframe, instrument
 * and window, and the pending index: the windows whose candle is not yet both final and complete.
 */

import { assert } from '#src/base/errors';
import { joinInt64 } from '#src/base/int64';
import { CANDLE_BYTES, FLAG_COMPLETE, FLAG_FINAL, WORD } from '#src/candles/record';
import type { Edits } from '#src/state/edits';
import type { Environment } from '#src/state/environment';
import { AREA, candleKey, candleKeyFrom, parseCandleKey } from '#src/state/keys';
import { StateCorruptError } from '#src/state/state-errors';

const FLAGS_SETTLED = FLAG_FINAL | FLAG_COMPLETE;

/**
 * Puts candle records that lie back to back, and keeps the pending index in step with them. Windows
 * that start before `fromUs` of their timeframe are past retention: what a late trade made of them is
 * no whole candle and is left out.
 */
export function putCandles(edits: Edits, records: Uint8Array, fromUs: readonly number[]): void {
  assert(
    records.length % CANDLE_BYTES === 0,
    `${records.length} bytes are not whole candles of ${CANDLE_BYTES}`,
  );
  const view = new DataView(records.buffer, records.byteOffset, records.length);
  for (let at = 0; at < records.length; at += CANDLE_BYTES) {
    const instrument = view.getInt32(at + 4 * WORD.instrument, true);
    const timeframe = view.getUint8(at + 4 * WORD.timeframeAndFlags);
    const windowStartUs = joinInt64(
      view.getInt32(at + 4 * WORD.windowStart, true),
      view.getInt32(at + 4 * WORD.windowStart + 4, true),
    );
    if (windowStartUs < (fromUs[timeframe] ?? 0)) continue;
    const record = records.subarray(at, at + CANDLE_BYTES);
    edits.put(candleKey(AREA.candle, timeframe, instrument, windowStartUs), record);
    const pendingKey = candleKey(AREA.pending, timeframe, instrument, windowStartUs);
    if (isPending(record)) edits.put(pendingKey);
    else edits.remove(pendingKey);
  }
}

function isPending(record: Uint8Array): boolean {
  return (record[4 * WORD.timeframeAndFlags + 1]! & FLAGS_SETTLED) !== FLAGS_SETTLED;
}

/** Removes the candles of every instrument whose window starts before `beforeUs`. */
export function removeCandles(
  environment: Environment,
  edits: Edits,
  timeframe: number,
  instruments: number,
  beforeUs: number,
): void {
  for (let instrument = 0; instrument < instruments; instrument++) {
    const start = candleKeyFrom(timeframe, instrument, 0);
    const end = candleKeyFrom(timeframe, instrument, beforeUs);
    for (const { key } of environment.scan(start, end)) {
      edits.remove(key);
      const { windowStartUs } = parseCandleKey(key);
      edits.remove(candleKey(AREA.pending, timeframe, instrument, windowStartUs));
    }
  }
}

export function readCandle(
  environment: Environment,
  timeframe: number,
  instrument: number,
  windowStartUs: number,
): Uint8Array | undefined {
  return environment.get(candleKey(AREA.candle, timeframe, instrument, windowStartUs));
}

/** Candles with fromUs <= window start < toUs, ascending, or newest first. */
export function* scanCandles(
  environment: Environment,
  timeframe: number,
  instrument: number,
  fromUs: number,
  toUs: number,
  descending: boolean,
): Generator<Uint8Array> {
  const start = candleKeyFrom(timeframe, instrument, fromUs);
  const end = candleKeyFrom(timeframe, instrument, toUs);
  for (const { payload } of environment.scan(start, end, { reverse: descending })) yield payload;
}

/** The last `limit` candles of an instrument, newest first. */
export function* scanLatest(
  environment: Environment,
  timeframe: number,
  instrument: number,
  limit: number,
): Generator<Uint8Array> {
  const start = candleKeyFrom(timeframe, instrument, 0);
  const end = candleKeyFrom(timeframe, instrument + 1, 0);
  for (const { payload } of environment.scan(start, end, { reverse: true, limit })) yield payload;
}

/** Every candle that is not yet both final and complete, by timeframe, instrument, window. */
export function* scanPending(environment: Environment): Generator<Uint8Array> {
  for (const { key } of environment.scanArea(AREA.pending)) {
    const { timeframe, instrument, windowStartUs } = parseCandleKey(key);
    const record = readCandle(environment, timeframe, instrument, windowStartUs);
    if (record === undefined || !isPending(record)) {
      const name = Buffer.from(key).toString('hex');
      throw new StateCorruptError(environment.directory, `no pending candle for ${name}`);
    }
    yield record;
  }
}

/** Whether the pending index is exactly the candles it should be: reads every candle. */
export function verifyPending(environment: Environment): void {
  let pending = 0;
  for (const { payload } of environment.scanArea(AREA.candle)) if (isPending(payload)) pending++;
  const indexed = environment.count(AREA.pending);
  if (pending !== indexed) {
    const what = `${pending} candles are pending, ${indexed} are indexed`;
    throw new StateCorruptError(environment.directory, what);
  }
  for (const _ of scanPending(environment));
}
