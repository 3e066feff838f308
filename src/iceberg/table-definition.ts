/**
 * Every table as Iceberg sees it: its columns (schemas/*), how it is partitioned, and which columns
 * make a row unique. The partition folder a data file lies in is ours; readers go by the tuple in
 * the manifest, which is worked out here from the time span the folder stands for.
 */
import { BRONZE } from '#schemas/bronze';
import { candleTable } from '#schemas/candle';
import { DEAD_LETTER } from '#schemas/dead-letter';
import type { TableSchema } from '#schemas/schema';
import { TABLES as SCHEMAS, type Table } from '#schemas/tables';
import { GOLD_TRADES, TRADE } from '#schemas/trade';
import { assert } from '#src/base/errors';
import { dayOf, HOUR_US, partitionSpan } from '#src/lake/partition';

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

function define(table: Table): TableDefinition {
  const { name, schema } = table;
  switch (schema) {
    case BRONZE: {
      const partition = [dateColumn('receive_date')];
      return { ...table, partition, unique: ['sequence'], rowsChange: false };
    }
    case DEAD_LETTER: {
      const unique = ['bronze_source', 'offset', 'record_index'];
      return { ...table, partition: [dateColumn('dlq_date')], unique, rowsChange: false };
    }
    case TRADE: {
      const unique = [name === GOLD_TRADES ? 'message_id' : 'platform_sequence'];
      const partition = [dateColumn('exchange_date'), hourColumn('exchange_hour')];
      return { ...table, partition, unique, rowsChange: false };
    }
    default: {
      const byTime = name === candleTable('1d') ? monthOfTime : dayOfTime;
      const unique = ['exchange', 'symbol', 'window_start'];
      return { ...table, partition: [byTime('window_start')], unique, rowsChange: true };
    }
  }
}

/** By table name. */
export const TABLES: ReadonlyMap<string, TableDefinition> = new Map(
  SCHEMAS.map((table) => [table.name, define(table)]),
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
