/**
 * Frames that come after the fact: recordings and rows of files that fill gaps, spelled as no
 * exchange spells them (any key order, white space, escapes, exponents), and replayed dead letters.
 */
import type { Exchange } from '#schemas/exchange';
import type { Feed } from '#src/simulator/frame-format';
import type { Journal, JournalTrade } from '#src/simulator/journal';
import type { Frame } from '#tests/pipeline/logs';
import { FRAME_KIND } from '#tests/support/oracle/frames';
import type { OracleDeadLetter } from '#tests/support/oracle/oracle';

/** Every second trade that no connection and no page has brought. */
export function* recordings(journal: Journal, feed: Feed, nowUs: number): Generator<Frame> {
  let missing = 0;
  for (const trade of journal.trades(feed)) {
    if (trade.sends > 0 || trade.served || missing++ % 2 === 1) continue;
    const aggregate = feed === 'binance-aggtrade';
    const csv = trade.exchange === 'BINANCE' && missing % 4 === 1;
    const text = csv ? csvRow(trade, aggregate) : MESSAGE[trade.exchange](trade, aggregate);
    yield {
      bytes: Buffer.from(text),
      kind: csv ? FRAME_KIND.csv : FRAME_KIND.import,
      connection: 0,
      receiveTimeUs: nowUs,
    };
  }
}

/** Dead letters as `bullion dlq replay` appends them: with their first receive time. */
export function* replays(letters: readonly OracleDeadLetter[]): Generator<Frame> {
  for (const { raw, receiveTimeUs } of letters) {
    yield { bytes: raw, kind: FRAME_KIND.replay, connection: 0, receiveTimeUs };
  }
}

/** Live frames as if read from a recording; pages stay what they are. */
export function* imported(frames: Iterable<Frame>): Generator<Frame> {
  for (const frame of frames) {
    yield frame.kind === FRAME_KIND.ws ? { ...frame, kind: FRAME_KIND.import } : frame;
  }
}

/** `12.5` as `1250E-2`. */
function withExponent(decimal: string): string {
  const [whole = '', fraction = ''] = decimal.split('.');
  const digits = `${whole}${fraction}00`.replace(/^0+(?=\d)/, '');
  return `${digits}E-${fraction.length + 2}`;
}

function isoTime(timeUs: number): string {
  const [date] = new Date(Math.floor(timeUs / 1000)).toISOString().split('.');
  return `${date}.${String(timeUs % 1_000_000).padStart(6, '0')}999Z`;
}

const MESSAGE: Readonly<Record<Exchange, (trade: JournalTrade, aggregate: boolean) => string>> = {
  BINANCE: ({ id, firstId, lastId, nativeSymbol, timeUs, price, quantity, side }, aggregate) => {
    const ids = aggregate ? `"a":${id},"f":${firstId},"l":"${lastId}"` : `"t":"${id}"`;
    return (
      ` {"m" : ${side === 'SELL'},\n"q":${withExponent(quantity)},"\\u0073":"${nativeSymbol}",` +
      `"p":"${price}0","T":${timeUs},${ids},"e":"${aggregate ? 'aggTrade' : 'trade'}","x":{"y":[null]}} `
    );
  },
  KRAKEN: ({ id, nativeSymbol, timeUs, price, quantity, side }) =>
    `{"data":[{"symbol":"${nativeSymbol.replace('/', '\\/')}","trade_id":"${id}",` +
    `"price":"${withExponent(price)}","qty":${quantity},"timestamp":"${isoTime(timeUs)}",` +
    `"side":"${side.toLowerCase()}","ord_type":"iceberg"}],"type":"update","channel":"trade"}`,
  COINBASE: ({ id, nativeSymbol, timeUs, price, quantity, side }) =>
    `{"side":"${side === 'BUY' ? 'sell' : 'buy'}","product_id":"${nativeSymbol}",\t` +
    `"size":"${quantity}","price":${withExponent(price)},"trade_id":"00${id}",` +
    `"time":"${isoTime(timeUs)}","type":"match"}`,
};

/** A row of a public file with its columns in an order of its own. */
function csvRow(trade: JournalTrade, aggregate: boolean): string {
  const { id, firstId, lastId, nativeSymbol, timeUs, price, quantity, side } = trade;
  const maker = side === 'SELL' ? 'True' : 'False';
  const row = `,x,${id},${quantity},${price},${timeUs},${maker}`;
  return aggregate
    ? `${nativeSymbol} aggTrades 2,4,3,5,6,7,0\n${lastId}${row},${firstId}`
    : `${nativeSymbol} trades 2,4,3,5,6\n${row}\r\n`;
}

/** Texts for a price or a quantity at the edge of what is allowed, on both sides of it. */
const EDGE_DECIMALS = [
  '10000000000',
  '9999999999.99999999',
  '9999999999.999999990',
  '0.00000001',
  '0.000000010000',
  '0.000000001',
  '1e-8',
  '1E-9',
  '1e+9',
  '9.5e9',
  '1e10',
  '1e999999999',
  '0e-999999999',
  '100000000000e-2',
  '0.0',
  '-0',
  '-0.000000001',
  '-12345678901',
  '12345678901.123456789',
  '90071992.54740993',
  '123456.78901234',
] as const;

/** The same as strings only: no JSON numbers. */
const EDGE_STRINGS = [
  '',
  ' 1',
  '1 ',
  '01',
  '.5',
  '5.',
  '+1',
  '0x10',
  '1e',
  'NaN',
  '1_000',
] as const;

/** Frames with edge decimals, of an instrument that nothing else trades; ids from 1 on, and 2^53 - 1. */
export function* edges(exchange: Exchange, nativeSymbol: string, nowUs: number): Generator<Frame> {
  const pairs: string[][] = [];
  for (const text of EDGE_DECIMALS) pairs.push([text, '2.5'], ['0.3', text]);
  if (exchange !== 'KRAKEN') {
    for (const text of EDGE_STRINGS) pairs.push([text, '2.5'], ['0.3', text]);
  }
  const trades = pairs.map(([price = '', quantity = ''], i) => ({
    nativeSymbol,
    price,
    quantity,
    id: i === 3 ? Number.MAX_SAFE_INTEGER : i + 1,
    timeUs: nowUs - 1000 * (pairs.length - i),
  }));
  const texts =
    exchange === 'KRAKEN'
      ? // A bad row first; then the same again and again: duplicates, and more than 64 bad ones.
        [trades, [...trades, ...trades, ...trades, ...trades]].map(
          (rows) => `{"channel":"trade","type":"update","data":[${rows.map(EDGE.KRAKEN).join()}]}`,
        )
      : trades.map(EDGE[exchange]);
  for (const text of texts) {
    const bytes = Buffer.from(text);
    yield { bytes, kind: FRAME_KIND.ws, connection: 9, receiveTimeUs: nowUs };
  }
}

/**
 * Trades of one instrument at the very microsecond where a rule changes its mind, and one before and
 * after it. Starts with the minute after `nowUs`; the log ends at the microsecond that makes a window
 * final, or one before. Needs an instrument without trades before.
 */
export function* boundaries(
  exchange: Exchange,
  nativeSymbol: string,
  nowUs: number,
  latenessUs: number,
  isFinal: boolean,
): Generator<Frame> {
  let id = 0;
  const frame = (timeUs: number, receiveTimeUs: number): Frame => {
    const trade = { nativeSymbol, price: '10', quantity: '1', id: ++id, timeUs };
    const record = EDGE[exchange](trade);
    const text =
      exchange === 'KRAKEN' ? `{"channel":"trade","type":"update","data":[${record}]}` : record;
    return { bytes: Buffer.from(text), kind: FRAME_KIND.ws, connection: 9, receiveTimeUs };
  };
  const page = (timeUs: number, receiveTimeUs: number): Frame => {
    const body = PAGE[exchange]({ nativeSymbol, price: '10', quantity: '1', id: ++id, timeUs });
    const bytes = Buffer.from(`${nativeSymbol}\n${body}`);
    return { bytes, kind: FRAME_KIND.rest, connection: 0, receiveTimeUs };
  };
  // Binance times are in microseconds here, too: 16 digits.
  const minute = Math.ceil(nowUs / MINUTE_US) * MINUTE_US;
  const closedUs = minute + MINUTE_US + latenessUs;
  for (const offUs of [-1, 0, 1]) {
    // The age limit, and the tolerance for clocks that run ahead.
    for (const live of [frame, page]) {
      yield live(minute + offUs - AGE_LIMIT_US, minute);
      yield live(minute + offUs + FUTURE_TOLERANCE_US, minute);
    }
  }
  // The window's own ends: its first and last microsecond, and those beside them.
  for (const timeUs of [minute - 1, minute, minute + MINUTE_US - 1, minute + MINUTE_US]) {
    yield frame(timeUs, minute + MINUTE_US);
  }
  // Late by receive time: from `closedUs` on.
  for (const offUs of [-1, 0, 1]) yield frame(minute + 1000, closedUs + offUs);
  // Late by event time: the next minute's window, while the newest trade comes up to its limit.
  for (const offUs of [-1, 0, 1]) {
    const nextUs = closedUs + MINUTE_US + offUs - FUTURE_TOLERANCE_US;
    yield frame(closedUs + MINUTE_US + offUs, nextUs);
    yield frame(minute + MINUTE_US + 1000, nextUs);
  }
  const finalUs = minute + 5 * MINUTE_US + latenessUs;
  yield frame(minute + 4 * MINUTE_US, finalUs + (isFinal ? 0 : -1));
}

const MINUTE_US = 60_000_000;
const FUTURE_TOLERANCE_US = 5_000_000;
const AGE_LIMIT_US = 365 * 86_400_000_000;

interface EdgeTrade {
  readonly nativeSymbol: string;
  readonly price: string;
  readonly quantity: string;
  readonly id: number;
  readonly timeUs: number;
}

const EDGE: Readonly<Record<Exchange, (trade: EdgeTrade) => string>> = {
  BINANCE: ({ nativeSymbol, price, quantity, id, timeUs }) =>
    `{"e":"trade","E":${timeUs},"s":"${nativeSymbol}","t":${id},"p":"${price}","q":"${quantity}",` +
    `"T":${timeUs},"m":true,"M":true}`,
  KRAKEN: ({ nativeSymbol, price, quantity, id, timeUs }) =>
    `{"symbol":"${nativeSymbol}","side":"buy","price":${price},"qty":${quantity},` +
    `"ord_type":"limit","trade_id":${id},"timestamp":"${isoTime(timeUs)}"}`,
  COINBASE: ({ nativeSymbol, price, quantity, id, timeUs }) =>
    `{"type":"match","trade_id":${id},"side":"sell","size":"${quantity}","price":"${price}",` +
    `"product_id":"${nativeSymbol}","sequence":${id},"time":"${isoTime(timeUs)}"}`,
};

/** The same as a page of the REST API. */
const PAGE: Readonly<Record<Exchange, (trade: EdgeTrade) => string>> = {
  BINANCE: ({ price, quantity, id, timeUs }) =>
    `[{"id":${id},"price":"${price}","qty":"${quantity}","time":${timeUs},"isBuyerMaker":false}]`,
  KRAKEN: ({ price, quantity, id, timeUs }) => {
    const time = `${Math.floor(timeUs / 1e6)}.${String(timeUs % 1_000_000).padStart(6, '0')}`;
    const row = `["${price}","${quantity}",${time},"b","m","",${id}]`;
    return `{"error":[],"result":{"XXNAME":[${row}],"last":"1"}}`;
  },
  COINBASE: ({ price, quantity, id, timeUs }) =>
    `[{"trade_id":${id},"side":"buy","size":"${quantity}","price":"${price}",` +
    `"time":"${isoTime(timeUs)}"}]`,
};
