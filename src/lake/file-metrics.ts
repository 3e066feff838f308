/**
 * What a table's metadata says about a data file: size, counts and bounds per column, by Iceberg
 * field id, so that a reader can leave the file out without opening it. Taken from the Parquet
 * footer; a column without statistics there has no bounds here, unless its writer knows them.
 *
 * Bounds are Iceberg's single-value binary as lower-case hex: integers and times little-endian,
 * decimals big-endian in the fewest bytes, text in UTF-8 cut to 16 code points.
 */
import { type ColumnChunk, type LeafColumn, parquetFooter } from '#src/lake/parquet-footer';

export interface FileMetrics {
  /** Compressed bytes. */
  readonly columnSizes: Readonly<Record<number, number>>;
  /** With nulls; a part of a list or map also counts one for every empty list or map. */
  readonly valueCounts: Readonly<Record<number, number>>;
  readonly nullCounts: Readonly<Record<number, number>>;
  readonly lower: Readonly<Record<number, string>>;
  /** Not below the largest value. */
  readonly upper: Readonly<Record<number, string>>;
  /** Where each row group starts in the file. */
  readonly splitOffsets: readonly number[];
}

/** The smallest and the largest text of a column, as whoever wrote the file knows them. */
export interface TextRange {
  readonly fieldId: number;
  readonly min: string;
  readonly max: string;
}

/** The length Iceberg's own writers cut text bounds to. */
const BOUND_CODE_POINTS_MAX = 16;

/**
 * `file`: all of a Parquet file, or its last bytes with the whole footer in them. `known`: bounds of
 * columns that the footer has none of.
 */
export function fileMetrics(file: Uint8Array, known: readonly TextRange[] = []): FileMetrics {
  const { columns, rowGroups } = parquetFooter(file);
  const columnSizes: Record<number, number> = {};
  const valueCounts: Record<number, number> = {};
  const nullCounts: Record<number, number> = {};
  const lower: Record<number, string> = {};
  const upper: Record<number, string> = {};
  for (const [index, column] of columns.entries()) {
    const chunks = rowGroups.map((group) => group[index] as ColumnChunk);
    const { fieldId, required } = column;
    columnSizes[fieldId] = sum(chunks.map((chunk) => chunk.compressedBytes));
    valueCounts[fieldId] = sum(chunks.map((chunk) => chunk.values));
    const nulls = chunks.map((chunk) => (required ? 0 : chunk.nulls));
    if (nulls.every((count) => count !== undefined)) nullCounts[fieldId] = sum(nulls);
    const bounds = columnBounds(column, chunks);
    if (bounds?.lower !== undefined) lower[fieldId] = bounds.lower;
    if (bounds?.upper !== undefined) upper[fieldId] = bounds.upper;
  }
  for (const { fieldId, min, max } of known) {
    const bounds = textBounds([Buffer.from(min)], [Buffer.from(max)]);
    if (bounds.lower !== undefined) lower[fieldId] = bounds.lower;
    if (bounds.upper !== undefined) upper[fieldId] = bounds.upper;
  }
  const splitOffsets = rowGroups.map(([first]) => (first as ColumnChunk).offset);
  return { columnSizes, valueCounts, nullCounts, lower, upper, splitOffsets };
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

interface Bounds {
  readonly lower: string;
  /** None where no text of at most 16 code points is large enough. */
  readonly upper: string | undefined;
}

/** Over all row groups; none when one of them has values and no bounds. */
function columnBounds(column: LeafColumn, chunks: readonly ColumnChunk[]): Bounds | undefined {
  const filled = chunks.filter(({ values, nulls }) => values > (nulls ?? 0));
  const bounds = filled.flatMap((chunk) => chunk.bounds ?? []);
  if (bounds.length === 0 || bounds.length < filled.length) return undefined;
  const mins = bounds.map(({ min }) => min);
  const maxs = bounds.map(({ max }) => max);
  if (column.logical === 'string') return textBounds(mins, maxs);
  if (column.physical === 'BYTE_ARRAY') return undefined; // raw bytes: nobody searches by them
  const sorted = (values: readonly Uint8Array[]): bigint[] =>
    values.map((value) => integer(column, value)).sort((a, b) => (a < b ? -1 : 1));
  const min = sorted(mins)[0] as bigint;
  const max = sorted(maxs).at(-1) as bigint;
  return { lower: singleValue(column, min), upper: singleValue(column, max) };
}

/** A value of a statistic: little-endian but for a decimal in a fixed-length byte array. */
function integer({ physical }: LeafColumn, value: Uint8Array): bigint {
  const ordered = physical === 'FIXED_LEN_BYTE_ARRAY' ? value : Uint8Array.from(value).reverse();
  const unsigned = BigInt(`0x${Buffer.from(ordered).toString('hex')}`);
  return physical === 'BOOLEAN' ? unsigned : BigInt.asIntN(8 * value.length, unsigned);
}

function singleValue({ physical, logical }: LeafColumn, value: bigint): string {
  if (logical === 'decimal') return bigEndian(value, signedBytes(value));
  const bytes = { BOOLEAN: 1, INT32: 4, INT64: 8 }[physical as 'BOOLEAN' | 'INT32' | 'INT64'];
  return Buffer.from(bigEndian(value, bytes), 'hex').reverse().toString('hex');
}

function bigEndian(value: bigint, bytes: number): string {
  return BigInt.asUintN(8 * bytes, value)
    .toString(16)
    .padStart(2 * bytes, '0');
}

/** The fewest bytes that hold `value` in two's complement. */
function signedBytes(value: bigint): number {
  let bytes = 1;
  while (BigInt.asIntN(8 * bytes, value) !== value) bytes++;
  return bytes;
}

function textBounds(mins: readonly Uint8Array[], maxs: readonly Uint8Array[]): Bounds {
  const min = [...mins].sort(Buffer.compare)[0] as Uint8Array;
  const max = [...maxs].sort(Buffer.compare).at(-1) as Uint8Array;
  const lower = Array.from(Buffer.from(min).toString()).slice(0, BOUND_CODE_POINTS_MAX).join('');
  const upper = upperText(Array.from(Buffer.from(max).toString()));
  return { lower: hex(lower), upper: upper === undefined ? undefined : hex(upper) };
}

/** The text itself, or one of at most 16 code points that comes after it. */
function upperText(text: readonly string[]): string | undefined {
  if (text.length <= BOUND_CODE_POINTS_MAX) return text.join('');
  const cut = text.slice(0, BOUND_CODE_POINTS_MAX);
  for (let last = cut.pop(); last !== undefined; last = cut.pop()) {
    const after = codePointAfter(last.codePointAt(0) as number);
    if (after !== undefined) return cut.join('') + String.fromCodePoint(after);
  }
  return undefined;
}

function codePointAfter(codePoint: number): number | undefined {
  if (codePoint === 0x10ffff) return undefined;
  return codePoint === 0xd7ff ? 0xe000 : codePoint + 1; // surrogates are not characters
}

function hex(text: string): string {
  return Buffer.from(text).toString('hex');
}
