/** Coinbase Exchange REST: products, trades with cursors, candles. */
import { decimalText, shortDecimalText, timeText } from '#src/simulator/decimal-text';
import { exactCandle } from '#src/simulator/exact-candle';
import type { SimulatedInstrument } from '#src/simulator/instrument';
import { symbolIndex, type VenueState } from '#src/simulator/peer';
import { type RestAnswer, type RestHandler, wholeNumber } from '#src/simulator/rest';
import { SELL } from '#src/simulator/tape';

const CANDLES_MAX = 300;
const GRANULARITIES_S = [60, 300, 900, 3600, 21_600, 86_400];
const PRODUCT_PATH = /^\/products\/([^/]+)(?:\/(trades|candles))?$/;

const refuse = (status: number, message: string): RestAnswer => ({
  status,
  body: JSON.stringify({ message }),
});

export const coinbaseRest: RestHandler = ({ path, query }, venue) => {
  if (path === '/products') {
    const products = venue.market.tapes.map((tape) => product(tape.instrument));
    return { status: 200, body: JSON.stringify(products) };
  }
  if (path === '/time') {
    const nowUs = venue.clock.nowUs();
    const body = JSON.stringify({ iso: timeText(nowUs), epoch: nowUs / 1e6 });
    return { status: 200, body };
  }
  const [, id, list] = PRODUCT_PATH.exec(path) ?? [];
  const instrument = id === undefined ? undefined : symbolIndex(venue.market).get(id);
  if (instrument === undefined) return refuse(404, 'NotFound');
  if (list === 'trades') return trades(venue, instrument, query);
  if (list === 'candles') return candles(venue, instrument, query);
  const body = JSON.stringify(product(venue.market.tapes[instrument]!.instrument));
  return { status: 200, body };
};

function product(instrument: SimulatedInstrument): object {
  const { nativeSymbol, baseAsset, quoteAsset, priceDecimals, quantityDecimals } = instrument;
  return {
    id: nativeSymbol,
    base_currency: baseAsset,
    quote_currency: quoteAsset,
    quote_increment: decimalText(1, priceDecimals),
    base_increment: decimalText(1, quantityDecimals),
    display_name: nativeSymbol,
    min_market_funds: '1',
    margin_enabled: false,
    post_only: false,
    limit_only: false,
    cancel_only: false,
    status: 'online',
    status_message: '',
    trading_disabled: false,
  };
}

/** Newest first. `after` = X walks to ids below X; `before` = X asks for ids above X. */
function trades(venue: VenueState, instrument: number, query: URLSearchParams): RestAnswer {
  const tape = venue.market.tapes[instrument]!;
  const { startId, priceDecimals, quantityDecimals } = tape.instrument;
  const limit = wholeNumber(query, 'limit', 1000, 1, 1000);
  const after = wholeNumber(query, 'after', Number.MAX_SAFE_INTEGER, 0, Number.MAX_SAFE_INTEGER);
  const before = wholeNumber(query, 'before', 0, 0, Number.MAX_SAFE_INTEGER);
  if (limit === undefined || after === undefined || before === undefined) {
    return refuse(400, 'invalid page cursor');
  }
  const rows: string[] = [];
  let newest = 0;
  let oldest = 0;
  const lowest = Math.max(tape.firstRow, before - startId + 1);
  for (
    let row = Math.min(tape.rows, after - startId) - 1;
    row >= lowest && rows.length < limit;
    row--
  ) {
    if (tape.lost(row)) continue;
    venue.journal.served('coinbase', instrument, row);
    venue.journal.served('coinbase-advanced', instrument, row);
    oldest = tape.id(row);
    if (rows.length === 0) newest = oldest;
    const size = decimalText(tape.quantity.get(row), quantityDecimals, 8);
    const price = decimalText(tape.price.get(row), priceDecimals, 8);
    const side = tape.side(row) === SELL ? 'buy' : 'sell'; // the maker's
    const time = timeText(tape.time.get(row));
    rows.push(
      `{"trade_id":${oldest},"side":"${side}","size":"${size}","price":"${price}",` +
        `"time":"${time}"}`,
    );
  }
  const headers: Record<string, string> =
    rows.length === 0 ? {} : { 'cb-before': String(newest), 'cb-after': String(oldest) };
  return { status: 200, headers, body: `[${rows.join(',')}]` };
}

/** Rows [time, low, high, open, close, volume], newest first; intervals without trades left out. */
function candles(venue: VenueState, instrument: number, query: URLSearchParams): RestAnswer {
  const tape = venue.market.tapes[instrument]!;
  const { priceDecimals, quantityDecimals } = tape.instrument;
  const seconds = wholeNumber(query, 'granularity', 60, 60, 86_400);
  if (seconds === undefined || !GRANULARITIES_S.includes(seconds)) {
    return refuse(400, 'Unsupported granularity');
  }
  const lengthUs = seconds * 1e6;
  const nowUs = venue.clock.nowUs();
  const endUs = readTime(query.get('end')) ?? nowUs;
  const startUs = readTime(query.get('start')) ?? endUs - CANDLES_MAX * lengthUs;
  if (Number.isNaN(startUs) || Number.isNaN(endUs)) return refuse(400, 'invalid time');
  if ((endUs - startUs) / lengthUs > CANDLES_MAX) {
    const message = 'granularity too small for the requested time range.';
    return refuse(400, `${message} Count of aggregations requested exceeds ${CANDLES_MAX}`);
  }
  const rows: string[] = [];
  const first = Math.ceil(startUs / lengthUs) * lengthUs;
  const last = Math.floor(Math.min(endUs, nowUs) / lengthUs) * lengthUs;
  for (let openUs = last; openUs >= first && rows.length < CANDLES_MAX; openUs -= lengthUs) {
    const candle = exactCandle(tape, openUs, lengthUs);
    if (candle === undefined || candle.trades === 0) continue;
    const prices = [candle.low, candle.high, candle.open, candle.close];
    const numbers = [
      ...prices.map((ticks) => shortDecimalText(ticks, priceDecimals)),
      shortDecimalText(candle.volume, quantityDecimals),
    ];
    rows.push(`[${openUs / 1e6},${numbers.join(',')}]`);
  }
  return { status: 200, body: `[${rows.join(',')}]` };
}

/** ISO text or epoch seconds. */
function readTime(text: string | null): number | undefined {
  if (text === null) return undefined;
  return /^\d+$/.test(text) ? Number(text) * 1e6 : Date.parse(text) * 1000;
}
