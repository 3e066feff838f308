/**
 * The order of the rows of several batches by numeric sort keys. Every batch is sorted already but
 * for rare rows, so a merge sort that takes the runs it finds is close to linear.
 */
import type { Data } from 'apache-arrow';
import { assert } from '#src/base/errors';
import { fixedWords, textBytes } from '#src/lake/arrow-values';
import { dictionaryTexts } from '#src/lake/row-gather';

/** One number per row, over all batches; below 2^53, so that doubles are exact. */
export type SortKey = Float64Array;

const ZERO = 48;
const DASH = 45;
const TWO_32 = 2 ** 32;

/** Indexes of all rows, smallest first by the first key, then the second, ...; stable. */
export function orderRows(keys: readonly SortKey[]): Int32Array {
  const rows = keys[0]?.length ?? 0;
  const isAfter = (a: number, b: number): boolean => {
    for (const key of keys) if (key[a] !== key[b]) return key[a] > key[b];
    return false;
  };
  let from = Int32Array.from({ length: rows }, (_, row) => row);
  let runs = [0];
  for (let row = 1; row < rows; row++) if (isAfter(row - 1, row)) runs.push(row);
  let to = new Int32Array(runs.length > 1 ? rows : 0);
  while (runs.length > 1) {
    const merged: number[] = [];
    for (let r = 0; r < runs.length; r += 2) {
      const middle = runs[r + 1] ?? rows;
      const end = runs[r + 2] ?? rows;
      let a = runs[r] as number;
      let b = middle;
      merged.push(a);
      for (let at = a; at < end; at++) {
        const takeB = a === middle || (b < end && isAfter(from[a], from[b]));
        to[at] = takeB ? from[b++] : from[a++];
      }
    }
    runs = merged;
    [from, to] = [to, from];
  }
  return from;
}

/** Alphabetical place of a repetitive text column's values. */
export function textKey(columns: readonly Data[]): SortKey {
  const texts = columns.map(dictionaryTexts);
  const all = [...new Set(texts.flat())].sort();
  const placeOf = new Map(all.map((text, place) => [text, place]));
  return perRow(columns, (column, k) => {
    const places = texts[k].map((text) => placeOf.get(text) as number);
    const codes = column.values as ArrayLike<number>;
    return (row) => places[codes[row]];
  });
}

/** The same for a text column without a dictionary. */
export function plainTextKey(columns: readonly Data[]): SortKey {
  const decoder = new TextDecoder();
  const texts = columns.map((column) => {
    const { offsets, bytes } = textBytes(column);
    return Array.from({ length: column.length }, (_, row) =>
      decoder.decode(bytes.subarray(offsets[row], offsets[row + 1])),
    );
  });
  const all = [...new Set(texts.flat())].sort();
  const placeOf = new Map(all.map((text, place) => [text, place]));
  return perRow(columns, (_, k) => (row) => placeOf.get(texts[k][row]) as number);
}

/** Integers and times. */
export function numberKey(columns: readonly Data[]): SortKey {
  return perRow(columns, (column) => {
    const { words, perRow: width } = fixedWords(column);
    if (width === 1) return (row) => words[row];
    return (row) => words[2 * row + 1] * TWO_32 + (words[2 * row] >>> 0);
  });
}

/** The frame's part and the index's part of platform_sequence, which together exceed 2^53. */
export function platformSequenceKeys(columns: readonly Data[], indexBits: number): SortKey[] {
  const low = 2 ** indexBits;
  return [
    perRow(columns, (column) => {
      const { words } = fixedWords(column);
      return (row) =>
        words[2 * row + 1] * 2 ** (32 - indexBits) + Math.floor((words[2 * row] >>> 0) / low);
    }),
    perRow(columns, (column) => {
      const { words } = fixedWords(column);
      return (row) => words[2 * row] & (low - 1);
    }),
  ];
}

/** The number in `BINANCE-123`. */
export function tradeIdKey(columns: readonly Data[]): SortKey {
  return perRow(columns, (column) => {
    const { offsets, bytes } = textBytes(column);
    return (row) => {
      let at = offsets[row];
      while (bytes[at] !== DASH) at++;
      let id = 0;
      for (at++; at < offsets[row + 1]; at++) id = 10 * id + bytes[at] - ZERO;
      return id;
    };
  });
}

function perRow(
  columns: readonly Data[],
  reader: (column: Data, k: number) => (row: number) => number,
): SortKey {
  const key = new Float64Array(columns.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const [k, column] of columns.entries()) {
    const value = reader(column, k);
    for (let row = 0; row < column.length; row++) key[at++] = value(row);
  }
  assert(at === key.length, 'every row has its key');
  return key;
}
