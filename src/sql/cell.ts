/**
 * DuckDB's values as what bullion prints: decimals exact at full scale, times in microseconds UTC,
 * bytes as one character each, lists and objects as JSON text.
 */
import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTypeId,
  DuckDBUnionValue,
  type DuckDBValue,
} from '@duckdb/node-api';
import type { OutputColumn, OutputValue } from '#src/output/rows';

type Kind = OutputColumn['kind'];

const KINDS: Partial<Record<DuckDBTypeId, Kind>> = {
  [DuckDBTypeId.BOOLEAN]: 'boolean',
  [DuckDBTypeId.TINYINT]: 'integer',
  [DuckDBTypeId.SMALLINT]: 'integer',
  [DuckDBTypeId.INTEGER]: 'integer',
  [DuckDBTypeId.BIGINT]: 'integer',
  [DuckDBTypeId.HUGEINT]: 'integer',
  [DuckDBTypeId.UTINYINT]: 'integer',
  [DuckDBTypeId.USMALLINT]: 'integer',
  [DuckDBTypeId.UINTEGER]: 'integer',
  [DuckDBTypeId.UBIGINT]: 'integer',
  [DuckDBTypeId.UHUGEINT]: 'integer',
  [DuckDBTypeId.FLOAT]: 'float',
  [DuckDBTypeId.DOUBLE]: 'float',
  [DuckDBTypeId.DECIMAL]: 'decimal',
  [DuckDBTypeId.DATE]: 'time',
  [DuckDBTypeId.TIMESTAMP]: 'time',
  [DuckDBTypeId.TIMESTAMP_S]: 'time',
  [DuckDBTypeId.TIMESTAMP_MS]: 'time',
  [DuckDBTypeId.TIMESTAMP_NS]: 'time',
  [DuckDBTypeId.TIMESTAMP_TZ]: 'time',
  [DuckDBTypeId.LIST]: 'json',
  [DuckDBTypeId.ARRAY]: 'json',
  [DuckDBTypeId.MAP]: 'json',
  [DuckDBTypeId.STRUCT]: 'json',
  [DuckDBTypeId.UNION]: 'json',
};

export function kindOf(type: DuckDBTypeId): Kind {
  return KINDS[type] ?? 'text';
}

export function cell(value: DuckDBValue, kind: Kind): OutputValue {
  if (value === null) return null;
  switch (kind) {
    case 'boolean':
      return value as boolean;
    case 'integer':
      return value as number | bigint;
    case 'float':
      return value as number;
    case 'json':
      return JSON.stringify(plain(value));
    default:
      return scalarText(value);
  }
}

function scalarText(value: DuckDBValue): string {
  if (value instanceof DuckDBTimestampTZValue) return isoTime(value);
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('latin1');
  return String(value);
}

const YEAR_10000_US = 253_402_300_800_000_000n;

function isoTime(value: DuckDBTimestampTZValue): string {
  const { micros } = value;
  if (micros < 0n || micros >= YEAR_10000_US) return String(value);
  const seconds = micros / 1_000_000n;
  const digits = String(micros - seconds * 1_000_000n).padStart(6, '0');
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.${digits}Z`;
}

/** A value inside a list or an object, as JSON has it; longs and decimals are text there. */
function plain(value: DuckDBValue): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value;
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) {
    return value.items.map(plain);
  }
  if (value instanceof DuckDBStructValue) {
    return Object.fromEntries(Object.entries(value.entries).map(([k, v]) => [k, plain(v)]));
  }
  if (value instanceof DuckDBMapValue) {
    return Object.fromEntries(
      value.entries.map((entry) => [String(entry.key), plain(entry.value)]),
    );
  }
  if (value instanceof DuckDBUnionValue) return plain(value.value);
  return scalarText(value);
}
