/**
 * One column of a file that was read back: row number to plain value (src/lake/row.ts).
 *
 * Values are taken from the Arrow buffers themselves: apache-arrow's own accessor gives a timestamp
 * as float milliseconds, which loses the microseconds.
 */
import { type Data, type DataType, Type, type Vector } from 'apache-arrow';
import type { Column } from '#schemas/schema';
import { formatScaled } from '#src/base/decimal';
import { assert } from '#src/base/errors';
import { bigInt128 } from '#src/base/int128';
import { dayText } from '#src/lake/partition';

type Read = (row: number) => unknown;

/** `vector` must be in one piece. */
export function columnReader({ name, type, required }: Column, vector: Vector): Read {
  assert(vector.data.length === 1, `column ${name} is in ${vector.data.length} pieces`);
  const { values } = vector.data[0] as Data;
  const value = valueReader(name, type, vector, values);
  return required ? value : (row) => (vector.isValid(row) ? value(row) : null);
}

function valueReader(name: string, type: Column['type'], vector: Vector, values: unknown): Read {
  if (typeof type !== 'string') {
    return 'list' in type
      ? (row) => [...(vector.get(row) as Iterable<string>)]
      : (row) => Object.fromEntries(vector.get(row) as Iterable<[string, string]>);
  }
  switch (type) {
    case 'long':
    case 'timestamptz': {
      const longs = values as BigInt64Array;
      if (name === 'platform_sequence') return (row) => String(longs[row]);
      return (row) => Number(longs[row]);
    }
    case 'date':
      return (row) => dayText((values as Int32Array)[row] as number);
    case 'int':
    case 'boolean':
    case 'string':
    case 'binary':
      return (row) => vector.get(row);
    default:
      return decimalReader(vector, values as Uint32Array);
  }
}

function decimalReader(vector: Vector, words: Uint32Array): Read {
  const { scale } = vector.type as DataType & { scale: number };
  const signed = new Int32Array(words.buffer, words.byteOffset, words.length);
  return (row) => formatScaled(bigInt128(signed, 4 * row), scale);
}

/** Whether a text column's row equals `text`; compares codes where the column has a dictionary. */
export function textMatcher(vector: Vector, text: string): (row: number) => boolean {
  const data = vector.data[0] as Data;
  if (vector.type.typeId !== Type.Dictionary) return (row) => vector.get(row) === text;
  const code = [...(data.dictionary as Vector)].indexOf(text);
  const codes = data.values as ArrayLike<number>;
  return code < 0 ? () => false : (row) => codes[row] === code;
}
