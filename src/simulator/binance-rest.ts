/** Binance REST: time, exchangeInfo, trades, historicalTrades, aggTrades, klines. */
import { decimalText } from '#src/simulator/decimal-text';
import { type ExactCandle, exactCandle } from '#src/simulator/exact-candle';
import { symbolIndex, type VenueState } from '#src/simulator/peer';
import { type RestAnswer, type RestHandler, wholeNumber } from '#src/simulator/rest';
import { SELL, type Tape } from '#src/simulator/tape';

const MINUTE_US = 60_000_000;
const HOUR_US = 60 * MINUTE_US;
const DAY_US = 24 * HOUR_US;

/** Intervals of fixed length; the calendar ones (1w, 1M) are not simulated. */
const INTERVAL_US: Readonly<Record<string, number>> = {
  '1s': 1_000_000,
  '1m': MINUTE_US,
  '3m': 3 * MINUTE_US,
  '5m': 5 * MINUTE_US,
  '15m': 15 * MINUTE_US,
  '30m': 30 * MINUTE_US,
  '1h': HOUR_US,
  '2h': 2 * HOUR_US,
  '4h': 4 * HOUR_US,
  '6h': 6 * HOUR_US,
  '8h': 8 * HOUR_US,
  '12h': 12 * HOUR_US,
  '1d': DAY_US,
};

const WEIGHT: Readonly<Record<string, number>> = {
  '/api/v3/ping': 1,
  '/api/v3/time': 1,
  '/api/v3/exchangeInfo': 20,
  '/api/v3/trades': 25,
  '/api/v3/historicalTrades': 25,
  '/api/v3/aggTrades': 4,
  '/api/v3/klines': 2,
};

export function binanceWeight(path: string): number {
  return WEIGHT[path] ?? 1;
}

const ok = (body: unknown): RestAnswer => ({ status: 200, body: JSON.stringify(body) });
const refuse = (code: number, msg: string): RestAnswer => ({
  status: 400,
  body: JSON.stringify({ code, msg }),
});
const illegal = (name: string): RestAnswer =>
  refuse(-1100, `Illegal characters found in parameter '${name}'.`);

export const binanceRest: RestHandler = ({ path, query, headers }, venue) => {
  const unit = String(headers['x-mbx-time-unit'] ?? '').toUpperCase();
  const unitUs = unit === 'MICROSECOND' ? 1 : 1000;
  switch (path) {
    case '/api/v3/ping':
      return ok({});
    case '/api/v3/time':
      return ok({ serverTime: Math.floor(venue.clock.nowUs() / unitUs) });
    case '/api/v3/exchangeInfo':
      return exchangeInfo(venue, query, unitUs);
    case '/api/v3/trades':
    case '/api/v3/historicalTrades':
    case '/api/v3/aggTrades':
    case '/api/v3/klines': {
      const symbol = query.get('symbol');
      if (symbol === null) {
        return refuse(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null.");
      }
      const instrument = symbolIndex(venue.market).get(symbol);
      if (instrument === undefined) return refuse(-1121, 'Invalid symbol.');
      const limit = wholeNumber(query, 'limit', 500, 1, 1000);
      if (limit === undefined) return illegal('limit');
      if (path === '/api/v3/klines') return klines(venue, instrument, query, limit, unitUs);
      if (path === '/api/v3/aggTrades') return aggTrades(venue, instrument, query, limit, unitUs);
      const history = path === '/api/v3/historicalTrades';
      return trades(venue, instrument, history ? query : undefined, limit, unitUs);
    }
    default:
      return { status: 404, body: '{"code":-1000,"msg":"Not found."}' };
  }
};

function exchangeInfo(venue: VenueState, query: URLSearchParams, unitUs: number): RestAnswer {
  const named = query.get('symbol');
  const list = query.get('symbols');
  const asked = named !== null ? [named] : list !== null ? (JSON.parse(list) as string[]) : null;
  const known = symbolIndex(venue.market);
  if (asked?.some((symbol) => !known.has(symbol))) return refuse(-1121, 'Invalid symbol.');
  const symbols = venue.market.tapes
    .map((tape) => tape.instrument)
    .filter(({ nativeSymbol }) => asked === null || asked.includes(nativeSymbol))
    .map(({ nativeSymbol, baseAsset, quoteAsset, priceDecimals, quantityDecimals }) => ({
      symbol: nativeSymbol,
      status: 'TRADING',
      baseAsset,
      baseAssetPrecision: 8,
      quoteAsset,
      quotePrecision: 8,
      quoteAssetPrecision: 8,
      orderTypes: ['LIMIT', 'MARKET'],
      isSpotTradingAllowed: true,
      filters: [
        {
          filterType: 'PRICE_FILTER',
          minPrice: decimalText(1, priceDecimals, 8),
          maxPrice: '1000000.00000000',
          tickSize: decimalText(1, priceDecimals, 8),
        },
        {
          filterType: 'LOT_SIZE',
          minQty: decimalText(1, quantityDecimals, 8),
          maxQty: '900000.00000000',
          stepSize: decimalText(1, quantityDecimals, 8),
        },
      ],
      permissionSets: [['SPOT']],
    }));
  const rateLimits = [
    { rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE', intervalNum: 1, limit: 6000 },
    { rateLimitType: 'RAW_REQUESTS', interval: 'MINUTE', intervalNum: 5, limit: 61_000 },
  ];
  const serverTime = Math.floor(venue.clock.nowUs() / unitUs);
  return ok({ timezone: 'UTC', serverTime, rateLimits, exchangeFilters: [], symbols });
}

/** With `query` the trades from its fromId on, else the newest; a too old fromId is moved up. */
function trades(
  venue: VenueState,
  instrument: number,
  query: URLSearchParams | undefined,
  limit: number,
  unitUs: number,
): RestAnswer {
  const tape = venue.market.tapes[instrument]!;
  const fromId = query?.get('fromId') ?? null;
  if (fromId !== null && !/^\d+$/.test(fromId)) return illegal('fromId');
  const rows: number[] = [];
  if (fromId === null) {
    for (let row = tape.rows - 1; row >= tape.firstRow && rows.length < limit; row--) {
      if (!tape.lost(row)) rows.unshift(row);
    }
  } else {
    const from = Math.max(tape.firstRow, Number(fromId) - tape.instrument.startId);
    for (let row = from; row < tape.rows && rows.length < limit; row++) {
      if (!tape.lost(row)) rows.push(row);
    }
  }
  const { priceDecimals, quantityDecimals } = tape.instrument;
  const decimals = priceDecimals + quantityDecimals;
  const body = rows.map((row) => {
    venue.journal.served('binance-trade', instrument, row);
    const quote = BigInt(tape.price.get(row)) * BigInt(tape.quantity.get(row));
    return {
      id: tape.id(row),
      price: decimalText(tape.price.get(row), priceDecimals, 8),
      qty: decimalText(tape.quantity.get(row), quantityDecimals, 8),
      quoteQty: decimalText(quote, decimals, 8), // truncated, as measured
      time: Math.floor(tape.time.get(row) / unitUs),
      isBuyerMaker: tape.side(row) === SELL,
      isBestMatch: true,
    };
  });
  return ok(body);
}

function aggTrades(
  venue: VenueState,
  instrument: number,
  query: URLSearchParams,
  limit: number,
  unitUs: number,
): RestAnswer {
  const tape = venue.market.tapes[instrument]!;
  const { startId, priceDecimals, quantityDecimals } = tape.instrument;
  const times = timeRange(query);
  const fromId = query.get('fromId');
  if (times === undefined) return illegal('startTime');
  if (fromId !== null && !/^\d+$/.test(fromId)) return illegal('fromId');
  const oldest = tape.firstAggregate;
  const end = tape.aggregateAtRow(tape.rowAtTime(times.endUs));
  let first = Math.max(oldest, end - limit);
  if (fromId !== null) first = Math.max(oldest, Number(fromId) - startId);
  else if (times.startUs !== undefined) first = tape.aggregateAtRow(tape.rowAtTime(times.startUs));
  const body = [];
  for (let a = first; a < Math.min(end, first + limit); a++) {
    venue.journal.served('binance-aggtrade', instrument, a);
    const row = tape.aggregateRow(a);
    const last = tape.aggregateRow(a + 1) - 1;
    let lots = 0n;
    for (let fill = row; fill <= last; fill++) lots += BigInt(tape.quantity.get(fill));
    body.push({
      a: startId + a,
      p: decimalText(tape.price.get(row), priceDecimals, 8),
      q: decimalText(lots, quantityDecimals, 8),
      f: tape.id(row),
      l: tape.id(last),
      T: Math.floor(tape.time.get(row) / unitUs),
      m: tape.side(row) === SELL,
      M: true,
    });
  }
  return ok(body);
}

/** startTime and endTime, milliseconds or microseconds, both inclusive; endUs is exclusive. */
function timeRange(
  query: URLSearchParams,
): { startUs: number | undefined; endUs: number } | undefined {
  const us = (name: string, inclusive: boolean): number | undefined => {
    const text = query.get(name);
    if (text === null) return undefined;
    const value = Number(text);
    const unitUs = text.length > 13 ? 1 : 1000;
    return (inclusive ? value + 1 : value) * unitUs;
  };
  const startUs = us('startTime', false);
  const endUs = us('endTime', true) ?? Number.MAX_SAFE_INTEGER;
  return Number.isNaN(startUs) || Number.isNaN(endUs) ? undefined : { startUs, endUs };
}

function klines(
  venue: VenueState,
  instrument: number,
  query: URLSearchParams,
  limit: number,
  unitUs: number,
): RestAnswer {
  const tape = venue.market.tapes[instrument]!;
  const lengthUs = INTERVAL_US[query.get('interval') ?? ''];
  if (lengthUs === undefined) return refuse(-1120, 'Invalid interval.');
  const times = timeRange(query);
  if (times === undefined) return illegal('startTime');
  const align = (timeUs: number): number => Math.floor(timeUs / lengthUs) * lengthUs;
  const last = Math.min(align(venue.clock.nowUs()), align(times.endUs - 1));
  const newest = last - (limit - 1) * lengthUs;
  const asked = times.startUs === undefined ? newest : align(times.startUs + lengthUs - 1);
  const opening = tape.rows === 0 ? last + lengthUs : align(tape.time.get(tape.firstRow));
  const rows = [];
  for (
    let openUs = Math.max(opening, asked);
    openUs <= last && rows.length < limit;
    openUs += lengthUs
  ) {
    const candle = exactCandle(tape, openUs, lengthUs);
    if (candle !== undefined) rows.push(klineRow(tape, candle, lengthUs, unitUs));
  }
  return ok(rows);
}

function klineRow(tape: Tape, candle: ExactCandle, lengthUs: number, unitUs: number): unknown[] {
  const { priceDecimals, quantityDecimals } = tape.instrument;
  const price = (ticks: bigint): string => decimalText(ticks, priceDecimals, 8);
  const volume = (lots: bigint): string => decimalText(lots, quantityDecimals, 8);
  const quote = (product: bigint): string =>
    decimalText(product, priceDecimals + quantityDecimals, 8);
  return [
    candle.openUs / unitUs,
    price(candle.open),
    price(candle.high),
    price(candle.low),
    price(candle.close),
    volume(candle.volume),
    (candle.openUs + lengthUs) / unitUs - 1,
    quote(candle.quoteVolume),
    candle.trades,
    volume(candle.takerBuyVolume),
    quote(candle.takerBuyQuoteVolume),
    '0',
  ];
}
