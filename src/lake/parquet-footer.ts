/**
 * The part of a Parquet file's footer that says what its columns hold: `FileMetaData` of
 * parquet.thrift, decoded by hyparquet's Thrift reader. (hyparquet's own `parquetMetadata` turns
 * decimal bounds into floats, which would make them wrong bounds.)
 */
import { deserializeTCompactProtocol } from 'hyparquet/src/thrift.js';
import { assert } from '#src/base/errors';

export type PhysicalType = 'BOOLEAN' | 'INT32' | 'INT64' | 'BYTE_ARRAY' | 'FIXED_LEN_BYTE_ARRAY';

/** One stored column; the parts of lists and maps are columns of their own. */
export interface LeafColumn {
  /** Iceberg field id. */
  readonly fieldId: number;
  readonly physical: PhysicalType;
  readonly logical: 'decimal' | 'string' | 'other';
  /** Neither it nor anything around it is optional or repeated: it has no nulls. */
  readonly required: boolean;
}

/** A column's part of one row group. */
export interface ColumnChunk {
  /** With nulls, and with one for every empty list or map around the column. */
  readonly values: number;
  readonly compressedBytes: number;
  /** Of its first page. */
  readonly offset: number;
  readonly nulls: number | undefined;
  /** Smallest and largest value as Parquet stores them: both or neither. */
  readonly bounds: { readonly min: Uint8Array; readonly max: Uint8Array } | undefined;
}

export interface ParquetFooter {
  readonly columns: readonly LeafColumn[];
  /** Per row group one chunk per column, in the order of `columns`. */
  readonly rowGroups: readonly (readonly ColumnChunk[])[];
}

/** Values of parquet.thrift's enum `Type` that our files have. */
const PHYSICAL: Readonly<Record<number, PhysicalType>> = {
  0: 'BOOLEAN',
  1: 'INT32',
  2: 'INT64',
  6: 'BYTE_ARRAY',
  7: 'FIXED_LEN_BYTE_ARRAY',
};
const REQUIRED = 0;

/** A decoded Thrift struct: field n of parquet.thrift is `field_n`. */
type Struct = Readonly<Record<`field_${number}`, unknown>>;

/** `file`: all of a Parquet file, or its last bytes with the whole footer in them. */
export function parquetFooter(file: Uint8Array): ParquetFooter {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const lengthAt = file.byteLength - 8; // u32 footer length, then `PAR1`
  const start = lengthAt - view.getUint32(lengthAt, true);
  assert(start >= 0, `a footer of ${lengthAt - start} bytes in ${file.byteLength}`);
  const { field_2: schema, field_4: rowGroups } = deserializeTCompactProtocol({
    view,
    offset: start,
  });
  return {
    columns: leafColumns(schema as Struct[]),
    rowGroups: (rowGroups as Struct[]).map((group) => (group.field_1 as Struct[]).map(chunk)),
  };
}

/** The schema is a list in depth-first order; every group says how many children follow it. */
function leafColumns(elements: readonly Struct[]): LeafColumn[] {
  const leaves: LeafColumn[] = [];
  let at = 0;
  const walk = (requiredSoFar: boolean): void => {
    const element = elements[at++] as Struct;
    const { field_3: repetition, field_5: children } = element;
    const root = at === 1; // the only element without a repetition
    const required = requiredSoFar && (root || repetition === REQUIRED);
    if (children === undefined) leaves.push(leaf(element, required));
    for (let child = 0; child < ((children as number) ?? 0); child++) walk(required);
  };
  walk(true);
  return leaves;
}

function leaf(element: Struct, required: boolean): LeafColumn {
  const { field_1: type, field_9: fieldId, field_10: logicalType } = element;
  const physical = PHYSICAL[type as number];
  assert(physical !== undefined, `no Parquet type ${type} is ours`);
  assert(typeof fieldId === 'number', 'a column without a field id');
  const { field_1: isString, field_5: isDecimal } = (logicalType ?? {}) as Struct;
  const logical = isDecimal !== undefined ? 'decimal' : isString !== undefined ? 'string' : 'other';
  return { fieldId, physical, logical, required };
}

function chunk({ field_3 }: Struct): ColumnChunk {
  const meta = field_3 as Struct;
  const { field_3: nulls, field_5: max, field_6: min } = (meta.field_12 ?? {}) as Struct;
  return {
    values: Number(meta.field_5),
    compressedBytes: Number(meta.field_7),
    offset: Number(meta.field_11 ?? meta.field_9), // dictionary page, else first data page
    nulls: nulls === undefined ? undefined : Number(nulls),
    bounds:
      min === undefined || max === undefined
        ? undefined
        : { min: min as Uint8Array, max: max as Uint8Array },
  };
}
