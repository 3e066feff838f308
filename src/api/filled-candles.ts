/**
 * Windows without a trade, where a request wants them too. They are not stored: a window of which
 * there is no candle had no trade, and that is proven (`is_complete`) where the ids of the candles
 * around it follow each other without a gap. It is final where the candle after it is.
 */
import { TIMEFRAME_US, TIMEFRAMES, type Timeframe } from '#schemas/timeframe';
import type { CandleRow } from '#src/output/candle-row';
import { isoSeconds } from '#src/output/text';

/** `previous`: prices are the close before; `null`: there are no prices. */
export type Filling = 'previous' | 'null';

type Nullable<T> = { readonly [K in keyof T]: T[K] | null };
type Prices = 'open' | 'high' | 'low' | 'close' | 'vwap';
type Ids = 'first_trade_id' | 'last_trade_id';

export type FilledCandle = Omit<CandleRow, Prices | Ids> & Nullable<Pick<CandleRow, Prices | Ids>>;

const NOTHING_8 = '0.00000000';
const NOTHING_16 = '0.0000000000000000';

function startUs(row: CandleRow): number {
  return Date.parse(row.window_start) * 1000;
}

/**
 * Every window from the first of `rows` to the last, at most `limit` of them: the first ones, or the
 * last. `rows` are by window start, at most one per window.
 */
export function filledCandles(
  rows: readonly CandleRow[],
  timeframe: Timeframe,
  filling: Filling,
  limit: number,
  which: 'first' | 'last',
): FilledCandle[] {
  const [first] = rows;
  const end = rows.at(-1);
  if (first === undefined || end === undefined) return [];
  const lengthUs = TIMEFRAME_US[TIMEFRAMES.indexOf(timeframe)] as number;
  const windows = (startUs(end) - startUs(first)) / lengthUs + 1;
  const skipped = which === 'first' ? 0 : Math.max(0, windows - limit);
  const fromUs = startUs(first) + skipped * lengthUs;
  const filled: FilledCandle[] = [];
  // The candle of the window at hand, or the next one after it.
  let next = rows.findIndex((row) => startUs(row) >= fromUs);
  for (let atUs = fromUs; filled.length < limit && next < rows.length; atUs += lengthUs) {
    const row = rows[next] as CandleRow;
    if (startUs(row) === atUs) {
      filled.push(row);
      next++;
    } else {
      filled.push(emptyWindow(rows[next - 1] as CandleRow, row, atUs, lengthUs, filling));
    }
  }
  return filled;
}

function emptyWindow(
  before: CandleRow,
  after: CandleRow,
  atUs: number,
  lengthUs: number,
  filling: Filling,
): FilledCandle {
  const price = filling === 'previous' ? before.close : null;
  return {
    symbol: before.symbol,
    exchange: before.exchange,
    window_start: isoSeconds(atUs),
    window_end: isoSeconds(atUs + lengthUs),
    open: price,
    high: price,
    low: price,
    close: price,
    volume: NOTHING_8,
    trade_count: 0,
    vwap: null,
    quote_volume: NOTHING_16,
    first_trade_id: null,
    last_trade_id: null,
    revision: 1,
    is_final: after.is_final,
    is_complete: after.first_trade_id === before.last_trade_id + 1,
  };
}
