/**
 * Picks rows out of several record batches, column by column, in any order: values are copied as
 * they are, so what comes out is what went in.
 */
import { type Data, type DataType, makeData, makeVector, Type } from 'apache-arrow';
import { assert } from '#src/base/errors';
import { fixedData, stringsData, textData } from '#src/lake/arrow-buffers';
import { fixedWords, isNull, textBytes, wordsPerValue } from '#src/lake/arrow-values';

/** Row i of the answer is row `row[i]` of batch `source[i]`. */
export interface Picks {
  readonly source: Uint16Array;
  readonly row: Int32Array;
  readonly count: number;
}

export type GatherColumn = (picks: Picks) => Data;

/** Longer values are copied by `set`, which has a cost of its own. */
const BYTE_LOOP_MAX = 64;

/** `type`: what the answer is typed as; `columns`: the same column of every batch. */
export function gatherColumn(type: DataType, columns: readonly Data[]): GatherColumn {
  switch (type.typeId) {
    case Type.Dictionary:
      return gatherCoded(type, columns);
    case Type.Utf8:
    case Type.Binary:
      return gatherText(type, columns);
    case Type.List:
    case Type.Map:
      return gatherList(type, columns);
    case Type.Struct:
      return gatherStruct(type, columns);
    default:
      return gatherFixed(type, columns);
  }
}

function gatherFixed(type: DataType, columns: readonly Data[]): GatherColumn {
  const perRow = wordsPerValue(type);
  const from = columns.map((column) => {
    const { words, perRow: theirs } = fixedWords(column);
    assert(theirs === perRow, `${column.type} where ${type} should be`);
    return words;
  });
  const nullable = columns.some(({ nullCount }) => nullCount > 0);
  return (picks) => {
    const { source, row, count } = picks;
    const values = perRow === 2 ? new BigInt64Array(count) : new Int32Array(perRow * count);
    const to = new Int32Array(values.buffer);
    for (let i = 0; i < count; i++) {
      const words = from[source[i]];
      for (let w = 0; w < perRow; w++) to[perRow * i + w] = words[perRow * row[i] + w];
    }
    if (!nullable) return fixedData(type, count, values);
    const { nullBitmap, nullCount } = gatherNulls(columns, picks);
    return makeData({ type, length: count, nullCount, nullBitmap, data: values } as never);
  };
}

function gatherNulls(
  columns: readonly Data[],
  { source, row, count }: Picks,
): { nullBitmap: Uint8Array | undefined; nullCount: number } {
  const bits = new Uint8Array(Math.ceil(count / 64) * 8);
  let nullCount = 0;
  for (let i = 0; i < count; i++) {
    if (isNull(columns[source[i]], row[i])) nullCount++;
    else bits[i >>> 3] |= 1 << (i & 7);
  }
  return { nullBitmap: nullCount === 0 ? undefined : bits, nullCount };
}

function gatherText(type: DataType, columns: readonly Data[]): GatherColumn {
  assertNoNulls(columns);
  const from = columns.map(textBytes);
  return ({ source, row, count }) => {
    const offsets = new Int32Array(count + 1);
    for (let i = 0; i < count; i++) {
      const theirs = from[source[i]].offsets;
      offsets[i + 1] = offsets[i] + theirs[row[i] + 1] - theirs[row[i]];
    }
    const to = new Uint8Array(offsets[count]);
    for (let i = 0; i < count; i++) {
      const { offsets: theirs, bytes } = from[source[i]];
      const start = theirs[row[i]];
      const length = offsets[i + 1] - offsets[i];
      if (length > BYTE_LOOP_MAX) to.set(bytes.subarray(start, start + length), offsets[i]);
      else for (let k = 0; k < length; k++) to[offsets[i] + k] = bytes[start + k];
    }
    return textData(count, offsets, to, type);
  };
}

/** All batches' dictionaries become one. */
function gatherCoded(type: DataType, columns: readonly Data[]): GatherColumn {
  assertNoNulls(columns);
  const texts = columns.map((column) => dictionaryTexts(column));
  const all = [...new Set(texts.flat())].sort();
  const codeOf = new Map(all.map((text, code) => [text, code]));
  const dictionary = makeVector(stringsData(all));
  const recoded = texts.map((values) => Int16Array.from(values, (text) => codeOf.get(text) ?? -1));
  const codes = columns.map((column) => column.values as ArrayLike<number>);
  return ({ source, row, count }) => {
    const data = new Int16Array(count);
    for (let i = 0; i < count; i++) data[i] = recoded[source[i]][codes[source[i]][row[i]]];
    return makeData({ type, length: count, nullCount: 0, data, dictionary } as never);
  };
}

export function dictionaryTexts(column: Data): string[] {
  assert(column.typeId === Type.Dictionary, `${column.type} is not a dictionary`);
  return [...((column.dictionary ?? []) as Iterable<string>)];
}

function gatherList(type: DataType, columns: readonly Data[]): GatherColumn {
  assertNoNulls(columns);
  const childType = (type as DataType & { children: readonly { type: DataType }[] }).children[0];
  const children = columns.map((column) => column.children[0] as Data);
  const gatherChild = gatherColumn(childType.type, children);
  const from = columns.map((column) => column.valueOffsets as Int32Array);
  return ({ source, row, count }) => {
    const valueOffsets = new Int32Array(count + 1);
    for (let i = 0; i < count; i++) {
      const theirs = from[source[i]];
      valueOffsets[i + 1] = valueOffsets[i] + theirs[row[i] + 1] - theirs[row[i]];
    }
    const elements = valueOffsets[count];
    const picks = { source: new Uint16Array(elements), row: new Int32Array(elements) };
    for (let i = 0; i < count; i++) {
      const first = from[source[i]][row[i]];
      for (let at = valueOffsets[i]; at < valueOffsets[i + 1]; at++) {
        picks.source[at] = source[i];
        picks.row[at] = first + at - valueOffsets[i];
      }
    }
    const child = gatherChild({ ...picks, count: elements });
    return makeData({ type, length: count, nullCount: 0, valueOffsets, child } as never);
  };
}

function gatherStruct(type: DataType, columns: readonly Data[]): GatherColumn {
  const fields = (type as DataType & { children: readonly { type: DataType }[] }).children;
  const gathers = fields.map((field, k) =>
    gatherColumn(
      field.type,
      columns.map((column) => column.children[k] as Data),
    ),
  );
  return (picks) => {
    const children = gathers.map((gather) => gather(picks));
    return makeData({ type, length: picks.count, nullCount: 0, children } as never);
  };
}

/** Only numbers are ever null in a table of ours. */
function assertNoNulls(columns: readonly Data[]): void {
  for (const column of columns) assert(column.nullCount === 0, `nulls in a ${column.type}`);
}
