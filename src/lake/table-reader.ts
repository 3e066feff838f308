/**
 * Reads data files back as plain rows, partition by partition; inside a partition the rows of all
 * its files are merged by (time, id). A file is read only when a row of its partition is asked for.
 *
 * Where a digest is given, a file whose bytes do not have it is refused: a flipped bit in a Parquet
 * file often decodes to wrong rows without an error.
 */
import { createHash } from 'node:crypto';
import { type Table, tableFromIPC, type Vector } from 'apache-arrow';
import { readParquet } from 'parquet-wasm';
import { BRONZE } from '#schemas/bronze';
import { CANDLE } from '#schemas/candle';
import { DEAD_LETTER } from '#schemas/dead-letter';
import type { Column, TableSchema } from '#schemas/schema';
import { TRADE } from '#schemas/trade';
import { EXIT, errorCode, UserError } from '#src/base/errors';
import { columnReader, textMatcher } from '#src/lake/column-reader';
import { isDiskError } from '#src/lake/file-sink';
import { partitionSpan } from '#src/lake/partition';
import type { RowOf } from '#src/lake/row';

export type TradeRow = RowOf<typeof TRADE>;
export type BronzeRow = RowOf<typeof BRONZE>;
export type CandleRow = RowOf<typeof CANDLE>;
export type DeadLetterRecord = RowOf<typeof DEAD_LETTER>;

/** A data file to read; StagedFile is one. */
export interface DataFile {
  /** Relative to the warehouse. */
  readonly path: string;
  readonly partition: string;
  /** Lower-case hex. */
  readonly sha256?: string;
}

/** The bytes of a data file, by its path relative to the warehouse. */
export type ReadFile = (path: string) => Promise<Uint8Array>;

export interface TimeFilter {
  /** Inclusive. */
  readonly startUs?: number;
  /** Exclusive. */
  readonly endUs?: number;
  /** The first rows only. */
  readonly limit?: number;
}

export interface RowFilter extends TimeFilter {
  readonly symbol?: string;
  readonly exchange?: string;
}

export interface DeadLetterFilter extends TimeFilter {
  /** Exchange whose log holds the frame. */
  readonly exchange?: string;
  readonly reason?: string;
}

/** By (timestamp, trade id). */
export function readTrades(
  read: ReadFile,
  files: readonly DataFile[],
  { symbol, exchange, ...time }: RowFilter = {},
): AsyncGenerator<TradeRow> {
  // `BINANCE-123`: the number is what the exchange counts.
  const idNumber = (text: unknown): number => Number(String(text).split('-')[1]);
  return readRows(read, files, {
    table: TRADE,
    time: 'timestamp',
    id: ['trade_id', idNumber],
    equal: { symbol, exchange },
    ...time,
  });
}

/** By window_start, then by exchange and symbol, as the files are sorted. */
export function readCandles(
  read: ReadFile,
  files: readonly DataFile[],
  { symbol, exchange, ...time }: RowFilter = {},
): AsyncGenerator<CandleRow> {
  const equal = { symbol, exchange };
  return readRows(read, files, { table: CANDLE, time: 'window_start', equal, ...time });
}

/** By sequence, within each day. */
export function readFrames(read: ReadFile, files: readonly DataFile[]): AsyncGenerator<BronzeRow> {
  return readRows(read, files, {
    table: BRONZE,
    time: 'receive_timestamp', // never falls from one frame to the next
    id: ['sequence', Number],
    equal: {},
  });
}

/** By (error_timestamp, offset). */
export function readDeadLetters(
  read: ReadFile,
  files: readonly DataFile[],
  { exchange, reason, ...time }: DeadLetterFilter = {},
): AsyncGenerator<DeadLetterRecord> {
  return readRows(read, files, {
    table: DEAD_LETTER,
    time: 'error_timestamp',
    id: ['offset', Number],
    equal: { bronze_source: exchange, error_reason: reason },
    ...time,
  });
}

interface Scan<T extends TableSchema> extends TimeFilter {
  readonly table: T;
  readonly time: T['columns'][number]['name'];
  /** Orders rows of equal time. */
  readonly id?: readonly [T['columns'][number]['name'], (value: unknown) => number];
  readonly equal: Readonly<Record<string, string | undefined>>;
}

/** A row that passed the filter, not yet made. */
interface Found<T extends TableSchema> {
  readonly timeUs: number;
  readonly id: number;
  readonly row: number;
  readonly make: (row: number) => RowOf<T>;
}

async function* readRows<T extends TableSchema>(
  read: ReadFile,
  files: readonly DataFile[],
  scan: Scan<T>,
): AsyncGenerator<RowOf<T>> {
  const { startUs = Number.NEGATIVE_INFINITY, endUs = Number.POSITIVE_INFINITY } = scan;
  let left = scan.limit ?? Number.POSITIVE_INFINITY;
  const partitions = [...new Set(files.map((file) => file.partition))].sort();
  for (const partition of partitions) {
    if (left <= 0) return;
    const span = partitionSpan(partition);
    if (span.endUs <= startUs || span.startUs >= endUs) continue;
    const found: Found<T>[] = [];
    for (const file of files.filter((one) => one.partition === partition)) {
      for (const row of findRows(await decodeDataFile(read, file), scan, startUs, endUs)) {
        found.push(row);
      }
    }
    found.sort((a, b) => a.timeUs - b.timeUs || a.id - b.id);
    for (const { make, row } of found) {
      if (left-- <= 0) return;
      yield make(row);
    }
  }
}

function findRows<T extends TableSchema>(
  arrow: Table,
  { table, time, id, equal }: Scan<T>,
  startUs: number,
  endUs: number,
): Found<T>[] {
  if (arrow.numRows === 0) return [];
  const reader = (name: string) => {
    const column = table.columns.find((candidate: Column) => candidate.name === name) as Column;
    return columnReader(column, arrow.getChild(name) as Vector);
  };
  const matchers = Object.entries(equal).flatMap(([name, text]) =>
    text === undefined ? [] : [textMatcher(arrow.getChild(name) as Vector, text)],
  );
  const timeOf = reader(time) as (row: number) => number;
  const idOf = id && reader(id[0]);
  const cells = table.columns.map(({ name }: Column) => [name, reader(name)] as const);
  const make = (row: number): RowOf<T> =>
    Object.fromEntries(cells.map(([name, cell]) => [name, cell(row)])) as RowOf<T>;
  const found: Found<T>[] = [];
  for (let row = 0; row < arrow.numRows; row++) {
    if (!matchers.every((matches) => matches(row))) continue;
    const timeUs = timeOf(row);
    if (timeUs < startUs || timeUs >= endUs) continue;
    found.push({ timeUs, id: id && idOf ? id[1](idOf(row)) : 0, row, make });
  }
  return found;
}

/** More rows than any file has: the whole file comes as one record batch. */
const BATCH_ROWS = 2 ** 30;

/** What to decode of a file; everything unless given. */
export interface FilePart {
  readonly columns?: string[];
  /** By index; each has ROWS_PER_FILE_MAX rows but for a file's last. */
  readonly rowGroups?: number[];
}

/** All rows of a file as one record batch; refuses one whose bytes are not those committed. */
export async function decodeDataFile(read: ReadFile, file: DataFile): Promise<Table> {
  return decodeBytes(file, await proveDataFile(read, file));
}

/** The rows of bytes that were proved; `file` names them in an error. */
export function decodeBytes(file: DataFile, bytes: Uint8Array, part: FilePart = {}): Table {
  try {
    return tableFromIPC(readParquet(bytes, { batchSize: BATCH_ROWS, ...part }).intoIPCStream());
  } catch (error) {
    throw damaged(file, 'is not a readable Parquet file', error);
  }
}

/** The bytes of a file, if they are those committed. */
export async function proveDataFile(read: ReadFile, file: DataFile): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await read(file.path);
  } catch (error) {
    const isOurs = !(error instanceof UserError) || errorCode(error) === 'ENOENT';
    if (!isDiskError(error) || !isOurs) throw error; // a store out of reach is not damage
    throw damaged(file, `cannot be read (${errorCode(error)})`, error);
  }
  const { sha256 } = file;
  if (sha256 !== undefined && createHash('sha256').update(bytes).digest('hex') !== sha256) {
    throw damaged(file, 'is damaged (its SHA-256 is not the one committed)');
  }
  return bytes;
}

function damaged({ path }: DataFile, what: string, cause?: unknown): UserError {
  return new UserError(
    EXIT.io,
    `Data file ${path} ${what}: run \`bullion rebuild\` to make it again from the bronze log.`,
    { cause },
  );
}
