/**
 * Column memory in Arrow layout, allocated once and overwritten batch after batch. Every column owns
 * its memory; `data(rows)` is the first `rows` values as apache-arrow sees them, without a copy.
 */
import {
  type Data,
  type DataType,
  makeData,
  makeVector,
  RecordBatch,
  type Schema,
  Struct,
  Utf8,
} from 'apache-arrow';
import { assert } from '#src/base/errors';

/** int64, timestamp: written as pairs of words (base/int64.ts). */
export class Int64Column {
  readonly words: Int32Array;
  readonly #values: BigInt64Array;

  constructor(rowsMax: number) {
    this.#values = new BigInt64Array(rowsMax);
    this.words = new Int32Array(this.#values.buffer);
  }

  /** `validity`: bit i set = value i is there; none when no value is null. */
  data(type: DataType, rows: number, nullCount = 0, validity?: Uint8Array): Data {
    const data = this.#values.subarray(0, rows);
    const nullBitmap = nullCount === 0 ? undefined : validity;
    return makeData({ type, length: rows, nullCount, nullBitmap, data } as never);
  }
}

/** Columns whose Arrow value is one element (or, for decimals, four) of a typed array. */
export function fixedData(type: DataType, rows: number, values: ArrayBufferView): Data {
  return makeData({ type, length: rows, nullCount: 0, data: values } as never);
}

/** Text: `offsets[i]` to `offsets[i + 1]` of `bytes` is value i. */
export function textData(
  rows: number,
  offsets: Int32Array,
  bytes: Uint8Array,
  type: DataType = new Utf8(),
): Data {
  return makeData({
    type,
    length: rows,
    nullCount: 0,
    valueOffsets: offsets.subarray(0, rows + 1),
    data: bytes.subarray(0, offsets[rows]),
  } as never);
}

/** A column of strings; for dictionaries and small tables. */
export function stringsData(values: readonly string[]): Data {
  const offsets = new Int32Array(values.length + 1);
  for (const [i, value] of values.entries()) {
    offsets[i + 1] = offsets[i] + Buffer.byteLength(value);
  }
  return textData(values.length, offsets, new Uint8Array(Buffer.from(values.join(''))));
}

/** Dictionary-encoded text: `codes[i]` is the index of row i's value in `values`. */
export class CodedColumn {
  readonly codes: Int16Array;
  readonly #dictionary: ReturnType<typeof makeVector>;

  constructor(rowsMax: number, values: readonly string[]) {
    this.codes = new Int16Array(rowsMax);
    this.#dictionary = makeVector(stringsData(values));
  }

  data(type: DataType, rows: number): Data {
    return makeData({
      type,
      length: rows,
      nullCount: 0,
      data: this.codes.subarray(0, rows),
      dictionary: this.#dictionary,
    } as never);
  }
}

/** True or false, one bit a row. */
export function booleansData(type: DataType, values: readonly boolean[]): Data {
  const bits = new Uint8Array(Math.ceil(values.length / 8));
  for (const [i, value] of values.entries()) if (value) bits[i >>> 3] |= 1 << (i & 7);
  return fixedData(type, values.length, bits);
}

/** A batch from one function per column, which gets the column's Arrow type. */
export function recordBatch<Name extends string>(
  schema: Schema,
  rows: number,
  columns: Readonly<Record<Name, (type: DataType) => Data>>,
): RecordBatch {
  const children = schema.fields.map((field) => {
    const column = columns[field.name as Name];
    assert(column !== undefined, `no data for column ${field.name}`);
    return column(field.type);
  });
  return structBatch(schema, rows, children);
}

export function structBatch(schema: Schema, rows: number, children: Data[]): RecordBatch {
  const type = new Struct(schema.fields);
  return new RecordBatch(schema, makeData({ type, length: rows, nullCount: 0, children }));
}
