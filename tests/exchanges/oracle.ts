/**
 * What a WebSocket message or REST page means, decided with JSON.parse, BigInt, Date and regular
 * expressions: written from the exchanges' documentation, sharing no code with src/exchanges.
 * For texts that are JSON and repeat no key (JSON.parse forgets repeats).
 */
import type { Exchange } from '#schemas/exchange';
import { decimalOracle } from '../base/decimal-oracle.js';
import { instrumentsOf } from './frames.js';
import type { GoodRow, Verdict } from './rows.js';

/** A JSON number by its text: JSON.parse alone would round it. */
class NumberText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Fields = Record<string, unknown>;

function parseExactly(text: string): unknown {
  const marked = text.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) =>
    token.startsWith('"') ? token : `{"number text":"${token}"}`,
  );
  return JSON.parse(marked, (_key, value) =>
    isObject(value) && 'number text' in value
      ? new NumberText(String(value['number text']))
      : value,
  );
}

function isObject(value: unknown): value is Fields {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof NumberText)
  );
}

/** The text of a scalar; undefined for none; null for what has no text. */
function scalar(value: unknown): string | null | undefined {
  if (value === undefined || value === null) return undefined;
  if (value instanceof NumberText) return value.text;
  return typeof value === 'object' ? null : String(value);
}

interface Dialect {
  readonly symbol: (row: Fields) => unknown;
  readonly id: string;
  readonly time: string;
  readonly price: string;
  readonly quantity: string;
  readonly side: string;
  readonly sides: readonly [buy: string, sell: string];
  readonly readTime: (text: string) => bigint | undefined;
  readonly condition: (row: Fields) => number;
  readonly sequence?: (row: Fields) => unknown;
  readonly aggregate?: boolean;
}

function integer(text: string | null | undefined): number | undefined {
  if (typeof text !== 'string' || !/^\d+$/.test(text) || BigInt(text) >= 2n ** 53n)
    return undefined;
  return Number(text);
}

function epochTime(text: string): bigint | undefined {
  if (!/^(\d{13}|\d{16})$/.test(text)) return undefined;
  return text.length === 13 ? BigInt(text) * 1000n : BigInt(text);
}

function dateTime(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z$/.exec(text);
  if (match === null) return undefined;
  const date = new Date(`${match[1]}Z`);
  if (Number.isNaN(date.getTime()) || date.getTime() < 0) return undefined;
  if (date.toISOString().slice(0, 19) !== match[1]) return undefined;
  return BigInt(date.getTime()) * 1000n + BigInt((match[2] ?? '').padEnd(6, '0').slice(0, 6));
}

function secondsTime(text: string): bigint | undefined {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text);
  if (match === null) return undefined;
  return BigInt(match[1] + (match[2] ?? '').padEnd(6, '0').slice(0, 6));
}

function decimal(field: string, value: unknown): { reason: string } | { value: bigint } {
  const text = scalar(value);
  if (text === undefined) return { reason: `${field}_missing` };
  const { status, value: scaled } = decimalOracle(text ?? '');
  return status === 'ok' ? { value: scaled } : { reason: `${field}_${status}` };
}

function trade(exchange: Exchange, row: unknown, dialect: Dialect): GoodRow | string {
  if (!isObject(row)) return 'malformed_trade';
  const symbol = dialect.symbol(row);
  if (typeof symbol !== 'string') return 'symbol_missing';
  const instrument = instrumentsOf(exchange).find(({ nativeSymbol }) => nativeSymbol === symbol);
  if (instrument === undefined) return 'unknown_symbol';

  const ids = dialect.aggregate ? [row[dialect.id], row.f, row.l] : [row[dialect.id]];
  if (ids.some((each) => scalar(each) === undefined)) return 'trade_id_missing';
  const [tradeId, firstId = 0, lastId = 0] = ids.map((each) => integer(scalar(each)) ?? -1);
  if (tradeId < 0 || firstId < 0 || lastId < firstId) return 'trade_id_invalid';

  const timeText = scalar(row[dialect.time]);
  if (timeText === undefined) return 'timestamp_missing';
  const time = timeText === null ? undefined : dialect.readTime(timeText);
  if (time === undefined || time >= 2n ** 53n) return 'timestamp_invalid';

  const price = decimal('price', row[dialect.price]);
  if ('reason' in price) return price.reason;
  const quantity = decimal('quantity', row[dialect.quantity]);
  if ('reason' in quantity) return quantity.reason;

  const sideText = scalar(row[dialect.side]);
  if (sideText === undefined) return 'side_missing';
  const side = dialect.sides.indexOf(sideText ?? '');
  if (side < 0) return 'side_invalid';
  return {
    instrument: instrument.code,
    tradeId,
    timeUs: Number(time),
    price: price.value,
    quantity: quantity.value,
    side,
    condition: dialect.condition(row),
    sourceSequence: integer(scalar(dialect.sequence?.(row))) ?? -1,
    firstId,
    lastId,
  };
}

const CONTROL: Verdict = { class: 'control' };
const UNRECOGNISED: Verdict = { class: 'dead', reason: 'unrecognised_frame' };

function trades(exchange: Exchange, rows: readonly unknown[], dialect: Dialect): Verdict {
  return { class: 'trades', rows: rows.map((row) => trade(exchange, row, dialect)) };
}

const MAKER_FLAG = { side: 'm', sides: ['false', 'true'] } as const;

function binanceEvent(aggregate: boolean): Dialect {
  return {
    ...MAKER_FLAG,
    symbol: (row) => row.s,
    id: aggregate ? 'a' : 't',
    time: 'T',
    price: 'p',
    quantity: 'q',
    readTime: epochTime,
    condition: () => (aggregate ? 1 : 0),
    aggregate,
  };
}

function binanceMessage(frame: unknown, aggregate: boolean): Verdict {
  if (!isObject(frame)) return UNRECOGNISED;
  let event: unknown = frame;
  if ('stream' in frame) {
    if (typeof frame.stream !== 'string' || !('data' in frame) || 'e' in frame) return UNRECOGNISED;
    event = frame.data;
    const own = frame.stream.endsWith(aggregate ? '@aggTrade' : '@trade');
    if (!isObject(event) && own) return { class: 'trades', rows: ['malformed_trade'] };
    if (!isObject(event) || !('e' in event)) {
      return /@(trade|aggTrade)$/.test(frame.stream) ? UNRECOGNISED : CONTROL;
    }
  }
  const fields = event as Fields;
  if (fields.e === (aggregate ? 'aggTrade' : 'trade')) {
    return trades('BINANCE', [event], binanceEvent(aggregate));
  }
  if (fields.e === 'trade' || fields.e === 'aggTrade') {
    return { class: 'dead', reason: 'wrong_stream_kind' };
  }
  if ('e' in fields) return typeof fields.e === 'string' ? CONTROL : UNRECOGNISED;
  const keys = ['result', 'error', 'code', 'lastUpdateId', 'u'];
  return keys.some((key) => key in fields) ? CONTROL : UNRECOGNISED;
}

const KRAKEN: Dialect = {
  symbol: (row) => row.symbol,
  id: 'trade_id',
  time: 'timestamp',
  price: 'price',
  quantity: 'qty',
  side: 'side',
  sides: ['buy', 'sell'],
  readTime: dateTime,
  condition: (row) => ({ market: 8, limit: 16 })[String(row.ord_type)] ?? 0,
};

function krakenMessage(frame: unknown): Verdict {
  if (!isObject(frame)) return UNRECOGNISED;
  if (frame.channel === 'trade') {
    if (!Array.isArray(frame.data)) return UNRECOGNISED;
    if (frame.type !== 'update' && frame.type !== 'snapshot') return UNRECOGNISED;
    const snapshot = frame.type === 'snapshot' ? 2 : 0;
    const condition = (row: Fields) => snapshot | KRAKEN.condition(row);
    return trades('KRAKEN', frame.data, { ...KRAKEN, condition });
  }
  if ('channel' in frame) return typeof frame.channel === 'string' ? CONTROL : UNRECOGNISED;
  const keys = ['method', 'error', 'event', 'errorMessage'];
  return keys.some((key) => key in frame) ? CONTROL : UNRECOGNISED;
}

/** `sell` is the maker's side of a buy. */
const COINBASE: Dialect = {
  symbol: (row) => row.product_id,
  id: 'trade_id',
  time: 'time',
  price: 'price',
  quantity: 'size',
  side: 'side',
  sides: ['sell', 'buy'],
  readTime: dateTime,
  condition: (row) => (row.type === 'last_match' ? 2 : 0),
  sequence: (row) => row.sequence,
};

function coinbaseMessage(frame: unknown): Verdict {
  if (!isObject(frame)) return UNRECOGNISED;
  const match = frame.type === 'match' || frame.type === 'last_match';
  if (frame.channel === 'market_trades') return match ? UNRECOGNISED : marketTrades(frame);
  if (match) return trades('COINBASE', [frame], COINBASE);
  const recognised = typeof frame.type === 'string' || typeof frame.channel === 'string';
  return recognised ? CONTROL : UNRECOGNISED;
}

function marketTrades(frame: Fields): Verdict {
  if (!Array.isArray(frame.events)) return UNRECOGNISED;
  const rows: (GoodRow | string)[] = [];
  for (const event of frame.events) {
    if (!isObject(event) || !Array.isArray(event.trades)) return UNRECOGNISED;
    if (event.type !== 'update' && event.type !== 'snapshot') return UNRECOGNISED;
    const dialect: Dialect = {
      ...COINBASE,
      sides: ['SELL', 'BUY'],
      condition: () => (event.type === 'snapshot' ? 2 : 0),
      sequence: () => frame.sequence_num,
    };
    rows.push(...event.trades.map((row: unknown) => trade('COINBASE', row, dialect)));
  }
  return { class: 'trades', rows };
}

export function messageOracle(exchange: Exchange, text: string, aggregate: boolean): Verdict {
  const frame = parseExactly(text);
  switch (exchange) {
    case 'BINANCE':
      return binanceMessage(frame, aggregate);
    case 'KRAKEN':
      return krakenMessage(frame);
    case 'COINBASE':
      return coinbaseMessage(frame);
  }
}

/** Pages whose rows are there; what else a page can be is tested case by case. */
export function pageOracle(
  exchange: Exchange,
  symbol: string,
  body: string,
  aggregate: boolean,
): Verdict {
  const page = parseExactly(body);
  switch (exchange) {
    case 'BINANCE': {
      const row = { id: 'id', time: 'time', price: 'price', quantity: 'qty', side: 'isBuyerMaker' };
      const dialect = {
        ...binanceEvent(aggregate),
        ...(aggregate ? {} : row),
        symbol: () => symbol,
      };
      return trades(exchange, page as unknown[], dialect);
    }
    case 'KRAKEN': {
      const { result } = page as { result: Fields };
      const key = Object.keys(result).find((each) => each !== 'last') as string;
      const names = ['price', 'qty', 'timestamp', 'side', 'type', 'misc', 'trade_id'];
      const rows = (result[key] as unknown[]).map((row) =>
        Array.isArray(row) ? Object.fromEntries(row.map((each, i) => [names[i], each])) : row,
      );
      return trades(exchange, rows, {
        ...KRAKEN,
        symbol: () => symbol,
        sides: ['b', 's'],
        readTime: secondsTime,
        condition: (row) => ({ m: 8, l: 16 })[String(row.type)] ?? 0,
      });
    }
    case 'COINBASE':
      return trades(exchange, page as unknown[], {
        ...COINBASE,
        symbol: () => symbol,
        condition: () => 0,
        sequence: () => undefined,
      });
  }
}
