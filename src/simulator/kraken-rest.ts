/** Kraken REST: Time, Trades, AssetPairs, OHLC. Errors come with HTTP 200. */
import { mix32 } from '#src/base/random';
import { decimalText } from '#src/simulator/decimal-text';
import { exactCandle } from '#src/simulator/exact-candle';
import type { SimulatedInstrument } from '#src/simulator/instrument';
import type { VenueState } from '#src/simulator/peer';
import { type RestAnswer, type RestHandler, wholeNumber } from '#src/simulator/rest';
import { SELL, type Tape } from '#src/simulator/tape';

const ROWS_MAX = 720;
const INTERVALS_MIN = [1, 5, 15, 30, 60, 240, 1440, 10_080, 21_600];

const OLD_NAME: Readonly<Record<string, string>> = { BTC: 'XBT', DOGE: 'XDG' };
/** Assets of the first years carry an X or Z in REST keys: XXBTZUSD, but SOLUSD. */
const OLD_CRYPTO = new Set(['XBT', 'ETH', 'LTC', 'XRP', 'XLM', 'XMR', 'ZEC', 'ETC', 'REP']);
const OLD_FIAT = new Set(['USD', 'EUR', 'GBP', 'JPY', 'CAD']);

interface PairNames {
  readonly key: string;
  readonly altname: string;
  readonly wsname: string;
}

function krakenNames({ baseAsset, quoteAsset }: SimulatedInstrument): PairNames {
  const base = OLD_NAME[baseAsset] ?? baseAsset;
  const quote = OLD_NAME[quoteAsset] ?? quoteAsset;
  const old = OLD_CRYPTO.has(base) && OLD_FIAT.has(quote);
  const altname = `${base}${quote}`;
  return { key: old ? `X${base}Z${quote}` : altname, altname, wsname: `${base}/${quote}` };
}

const error = (text: string): RestAnswer => ({
  status: 200,
  body: JSON.stringify({ error: [text] }),
});
const result = (json: string): RestAnswer => ({
  status: 200,
  body: `{"error":[],"result":${json}}`,
});

export const krakenRest: RestHandler = ({ path, query }, venue) => {
  switch (path) {
    case '/0/public/Time':
      return result(`{"unixtime":${Math.floor(venue.clock.nowUs() / 1e6)}}`);
    case '/0/public/AssetPairs':
      return assetPairs(venue, query);
    case '/0/public/Trades':
    case '/0/public/OHLC': {
      const instrument = findPair(venue, query.get('pair') ?? '');
      if (instrument < 0) return error('EQuery:Unknown asset pair');
      return path === '/0/public/Trades'
        ? trades(venue, instrument, query)
        : ohlc(venue, instrument, query);
    }
    default:
      return { status: 404, body: '{"error":["EGeneral:Unknown method"]}' };
  }
};

function findPair(venue: VenueState, pair: string): number {
  return venue.market.tapes.findIndex(({ instrument }) => {
    const { key, altname, wsname } = krakenNames(instrument);
    return [instrument.nativeSymbol, key, altname, wsname].includes(pair);
  });
}

function assetPairs(venue: VenueState, query: URLSearchParams): RestAnswer {
  const asked = query.get('pair')?.split(',');
  const found = asked?.map((pair) => findPair(venue, pair));
  if (found?.includes(-1)) return error('EQuery:Unknown asset pair');
  const pairs = venue.market.tapes
    .filter((_, index) => found === undefined || found.includes(index))
    .map(({ instrument }) => {
      const { key, altname, wsname } = krakenNames(instrument);
      const [base, quote] = wsname.split('/') as [string, string];
      const { priceDecimals, quantityDecimals } = instrument;
      const old = key !== altname;
      return [
        key,
        {
          altname,
          wsname,
          aclass_base: 'currency',
          base: old ? `X${base}` : base,
          aclass_quote: 'currency',
          quote: OLD_FIAT.has(quote) ? `Z${quote}` : quote,
          cost_decimals: 5,
          pair_decimals: priceDecimals,
          lot_decimals: quantityDecimals,
          lot_multiplier: 1,
          fee_volume_currency: 'ZUSD',
          margin_call: 80,
          margin_stop: 40,
          ordermin: decimalText(1, quantityDecimals),
          costmin: '0.5',
          tick_size: decimalText(1, priceDecimals),
          status: 'online',
        },
      ] as const;
    });
  return result(JSON.stringify(Object.fromEntries(pairs)));
}

/**
 * The exchange's own nanoseconds: finer than what the feed shows, equal for equal microseconds, and
 * below 950 so that the 100 ns rounding of the row's time never reaches the next microsecond.
 */
function nanoseconds(timeUs: number): bigint {
  return BigInt(timeUs) * 1000n + BigInt(mix32(timeUs, 0) % 950);
}

/** Rows after `since` (nanoseconds, or seconds), oldest first. */
function trades(venue: VenueState, instrument: number, query: URLSearchParams): RestAnswer {
  const tape = venue.market.tapes[instrument]!;
  const sinceText = query.get('since');
  const count = wholeNumber(query, 'count', 1000, 1, 1000);
  if (count === undefined || (sinceText !== null && !/^\d+$/.test(sinceText))) {
    return error('EGeneral:Invalid arguments');
  }
  let row = Math.max(tape.firstRow, tape.rows - count);
  let since = -1n;
  if (sinceText !== null) {
    const given = BigInt(sinceText);
    since = given < 100_000_000_000n ? given * 1_000_000_000n : given;
    row = tape.rowAtTime(Number(since / 1000n));
  }
  const { priceDecimals, quantityDecimals } = tape.instrument;
  const rows: string[] = [];
  let last = since < 0n ? 0n : since;
  for (; row < tape.rows && rows.length < count; row++) {
    const ns = nanoseconds(tape.time.get(row));
    if (tape.lost(row) || ns <= since) continue;
    venue.journal.served('kraken', instrument, row);
    last = ns;
    const price = decimalText(tape.price.get(row), priceDecimals, Math.max(5, priceDecimals));
    const volume = decimalText(tape.quantity.get(row), quantityDecimals, 8);
    const side = tape.side(row) === SELL ? 's' : 'b';
    const type = tape.marketOrder(row) ? 'm' : 'l';
    rows.push(`["${price}","${volume}",${rowTime(ns)},"${side}","${type}","",${tape.id(row)}]`);
  }
  const { key } = krakenNames(tape.instrument);
  return result(`{"${key}":[${rows.join(',')}],"last":"${last}"}`);
}

/** Seconds with at most seven decimals, without trailing zeros: a JSON number. */
function rowTime(ns: bigint): string {
  return decimalText((ns + 50n) / 100n, 7).replace(/\.?0+$/, '');
}

function ohlc(venue: VenueState, instrument: number, query: URLSearchParams): RestAnswer {
  const tape = venue.market.tapes[instrument]!;
  const minutes = wholeNumber(query, 'interval', 1, 1, 21_600);
  const since = wholeNumber(query, 'since', 0, 0, Number.MAX_SAFE_INTEGER);
  if (minutes === undefined || !INTERVALS_MIN.includes(minutes) || since === undefined) {
    return error('EGeneral:Invalid arguments');
  }
  const lengthUs = minutes * 60_000_000;
  const running = Math.floor(venue.clock.nowUs() / lengthUs) * lengthUs;
  const rows: string[] = [];
  // 720 committed rows at most, whatever `since`; the last one is still running.
  for (let openUs = running - ROWS_MAX * lengthUs; openUs <= running; openUs += lengthUs) {
    const row = openUs < since * 1e6 ? undefined : ohlcRow(tape, openUs, lengthUs);
    if (row !== undefined) rows.push(row);
  }
  const { key } = krakenNames(tape.instrument);
  return result(`{"${key}":[${rows.join(',')}],"last":${(running - lengthUs) / 1e6}}`);
}

function ohlcRow(tape: Tape, openUs: number, lengthUs: number): string | undefined {
  const candle = exactCandle(tape, openUs, lengthUs);
  if (candle === undefined) return undefined;
  const { priceDecimals, quantityDecimals } = tape.instrument;
  const prices = [candle.open, candle.high, candle.low, candle.close].map((ticks) =>
    decimalText(ticks, priceDecimals),
  );
  const vwap = candle.volume === 0n ? 0n : candle.quoteVolume / candle.volume;
  const texts = [
    ...prices,
    decimalText(vwap, priceDecimals),
    decimalText(candle.volume, quantityDecimals, 8),
  ];
  return `[${openUs / 1e6},${texts.map((text) => `"${text}"`).join(',')},${candle.trades}]`;
}
