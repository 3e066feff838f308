/**
 * What the product's tables hold, as the lines of tests/support/oracle/lines.ts: as DuckDB reads the Parquet
 * files that the state store names.
 */
import { DEAD_LETTERS } from '#schemas/dead-letter';
import type { Instrument } from '#schemas/instrument';
import type { StateStore } from '#src/state/store';
import { query } from '#tests/lake/duckdb';

/** Where a data directory's tables and state are. */
export interface Held {
  readonly store: StateStore;
  readonly lake: string;
  readonly instruments: readonly Instrument[];
}

/** `||` of anything and NULL is NULL: a required column that is null cannot go unnoticed. */
function line(columns: readonly string[]): string {
  return columns.map((column) => `(${column})::VARCHAR`).join(` || '|' || `);
}

const TRADE_LINE = line([
  'message_id',
  'trade_id',
  'symbol',
  'exchange',
  'asset_class',
  'epoch_us("timestamp")',
  'price',
  'quantity',
  'currency',
  'side',
  `array_to_string(trade_conditions, '+')`,
  `coalesce(source_sequence::VARCHAR, 'null')`,
  'epoch_us(ingestion_timestamp)',
  'platform_sequence',
  `array_to_string(list_transform(map_entries(vendor_data), e -> e.key || '=' || e.value), '+')`,
  'exchange_date',
  'exchange_hour',
]);

const DEAD_LETTER_LINE = line([
  'bronze_source',
  '"offset"',
  'record_index',
  'error_reason',
  'error_type',
  'epoch_us(error_timestamp)',
  'dlq_date',
  'hex(raw_record)',
]);

const CANDLE_LINE = line([
  'symbol',
  'exchange',
  'epoch_us(window_start)',
  'epoch_us(window_end)',
  'window_date',
  'open_price',
  'high_price',
  'low_price',
  'close_price',
  'volume',
  'trade_count',
  'vwap',
  'quote_volume',
  'first_trade_id',
  'last_trade_id',
  'revision',
  'is_final',
  'is_complete',
]);

/**
 * The lines of a table in the order of `orderBy`; `partition` is the folder a row belongs into. A
 * row in another partition's file is an error.
 */
async function tableLines(
  { store, lake }: Held,
  table: string,
  columns: string,
  orderBy: string,
  partition: string,
): Promise<string[]> {
  const files = Array.from(store.files(table), ({ path }) => `'${lake}/${path}'`);
  if (files.length === 0) return [];
  const from = `read_parquet([${files.join(', ')}], hive_partitioning=false, filename=true)`;
  const rows = await query(
    `SELECT ${columns} AS line, contains(filename, '/' || ${partition} || '/') AS in_place
     FROM ${from} ORDER BY ${orderBy}`,
  );
  const misplaced = rows.find(({ in_place }) => in_place !== true);
  if (misplaced !== undefined) throw new Error(`${table}: in a wrong partition: ${misplaced.line}`);
  return rows.map((row) => String(row.line));
}

/** Silver or gold rows by exchange and place in the log. */
export function tradeLines(held: Held, table: string): Promise<string[]> {
  const partition = `'exchange_date=' || exchange_date || '/exchange_hour=' || lpad(exchange_hour::VARCHAR, 2, '0')`;
  return tableLines(held, table, TRADE_LINE, 'exchange, platform_sequence', partition);
}

/** Dead letters by exchange, frame and index; the one that stands for the rest of a frame last. */
export function deadLetterLines(held: Held): Promise<string[]> {
  const orderBy = 'bronze_source, "offset", record_index < 0, record_index';
  return tableLines(held, DEAD_LETTERS, DEAD_LETTER_LINE, orderBy, `'dlq_date=' || dlq_date`);
}

/** Candles of one table by exchange, symbol and time. */
export function candleLines(held: Held, table: string): Promise<string[]> {
  const partition = table.endsWith('_1d')
    ? `'window_month=' || strftime(window_date, '%Y-%m')`
    : `'window_date=' || window_date`;
  const orderBy = 'exchange, symbol, window_start';
  return tableLines(held, table, CANDLE_LINE, orderBy, partition);
}
