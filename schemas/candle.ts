/**
 * The candle (`gold_ohlcv_<timeframe>`): exact OHLCV and VWAP of one instrument over
 * [window_start, window_end), with the columns that say how far to trust it.
 */
import { defineTable } from './schema.js';
import type { Timeframe } from './timeframe.js';

export function candleTable(timeframe: Timeframe): `gold_ohlcv_${Timeframe}` {
  return `gold_ohlcv_${timeframe}`;
}

const columns = [
  { id: 1, name: 'symbol', type: 'string', required: true, doc: 'Canonical symbol.' },
  { id: 2, name: 'exchange', type: 'string', required: true, doc: 'Exchange of the trades.' },
  {
    id: 3,
    name: 'window_start',
    type: 'timestamptz',
    required: true,
    doc: 'Inclusive start, UTC.',
  },
  { id: 4, name: 'window_end', type: 'timestamptz', required: true, doc: 'Exclusive end, UTC.' },
  { id: 5, name: 'window_date', type: 'date', required: true, doc: 'UTC date of window_start.' },
  {
    id: 6,
    name: 'open_price',
    type: 'decimal(18, 8)',
    required: true,
    doc: 'Price of the first trade by (time, trade id).',
  },
  { id: 7, name: 'high_price', type: 'decimal(18, 8)', required: true, doc: 'Highest price.' },
  { id: 8, name: 'low_price', type: 'decimal(18, 8)', required: true, doc: 'Lowest price.' },
  {
    id: 9,
    name: 'close_price',
    type: 'decimal(18, 8)',
    required: true,
    doc: 'Price of the last trade by (time, trade id).',
  },
  {
    id: 10,
    name: 'volume',
    type: 'decimal(38, 8)',
    required: true,
    doc: 'Exact sum of quantities.',
  },
  {
    id: 11,
    name: 'trade_count',
    type: 'long',
    required: true,
    doc: 'Number of trades, at least 1.',
  },
  {
    id: 12,
    name: 'vwap',
    type: 'decimal(18, 8)',
    required: true,
    doc: 'quote_volume / volume, rounded half up to 8 decimals (the only rounded value there is).',
  },
  {
    id: 13,
    name: 'quote_volume',
    type: 'decimal(38, 16)',
    required: true,
    doc: 'Exact sum of price x quantity.',
  },
  { id: 14, name: 'first_trade_id', type: 'long', required: true, doc: 'Smallest trade id in it.' },
  { id: 15, name: 'last_trade_id', type: 'long', required: true, doc: 'Largest trade id in it.' },
  {
    id: 16,
    name: 'revision',
    type: 'int',
    required: true,
    doc: '1, plus one for every trade that arrived after the window had closed and the allowed lateness had passed.',
  },
  {
    id: 17,
    name: 'is_final',
    type: 'boolean',
    required: true,
    doc: "The exchange's log has passed window_end plus the allowed lateness.",
  },
  {
    id: 18,
    name: 'is_complete',
    type: 'boolean',
    required: true,
    doc: 'Proof: every trade id from the one before the first to the one after the last is present.',
  },
] as const;

/** Candle tables up to 1h: one folder a day. */
export const CANDLE = defineTable({
  doc: 'One candle: a pure function of gold.',
  columns,
  partitionBy: ['window_date'],
  sortedBy: ['exchange', 'symbol', 'window_start'],
});
