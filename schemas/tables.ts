/** Every table there is, with its columns. */
import { BRONZE, bronzeTable } from './bronze.js';
import { CANDLE, candleTable } from './candle.js';
import { DEAD_LETTER, DEAD_LETTERS } from './dead-letter.js';
import { EXCHANGES, exchangeKey } from './exchange.js';
import type { TableSchema } from './schema.js';
import { TIMEFRAMES } from './timeframe.js';
import { GOLD_TRADES, silverTable, TRADE } from './trade.js';

/** The namespace all tables are in. */
export const NAMESPACE = 'market_data';

export interface Table {
  readonly name: string;
  readonly schema: TableSchema;
}

export const TABLES: readonly Table[] = [
  ...EXCHANGES.map((exchange) => ({ name: bronzeTable(exchangeKey(exchange)), schema: BRONZE })),
  ...EXCHANGES.map((exchange) => ({ name: silverTable(exchangeKey(exchange)), schema: TRADE })),
  { name: DEAD_LETTERS, schema: DEAD_LETTER },
  { name: GOLD_TRADES, schema: TRADE },
  ...TIMEFRAMES.map((timeframe) => ({ name: candleTable(timeframe), schema: CANDLE })),
];
