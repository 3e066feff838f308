/**
 * Rows as the bytes of an answer: JSON, CSV, an Arrow IPC stream or a Parquet file. All four are of
 * the same columns and the same plain values; decimals stay decimals and times microseconds.
 */
import {
  type DataType,
  type Decimal,
  makeData,
  type RecordBatch,
  RecordBatchStreamWriter,
  type Schema,
  Type,
  vectorFromArray,
} from 'apache-arrow';
import { Compression, Table, WriterPropertiesBuilder, writeParquet } from 'parquet-wasm';
import type { Column } from '#schemas/schema';
import { parseScaled } from '#src/base/decimal';
import { assert } from '#src/base/errors';
import { storeBigInt128 } from '#src/base/int128';
import { structBatch } from '#src/lake/arrow-buffers';
import { arrowSchema } from '#src/lake/arrow-schema';
import { type OutputColumn, type OutputValue, rowFormatter } from '#src/output/rows';
import { isoMicros } from '#src/output/text';
import type { AnswerFormat } from '#src/query/answer-format';

/** As in src/lake/row.ts: times in microseconds, decimals and platform_sequence as text. */
export type PlainValue =
  | string
  | number
  | boolean
  | null
  | Uint8Array
  | readonly string[]
  | Readonly<Record<string, string>>;
export type PlainRow = Readonly<Record<string, PlainValue>>;

export interface AnswerTable {
  readonly columns: readonly Column[];
  readonly rows: readonly PlainRow[];
}

/** In JSON the rows are a list: whoever sends it puts it into its object. */
export function encodeAnswer(table: AnswerTable, format: AnswerFormat): Uint8Array {
  switch (format) {
    case 'json':
    case 'csv':
      return encodeText(table, format);
    case 'arrow':
      return encodeArrow(table);
    case 'parquet':
      return encodeParquet(encodeArrow(table));
  }
}

function encodeText({ columns, rows }: AnswerTable, format: 'json' | 'csv'): Uint8Array {
  const outputs = columns.map(outputColumn);
  const formatter = rowFormatter(format, outputs);
  const textOf = (row: PlainRow): string => {
    const cells = columns.map((column) => [column.name, outputValue(row, column)] as const);
    return formatter.row(Object.fromEntries(cells));
  };
  return Buffer.from([formatter.begin(), ...rows.map(textOf), ...formatter.end()].join(''));
}

function outputColumn({ name, type }: Column): OutputColumn {
  if (typeof type !== 'string') return { name, kind: 'json' };
  switch (type) {
    case 'int':
    case 'long':
      // Beyond 2^53: text, as everywhere.
      return { name, kind: name === 'platform_sequence' ? 'decimal' : 'integer' };
    case 'boolean':
      return { name, kind: 'boolean' };
    case 'timestamptz':
      return { name, kind: 'time' };
    case 'string':
    case 'date':
    case 'binary':
      return { name, kind: 'text' };
    default:
      return { name, kind: 'decimal' };
  }
}

function outputValue(row: PlainRow, { name, type }: Column): OutputValue {
  const value = row[name];
  if (value === null || value === undefined) return null;
  if (typeof type !== 'string') return JSON.stringify(value);
  if (type === 'timestamptz') return isoMicros(value as number);
  if (type === 'binary') return Buffer.from(value as Uint8Array).toString('base64');
  return value as OutputValue;
}

function encodeArrow({ columns, rows }: AnswerTable): Uint8Array {
  const schema = arrowSchema({ doc: '', columns, partitionBy: [], sortedBy: [] });
  const writer = new RecordBatchStreamWriter();
  writer.write(batchOf(schema, columns, rows));
  writer.finish();
  return writer.toUint8Array(true);
}

/** Snappy, because every reader has it; the tables themselves are zstd. */
function encodeParquet(stream: Uint8Array): Uint8Array {
  const properties = new WriterPropertiesBuilder()
    .setCreatedBy('bullion')
    .setCompression(Compression.SNAPPY)
    .build();
  return writeParquet(Table.fromIPCStream(stream), properties);
}

function batchOf(
  schema: Schema,
  columns: readonly Column[],
  rows: readonly PlainRow[],
): RecordBatch {
  const children = schema.fields.map((field, k) => {
    const { name, required } = columns[k] as Column;
    const values = rows.map((row) => row[name] ?? null);
    assert(!required || !values.includes(null), `no value in the column ${name}`);
    return columnData(field.type, values);
  });
  return structBatch(schema, rows.length, children);
}

const DAY_MS = 86_400_000;

function columnData(type: DataType, values: readonly PlainValue[]) {
  switch (type.typeId) {
    case Type.Decimal:
      return decimalData(type as Decimal, values);
    case Type.Timestamp:
      return int64Data(type, values);
    case Type.Int:
      return (type as DataType & { bitWidth: number }).bitWidth === 64
        ? int64Data(type, values)
        : vectorFromArray(values as number[], type as never).data[0];
    case Type.Date:
      return fixed(
        type,
        values,
        Int32Array.from(values, (day) => Date.parse(`${day}T00:00:00Z`) / DAY_MS),
      );
    case Type.Map:
      return vectorFromArray(
        values.map((value) => new Map(Object.entries(value ?? {}))),
        type as never,
      ).data[0];
    default:
      return vectorFromArray(values as never[], type as never).data[0];
  }
}

function decimalData(type: Decimal, values: readonly PlainValue[]) {
  const words = new Int32Array(4 * values.length);
  for (const [i, value] of values.entries()) {
    if (value === null) continue;
    const scaled = parseScaled(String(value), type.scale);
    assert(scaled !== undefined, `${String(value)} is no decimal of scale ${type.scale}`);
    storeBigInt128(words, 4 * i, scaled);
  }
  return fixed(type, values, new Uint32Array(words.buffer));
}

function int64Data(type: DataType, values: readonly PlainValue[]) {
  return fixed(
    type,
    values,
    BigInt64Array.from(values, (value) => BigInt(String(value ?? 0))),
  );
}

function fixed(type: DataType, values: readonly PlainValue[], data: ArrayBufferView) {
  const bits = new Uint8Array(Math.ceil(values.length / 64) * 8);
  let nullCount = 0;
  for (const [i, value] of values.entries()) {
    if (value === null) nullCount++;
    else bits[i >>> 3] = (bits[i >>> 3] as number) | (1 << (i & 7));
  }
  const nullBitmap = nullCount === 0 ? undefined : bits;
  return makeData({ type, length: values.length, nullCount, nullBitmap, data } as never);
}
