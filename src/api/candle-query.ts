/**
 * The question `GET /v1/ohlcv/:timeframe` asks, read strictly: a parameter that is unknown, given
 * twice or not understood is an error that names it, never something to guess about.
 *
 *   symbol    required  BTCUSD, as GET /v1/symbols lists it
 *   exchange  optional where only one exchange lists the symbol
 *   start     optional  first window start to give, inclusive
 *   end       optional  window start to stop before, exclusive
 *   limit     optional  1 to 10000, 500 unless given
 *
 * start and end are ISO 8601 in UTC (2025-03-04, 2025-03-04T00:05Z, also with an offset) or
 * milliseconds since the Unix epoch. With a start the answer is the first `limit` candles from
 * there; without one, the last `limit` before the end; oldest first in both cases. To read on, ask
 * again with start = the last candle's window_end.
 */
import { isExchange } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { isTimeframe, TIMEFRAMES } from '#schemas/timeframe';
import type { CandleRange } from '#src/api/candle-source';
import { Problem } from '#src/api/problem';

export const LIMIT_DEFAULT = 500;
export const LIMIT_MAX = 10_000;

const PARAMETERS = ['symbol', 'exchange', 'start', 'end', 'limit'] as const;
type Parameter = (typeof PARAMETERS)[number];

/** Years 1970 to 9999: what ISO 8601 writes with four digits. */
const TIME_MS_MAX = 253_402_300_799_999;

const ISO = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})?)?$/;

function bad(parameter: string, rest: string): Problem {
  return new Problem(400, `${parameter} ${rest}`);
}

/** The value in a message, cut to a readable length. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 37)}...` : text);
}

function parameters(query: unknown): Partial<Record<Parameter, string>> {
  const given = Object.entries(query as Record<string, unknown>);
  for (const [name, value] of given) {
    if (!(PARAMETERS as readonly string[]).includes(name)) {
      throw new Problem(
        400,
        `${quoted(name)} is not a parameter; allowed: ${PARAMETERS.join(', ')}`,
      );
    }
    if (typeof value !== 'string') throw bad(name, 'must be given once');
  }
  return Object.fromEntries(given) as Partial<Record<Parameter, string>>;
}

/** Milliseconds since the epoch of an ISO time, NaN for none; without an offset it is UTC. */
function isoMs(text: string): number {
  const [, day, clock, , , offset] = ISO.exec(text) ?? [];
  if (day === undefined) return Number.NaN;
  // Date.parse takes 2025-02-30 for 2025-03-02: the day has to come out as it went in.
  const dayMs = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(dayMs) || !new Date(dayMs).toISOString().startsWith(day)) return Number.NaN;
  return Date.parse(clock === undefined || offset !== undefined ? text : `${text}Z`);
}

/** Microseconds; beyond the year 2255 they would pass 2^53, so any later time is that one. */
function timeUs(name: Parameter, text: string): number {
  const ms = /^\d{1,15}$/.test(text) ? Number(text) : isoMs(text);
  if (ms >= 0 && ms <= TIME_MS_MAX) return Math.min(ms * 1000, Number.MAX_SAFE_INTEGER);
  const allowed = 'a time as ISO 8601 (2025-03-04T00:00:00Z) or in milliseconds since 1970';
  throw bad(name, `must be ${allowed}, got ${quoted(text)}`);
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return LIMIT_DEFAULT;
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > LIMIT_MAX) {
    throw bad('limit', `must be an integer from 1 to ${LIMIT_MAX}, got ${quoted(text)}`);
  }
  return limit;
}

function instrumentOf(
  instruments: readonly Instrument[],
  symbol: string | undefined,
  exchange: string | undefined,
): Instrument {
  const list = 'GET /v1/symbols lists them';
  if (symbol === undefined)
    throw bad('symbol', `is missing; it must be one of the symbols: ${list}`);
  const names = [...new Set(instruments.map((i) => i.exchange))];
  if (exchange !== undefined && !(isExchange(exchange) && names.includes(exchange))) {
    throw bad('exchange', `must be one of ${names.join(', ')}, got ${quoted(exchange)}`);
  }
  const found = instruments.filter(
    (i) => i.symbol === symbol && (exchange === undefined || i.exchange === exchange),
  );
  const [first, second] = found;
  if (first === undefined) {
    const where = exchange === undefined ? '' : ` on ${exchange}`;
    throw bad('symbol', `must be one of the symbols${where}, got ${quoted(symbol)}: ${list}`);
  }
  if (second !== undefined) {
    const listing = found.map((i) => i.exchange).join(', ');
    throw bad('exchange', `is missing; ${symbol} is on several exchanges: one of ${listing}`);
  }
  return first;
}

export function candleQuery(
  instruments: readonly Instrument[],
  timeframe: string,
  query: unknown,
): CandleRange {
  if (!isTimeframe(timeframe)) {
    throw bad('timeframe', `must be one of ${TIMEFRAMES.join(', ')}, got ${quoted(timeframe)}`);
  }
  const { symbol, exchange, start, end, limit } = parameters(query);
  const instrument = instrumentOf(instruments, symbol, exchange);
  const fromUs = start === undefined ? 0 : timeUs('start', start);
  const toUs = end === undefined ? Number.MAX_SAFE_INTEGER : timeUs('end', end);
  if (fromUs > toUs) throw bad('start', 'must not be after end');
  return {
    timeframe,
    instrument,
    fromUs,
    toUs,
    limit: limitOf(limit),
    which: start === undefined ? 'last' : 'first',
  };
}
