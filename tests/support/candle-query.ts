/** What the candle route makes of its path and query, without a server. */
import type { Instrument } from '#schemas/instrument';
import {
  CANDLE_QUERY,
  type CandleQuestion,
  candleQuestion,
  TIMEFRAME,
} from '#src/api/candle-query';
import { readParameters } from '#src/api/parameters';

/** Throws the `Problem` the route answers. */
export function candleQuery(
  instruments: readonly Instrument[],
  timeframe: unknown,
  query: unknown,
): CandleQuestion {
  const length = TIMEFRAME.read(timeframe, 'timeframe');
  return candleQuestion(instruments, length, readParameters(CANDLE_QUERY, query));
}
