/**
 * The question `GET /v1/ohlcv/:timeframe` and each part of `POST /v1/ohlcv/batch` ask.
 *
 * With a start the answer is the first `limit` candles from there; without one, the last `limit`
 * before the end; oldest first in both cases. To read on, ask again with start = the last candle's
 * window_end.
 */
import type { Instrument } from '#schemas/instrument';
import { TIMEFRAMES, type Timeframe } from '#schemas/timeframe';
import type { CandleRange } from '#src/api/candle-source';
import type { Filling } from '#src/api/filled-candles';
import { INSTRUMENT, instrumentOf } from '#src/api/instrument-names';
import { bad, integer, oneOf, optional, time, type Values, withDefault } from '#src/api/parameters';

export const LIMIT_DEFAULT = 500;
export const LIMIT_MAX = 10_000;

export const TIMEFRAME = oneOf(TIMEFRAMES, 'Length of the candles.');

export const CANDLE_QUERY = {
  ...INSTRUMENT,
  start: optional(time('First window start to give, inclusive.')),
  end: optional(time('Window start to stop before, exclusive.')),
  limit: withDefault(integer(1, LIMIT_MAX, 'At most this many candles.'), LIMIT_DEFAULT),
  fill: optional(
    oneOf(
      ['previous', 'null'],
      'Windows without a trade are given too, with the close before them (previous) or with nulls.',
    ),
  ),
};

export interface CandleQuestion extends CandleRange {
  readonly fill: Filling | undefined;
}

export function candleQuestion(
  instruments: readonly Instrument[],
  timeframe: Timeframe,
  { symbol, exchange, start, end, limit, fill }: Values<typeof CANDLE_QUERY>,
): CandleQuestion {
  const instrument = instrumentOf(instruments, symbol, exchange);
  const fromUs = start ?? 0;
  const toUs = end ?? Number.MAX_SAFE_INTEGER;
  if (fromUs > toUs) throw bad('start', 'must not be after end');
  return {
    timeframe,
    instrument,
    fromUs,
    toUs,
    limit,
    which: start === undefined ? 'last' : 'first',
    fill,
  };
}
