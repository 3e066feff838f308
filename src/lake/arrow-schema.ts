/**
 * A table's Arrow schema from its literal (schemas/*): types, nullability and Iceberg field ids,
 * the parts of lists and maps included. parquet-wasm turns this schema into the Parquet one:
 * `PARQUET:field_id` becomes the field id, nullable = false becomes `required`.
 */
import {
  Binary,
  Bool,
  type DataType,
  DateDay,
  Decimal,
  Dictionary,
  Field,
  Int16,
  Int32,
  Int64,
  List,
  Map_,
  Schema,
  Struct,
  Timestamp,
  TimeUnit,
  Utf8,
} from 'apache-arrow';
import type { Column, ColumnType, TableSchema } from '#schemas/schema';
import { assert } from '#src/base/errors';

/** A column with few distinct strings: 2 bytes a row on the way to Parquet instead of the text. */
export type DictionaryText = Dictionary<Utf8, Int16>;

const DECIMAL = /^decimal\((\d+), (\d+)\)$/;

/**
 * `dictionaries` names the repetitive string columns. It changes how rows travel and, as a hint in
 * the file, how Arrow readers hold them. Texts inside lists and maps always travel as they are:
 * their Parquet layout cannot be set one by one, and Arrow C++ cannot read DELTA_BYTE_ARRAY pages
 * into a dictionary.
 */
export function arrowSchema(table: TableSchema, dictionaries: readonly string[] = []): Schema {
  return new Schema(
    table.columns.map((column) => {
      const coded = dictionaries.includes(column.name);
      return field(column.name, column.id, columnType(column, coded), !column.required);
    }),
  );
}

function field<T extends DataType>(name: string, id: number, type: T, nullable: boolean): Field<T> {
  return new Field(name, type, nullable, new Map([['PARQUET:field_id', String(id)]]));
}

/** Dictionary ids are the field ids, so that they are unique in a schema and the same every time. */
function text(id: number, coded: boolean): Utf8 | DictionaryText {
  return coded ? new Dictionary(new Utf8(), new Int16(), id) : new Utf8();
}

function columnType({ id, type }: Column, coded: boolean): DataType {
  if (typeof type !== 'string') return nestedType(type);
  switch (type) {
    case 'int':
      return new Int32();
    case 'long':
      return new Int64();
    case 'boolean':
      return new Bool();
    case 'string':
      return text(id, coded);
    case 'binary':
      return new Binary();
    case 'date':
      return new DateDay();
    case 'timestamptz':
      return new Timestamp(TimeUnit.MICROSECOND, 'UTC');
    default: {
      const [, precision, scale] = DECIMAL.exec(type) ?? [];
      assert(precision !== undefined, `no Arrow type for '${type}'`);
      return new Decimal(Number(scale), Number(precision), 128); // scale comes first
    }
  }
}

function nestedType(type: Exclude<ColumnType, string>): DataType {
  if ('list' in type) return new List(field('element', type.elementId, new Utf8(), false));
  const entry = new Struct<{ key: Utf8; value: Utf8 }>([
    field('key', type.keyId, new Utf8(), false),
    field('value', type.valueId, new Utf8(), false),
  ]);
  const map = new Map_(new Field('key_value', entry, false));
  // The constructor renames the group to `entries`; the Parquet format calls it `key_value`.
  Object.assign(map.children[0] as Field, { name: 'key_value' });
  return map;
}
