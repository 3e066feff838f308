/**
 * A digest of the rows of data files that does not depend on their order, nor on how they are cut
 * into files or encoded in them: what a compaction must leave as it was.
 *
 * Every row becomes two 32-bit hashes over all its columns; the digest is the sums and the
 * exclusive-ors of both. It finds a row that is lost, doubled, mixed with another or changed by
 * accident; it is no defence against somebody who wants to fool it.
 */
import { type Data, Type } from 'apache-arrow';
import { assert } from '#src/base/errors';
import { fixedWords, isNull, textBytes } from '#src/lake/arrow-values';

/** Two independent hashes per row. */
interface Lanes {
  readonly a: Int32Array;
  readonly b: Int32Array;
}

const NULL_A = 0x5bd1e995;
const NULL_B = 0x27d4eb2f;

export class RowDigest {
  #rows = 0;
  readonly #words = new Int32Array(4);

  get rows(): number {
    return this.#rows;
  }

  /** Adds the rows of a record batch, given column by column. */
  add(columns: readonly Data[]): void {
    const rows = columns[0]?.length ?? 0;
    const { a, b } = combined(columns, rows);
    const words = this.#words;
    for (let i = 0; i < rows; i++) {
      const x = finish(a[i]);
      const y = finish(b[i] ^ 0x2545f491);
      words[0] += x;
      words[1] ^= x;
      words[2] += y;
      words[3] ^= y;
    }
    this.#rows += rows;
  }

  /** Lower-case hex; the same text is the same rows. */
  get text(): string {
    const hex = Array.from(this.#words, (word) => (word >>> 0).toString(16).padStart(8, '0'));
    return `${this.#rows}-${hex.join('')}`;
  }
}

/** One hash per row over several columns. */
function combined(columns: readonly Data[], rows: number): Lanes {
  const lanes = emptyLanes(rows);
  for (const column of columns) {
    assert(column.length === rows, `a column of ${column.length} rows beside one of ${rows}`);
    const { a, b } = hashes(column);
    for (let i = 0; i < rows; i++) {
      lanes.a[i] = mixA(lanes.a[i], a[i]);
      lanes.b[i] = mixB(lanes.b[i], b[i]);
    }
  }
  return lanes;
}

function hashes(data: Data): Lanes {
  switch (data.typeId) {
    case Type.Dictionary:
      return dictionaryHashes(data);
    case Type.Utf8:
    case Type.Binary:
      return textHashes(data);
    case Type.List:
    case Type.Map:
      return listHashes(data);
    case Type.Struct:
      return combined(data.children, data.length);
    default:
      return wordHashes(data);
  }
}

function wordHashes(data: Data): Lanes {
  const { words, perRow } = fixedWords(data);
  const lanes = emptyLanes(data.length);
  for (let i = 0; i < data.length; i++) {
    let a = 0;
    let b = 0;
    for (let w = i * perRow; w < (i + 1) * perRow; w++) {
      a = mixA(a, words[w]);
      b = mixB(b, words[w]);
    }
    lanes.a[i] = a;
    lanes.b[i] = b;
  }
  return withNulls(data, lanes);
}

function textHashes(data: Data): Lanes {
  const { offsets, bytes } = textBytes(data);
  const lanes = emptyLanes(data.length);
  for (let i = 0; i < data.length; i++) {
    const end = offsets[i + 1];
    let a = end - offsets[i];
    let b = a;
    for (let at = offsets[i]; at < end; at++) {
      a = Math.imul(a ^ bytes[at], 0x01000193);
      b = Math.imul((b << 5) ^ (b >>> 27) ^ bytes[at], 0x2c1b3c6d);
    }
    lanes.a[i] = a;
    lanes.b[i] = b;
  }
  return withNulls(data, lanes);
}

/** A value hashes alike whether it stands in a dictionary or in its row. */
function dictionaryHashes(data: Data): Lanes {
  const [values] = data.dictionary?.data ?? [];
  assert(values !== undefined && data.dictionary?.data.length === 1, 'a dictionary in pieces');
  const { a, b } = hashes(values);
  const codes = data.values as ArrayLike<number>;
  const lanes = emptyLanes(data.length);
  for (let i = 0; i < data.length; i++) {
    lanes.a[i] = a[codes[i]];
    lanes.b[i] = b[codes[i]];
  }
  return withNulls(data, lanes);
}

function listHashes(data: Data): Lanes {
  const { a, b } = hashes(data.children[0] as Data);
  const offsets = data.valueOffsets as Int32Array;
  const lanes = emptyLanes(data.length);
  for (let i = 0; i < data.length; i++) {
    const end = offsets[i + 1];
    let x = end - offsets[i];
    let y = x;
    for (let at = offsets[i]; at < end; at++) {
      x = mixA(x, a[at]);
      y = mixB(y, b[at]);
    }
    lanes.a[i] = x;
    lanes.b[i] = y;
  }
  return withNulls(data, lanes);
}

/** A null's bytes in the buffer mean nothing. */
function withNulls(data: Data, lanes: Lanes): Lanes {
  if (data.nullCount === 0) return lanes;
  for (let i = 0; i < data.length; i++) {
    if (!isNull(data, i)) continue;
    lanes.a[i] = NULL_A;
    lanes.b[i] = NULL_B;
  }
  return lanes;
}

function emptyLanes(rows: number): Lanes {
  return { a: new Int32Array(rows), b: new Int32Array(rows) };
}

function mixA(hash: number, word: number): number {
  const h = Math.imul(hash ^ word, 0x9e3779b1 | 0);
  return h ^ (h >>> 15);
}

function mixB(hash: number, word: number): number {
  const h = Math.imul(hash + word, 0x85ebca6b | 0);
  return h ^ (h >>> 13);
}

function finish(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b | 0);
  return h ^ (h >>> 16);
}
