/**
 * The V2 trade: 17 columns, the same in silver (`silver_<exchange>_trades`: validated, duplicates
 * still in) and gold (`gold_crypto_trades`: every trade exactly once).
 */
import type { ExchangeKey } from './exchange.js';
import { type Column, defineTable } from './schema.js';

export const TRADE = defineTable({
  doc: 'One match on one exchange, as the exchange reported it.',
  columns: [
    {
      id: 1,
      name: 'message_id',
      type: 'string',
      required: true,
      doc: 'Deterministic UUIDv8 of (exchange, symbol, trade id): the same trade always has the same one.',
    },
    {
      id: 2,
      name: 'trade_id',
      type: 'string',
      required: true,
      doc: 'Exchange name and its own trade id, such as BINANCE-123.',
    },
    {
      id: 3,
      name: 'symbol',
      type: 'string',
      required: true,
      doc: 'Canonical symbol without a separator, such as BTCUSD.',
    },
    {
      id: 4,
      name: 'exchange',
      type: 'string',
      required: true,
      doc: 'BINANCE, KRAKEN or COINBASE.',
    },
    { id: 5, name: 'asset_class', type: 'string', required: true, doc: 'Always crypto.' },
    {
      id: 6,
      name: 'timestamp',
      type: 'timestamptz',
      required: true,
      doc: 'When the match happened, by the exchange, in microseconds UTC.',
    },
    { id: 7, name: 'price', type: 'decimal(18, 8)', required: true, doc: 'Exact, never rounded.' },
    {
      id: 8,
      name: 'quantity',
      type: 'decimal(18, 8)',
      required: true,
      doc: 'Base asset amount, exact, never rounded.',
    },
    { id: 9, name: 'currency', type: 'string', required: true, doc: 'Quote asset: USDT, USD.' },
    {
      id: 10,
      name: 'side',
      type: 'string',
      required: true,
      doc: 'Side of the aggressor (taker): BUY or SELL.',
    },
    {
      id: 11,
      name: 'trade_conditions',
      type: { list: 'string', elementId: 18 },
      required: true,
      doc: 'Conditions the exchange or the importer attached (see TRADE_CONDITIONS); usually empty.',
    },
    {
      id: 12,
      name: 'source_sequence',
      type: 'long',
      required: false,
      doc: "The exchange's own message sequence where it sends one (Coinbase), else null.",
    },
    {
      id: 13,
      name: 'ingestion_timestamp',
      type: 'timestamptz',
      required: true,
      doc: 'When the frame arrived here, in microseconds UTC.',
    },
    {
      id: 14,
      name: 'platform_sequence',
      type: 'long',
      required: true,
      doc: 'Position in the bronze log: frame sequence x 131072 + index of the trade in its frame.',
    },
    {
      id: 15,
      name: 'vendor_data',
      type: { map: ['string', 'string'], keyId: 19, valueId: 20 },
      required: true,
      doc: 'Exchange-specific extras: first_trade_id and last_trade_id of a Binance aggregate trade.',
    },
    {
      id: 16,
      name: 'exchange_date',
      type: 'date',
      required: true,
      doc: 'UTC date of timestamp (partition).',
    },
    {
      id: 17,
      name: 'exchange_hour',
      type: 'int',
      required: true,
      doc: 'UTC hour of timestamp, 0 to 23 (partition).',
    },
  ],
  partitionBy: ['exchange_date', 'exchange_hour'],
  sortedBy: ['symbol', 'timestamp'],
});

/** The column of a trade with this name; there has to be one. */
export function tradeColumn(name: string): Column {
  return TRADE.columns.find((column) => column.name === name) as Column;
}

export const GOLD_TRADES = 'gold_crypto_trades';

export function silverTable(exchange: ExchangeKey): `silver_${ExchangeKey}_trades` {
  return `silver_${exchange}_trades`;
}

export const SIDES = ['BUY', 'SELL'] as const;

/**
 * Trade conditions by bit number: bit i of a trade's condition byte puts name i into its list.
 * `aggregate`: Binance aggTrade, the fills of one taker order at one price. `snapshot`: came in a
 * (re)subscription snapshot. `imported`: came from a file, not from a live connection.
 */
export const TRADE_CONDITIONS = [
  'aggregate',
  'snapshot',
  'imported',
  'market_order',
  'limit_order',
] as const;

export const CONDITION_AGGREGATE = 1;
export const CONDITION_SNAPSHOT = 2;
export const CONDITION_IMPORTED = 4;
export const CONDITION_MARKET_ORDER = 8;
export const CONDITION_LIMIT_ORDER = 16;

/** platform_sequence = frame sequence x this + index of the trade in the frame. A 4 MiB frame holds
 * fewer trades than this (a trade takes more than 32 bytes). */
export const TRADES_PER_FRAME_MAX = 131_072;
