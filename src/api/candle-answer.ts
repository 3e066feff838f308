/** Candles as answers: their columns, and the forms other libraries know. */
import { CANDLE } from '#schemas/candle';
import type { Column } from '#schemas/schema';
import type { FilledCandle } from '#src/api/filled-candles';
import type { PlainRow } from '#src/query/answer-table';

/** The table's columns under the names of the API, which is what the command line shows too. */
const API_NAMES: Readonly<Record<string, string>> = {
  open_price: 'open',
  high_price: 'high',
  low_price: 'low',
  close_price: 'close',
};

/** An empty window that was asked for has none of these. */
const NULL_WHEN_EMPTY: readonly string[] = [
  'open',
  'high',
  'low',
  'close',
  'vwap',
  'first_trade_id',
  'last_trade_id',
];

export const CANDLE_ANSWER: readonly Column[] = CANDLE.columns
  .filter(({ name }) => name !== 'window_date')
  .map((column) => {
    const name = API_NAMES[column.name] ?? column.name;
    return { ...column, name, required: !NULL_WHEN_EMPTY.includes(name) };
  });

export function plainCandle(candle: FilledCandle): PlainRow {
  return {
    ...candle,
    window_start: Date.parse(candle.window_start) * 1000,
    window_end: Date.parse(candle.window_end) * 1000,
  };
}

const NAMES = CANDLE_ANSWER.map(({ name }) => name);
/** Rows are kept while their candle stays as it is (src/api/row-memo.ts), and their text with them. */
const texts = new WeakMap<FilledCandle, string>();

function candleText(candle: FilledCandle): string {
  let text = texts.get(candle);
  if (text === undefined) {
    text = JSON.stringify(candle, NAMES);
    texts.set(candle, text);
  }
  return text;
}

/** The answer as JSON, byte for byte what its schema makes of it. */
export function candlesText(answer: {
  readonly symbol: string;
  readonly exchange: string;
  readonly timeframe: string;
  readonly candles: readonly FilledCandle[];
}): string {
  const { candles, symbol, exchange, timeframe } = answer;
  const head = JSON.stringify({ symbol, exchange, timeframe });
  return `${head.slice(0, -1)},"candles":[${candles.map(candleText).join(',')}]}`;
}

/**
 * ccxt's OHLCV rows: [open time in ms, open, high, low, close, volume]. The numbers are written
 * digit by digit as they are; it is the reader that makes floats of them.
 */
export function ccxtCandles(candles: readonly FilledCandle[]): string {
  const rows = candles.map(({ window_start, open, high, low, close, volume }) => {
    const ms = Date.parse(window_start);
    return `[${[ms, open, high, low, close, volume].map((value) => value ?? 'null').join(',')}]`;
  });
  return `[${rows.join(',')}]`;
}
