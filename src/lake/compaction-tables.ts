/**
 * The tables whose files add up, and how the rows of one of their files are stored and sorted: as
 * the encoders do it. Candle tables are not here: every candle file replaces its partition's.
 */
import type { Data } from 'apache-arrow';
import { BRONZE, bronzeTable } from '#schemas/bronze';
import { DEAD_LETTER, DEAD_LETTERS } from '#schemas/dead-letter';
import { EXCHANGES, exchangeKey } from '#schemas/exchange';
import type { TableSchema } from '#schemas/schema';
import { GOLD_TRADES, silverTable, TRADE, TRADES_PER_FRAME_MAX } from '#schemas/trade';
import { BRONZE_LAYOUT } from '#src/lake/bronze-encoder';
import { DEAD_LETTER_LAYOUT } from '#src/lake/dead-letter-encoder';
import type { ParquetLayout } from '#src/lake/parquet-writer';
import {
  numberKey,
  plainTextKey,
  platformSequenceKeys,
  type SortKey,
  textKey,
  tradeIdKey,
} from '#src/lake/row-order';
import { TRADE_DICTIONARIES } from '#src/lake/trade-columns';
import { TRADE_LAYOUT } from '#src/lake/trade-encoder';

export interface CompactedTable {
  readonly name: string;
  readonly schema: TableSchema;
  /** Columns that travel as codes. */
  readonly dictionaries: readonly string[];
  readonly layout: ParquetLayout;
  /** `columns(name)`: that column of every batch. */
  readonly keys: (columns: (name: string) => readonly Data[]) => SortKey[];
}

function trades(name: string): CompactedTable {
  return {
    name,
    schema: TRADE,
    dictionaries: TRADE_DICTIONARIES,
    layout: TRADE_LAYOUT,
    keys: (columns) => [
      textKey(columns('symbol')),
      numberKey(columns('timestamp')),
      tradeIdKey(columns('trade_id')),
      textKey(columns('exchange')),
      ...platformSequenceKeys(columns('platform_sequence'), Math.log2(TRADES_PER_FRAME_MAX)),
    ],
  };
}

const ALL: readonly CompactedTable[] = [
  ...EXCHANGES.map((exchange) => ({
    name: bronzeTable(exchangeKey(exchange)),
    schema: BRONZE,
    dictionaries: ['kind'],
    layout: BRONZE_LAYOUT,
    keys: (columns: (name: string) => readonly Data[]) => [numberKey(columns('sequence'))],
  })),
  ...EXCHANGES.map((exchange) => trades(silverTable(exchangeKey(exchange)))),
  {
    name: DEAD_LETTERS,
    schema: DEAD_LETTER,
    dictionaries: [],
    layout: DEAD_LETTER_LAYOUT,
    keys: (columns) => [
      numberKey(columns('offset')),
      plainTextKey(columns('bronze_source')),
      numberKey(columns('record_index')),
    ],
  },
  trades(GOLD_TRADES),
];

/** By name. */
export const COMPACTED_TABLES: ReadonlyMap<string, CompactedTable> = new Map(
  ALL.map((table) => [table.name, table]),
);
