/**
 * Every table as Iceberg sees it: its columns (schemas/*), how it is partitioned, and which columns
 * make a row unique. The partition folder a data file lies in is ours; readers go by the tuple in
 * the manifest, which is worked out here from the time span the folder stands for.
 */
import { BRONZE, bronzeTable } from '#schemas/bronze';
import { CANDLE, candleTable } from '#schemas/candle';
import { DEAD_LETTER, DEAD_LETTERS } from '#schemas/dead-letter';
import { EXCHANGES, exchangeKey } from '#schemas/exchange';
import type { TableSchema } from '#schemas/schema';
import { TIMEFRAMES, type Timeframe } from '#schemas/timeframe';
import { GOLD_TRADES, silverTable, TRADE } from '#schemas/trade';
import { assert } from '#src/base/errors';
import { dayOf, HOUR_US, partitionSpan } from '#src/lake/partition';

/** The one namespace all tables are in. */
export const NAMESPACE = 'market_data';

export interface PartitionField {
  readonly name: string;
  /** The column the value comes from. */
  readonly source: string;
  readonly transform: 'identity' | 'day' | 'month';
  readonly type: 'date' | 'int';
  /** The value of every row of a partition that starts at this time. */
  readonly valueAt: (startUs: number) => number;
}

export interface TableDefinition {
  readonly name: string;
  readonly schema: TableSchema;
  readonly partition: readonly PartitionField[];
  /** Columns that no two rows have the same values in. */
  readonly unique: readonly string[];
  /** Whether a row once written can be another in a later snapshot: true of candles. */
  readonly rowsChange: boolean;
}

/** A partition's values, in the order of the partition fields. */
export type PartitionTuple = readonly number[];

function dateColumn(column: string): PartitionField {
  return { name: column, source: column, transform: 'identity', type: 'date', valueAt: dayOf };
}

function hourColumn(column: string): PartitionField {
  const valueAt = (startUs: number): number => {
    const hours = Math.floor(startUs / HOUR_US);
    return hours - 24 * Math.floor(hours / 24);
  };
  return { name: column, source: column, transform: 'identity', type: 'int', valueAt };
}

function dayOfTime(column: string): PartitionField {
  const name = `${column}_day`;
  return { name, source: column, transform: 'day', type: 'date', valueAt: dayOf };
}

function monthOfTime(column: string): PartitionField {
  const valueAt = (startUs: number): number => {
    const date = new Date(startUs / 1000);
    return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
  };
  return { name: `${column}_month`, source: column, transform: 'month', type: 'int', valueAt };
}

const byHour = [dateColumn('exchange_date'), hourColumn('exchange_hour')];

function candles(timeframe: Timeframe): TableDefinition {
  return {
    name: candleTable(timeframe),
    schema: CANDLE,
    partition: [timeframe === '1d' ? monthOfTime('window_start') : dayOfTime('window_start')],
    unique: ['exchange', 'symbol', 'window_start'],
    rowsChange: true,
  };
}

const DEFINITIONS: readonly TableDefinition[] = [
  ...EXCHANGES.map((exchange) => ({
    name: bronzeTable(exchangeKey(exchange)),
    schema: BRONZE,
    partition: [dateColumn('receive_date')],
    unique: ['sequence'],
    rowsChange: false,
  })),
  ...EXCHANGES.map((exchange) => ({
    name: silverTable(exchangeKey(exchange)),
    schema: TRADE,
    partition: byHour,
    unique: ['platform_sequence'],
    rowsChange: false,
  })),
  {
    name: DEAD_LETTERS,
    schema: DEAD_LETTER,
    partition: [dateColumn('dlq_date')],
    unique: ['bronze_source', 'offset', 'record_index'],
    rowsChange: false,
  },
  {
    name: GOLD_TRADES,
    schema: TRADE,
    partition: byHour,
    unique: ['message_id'],
    rowsChange: false,
  },
  ...TIMEFRAMES.map(candles),
];

/** By table name. */
export const TABLES: ReadonlyMap<string, TableDefinition> = new Map(
  DEFINITIONS.map((definition) => [definition.name, definition]),
);

export function tableDefinition(name: string): TableDefinition {
  const definition = TABLES.get(name);
  assert(definition !== undefined, `there is no table ${name}`);
  return definition;
}

/** The tuple of a partition folder such as `exchange_date=2026-11-23/exchange_hour=04`. */
export function partitionTuple(
  fields: readonly PartitionField[],
  partition: string,
): PartitionTuple {
  const { startUs } = partitionSpan(partition);
  return fields.map(({ valueAt }) => valueAt(startUs));
}
