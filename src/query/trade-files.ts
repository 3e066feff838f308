/**
 * The files of one partition of a trade table, as the rows of them that match a filter. Only the
 * columns the filter looks at are decoded for all rows; the rest is decoded where a row is wanted.
 */
import type { Data, Table, Vector } from 'apache-arrow';
import { joinInt64 } from '#src/base/int64';
import { fixedWords } from '#src/lake/arrow-values';
import { type DataFile, decodeBytes, proveDataFile, type ReadFile } from '#src/lake/table-reader';
import type { TradeFilter } from '#src/query/trade-filter';

/** A file whose bytes are verified, to be decoded column by column. */
export interface OpenFile {
  readonly file: DataFile;
  readonly bytes: Uint8Array;
}

export function openFiles(read: ReadFile, files: readonly DataFile[]): Promise<OpenFile[]> {
  return Promise.all(files.map(async (file) => ({ file, bytes: await proveDataFile(read, file) })));
}

/** Rows that match, in no order: row `row[i]` of file `source[i]`, with its time. */
export interface Matches {
  readonly count: number;
  readonly source: Uint16Array;
  readonly row: Int32Array;
  readonly timeUs: Float64Array;
  /** Index in filter.instruments. */
  readonly instrument: Uint16Array;
}

/** The columns a filter looks at. */
export function filterColumns(filter: TradeFilter): string[] {
  const { side, priceMin, priceMax, quantityMin, quantityMax } = filter;
  return [
    'symbol',
    'exchange',
    'timestamp',
    ...(side === undefined ? [] : ['side']),
    ...(priceMin === undefined && priceMax === undefined ? [] : ['price']),
    ...(quantityMin === undefined && quantityMax === undefined ? [] : ['quantity']),
  ];
}

export function column(table: Table, name: string): Data {
  return (table.getChild(name) as Vector).data[0] as Data;
}

/** `tables`: each file with at least the filter's columns. */
export function matchingRows(tables: readonly Table[], filter: TradeFilter): Matches {
  const rows = tables.reduce((sum, { numRows }) => sum + numRows, 0);
  const source = new Uint16Array(rows);
  const row = new Int32Array(rows);
  const timeUs = new Float64Array(rows);
  const instrument = new Uint16Array(rows);
  let count = 0;
  for (const [k, table] of tables.entries()) {
    if (table.numRows === 0) continue;
    const { words } = fixedWords(column(table, 'timestamp'));
    const instrumentAt = instrumentReader(table, filter);
    const passes = rowTests(table, filter);
    for (let i = 0; i < table.numRows; i++) {
      const time = joinInt64(words[2 * i] as number, words[2 * i + 1] as number);
      if (time < filter.startUs || time >= filter.endUs) continue;
      const index = instrumentAt(i);
      if (index < 0 || !passes.every((test) => test(i))) continue;
      source[count] = k;
      row[count] = i;
      timeUs[count] = time;
      instrument[count] = index;
      count++;
    }
  }
  return { count, source, row, timeUs, instrument };
}

/** A row's index in filter.instruments; -1 for another one. */
function instrumentReader(table: Table, { instruments }: TradeFilter): (row: number) => number {
  const symbols = coded(table, 'symbol');
  const exchanges = coded(table, 'exchange');
  const width = exchanges.texts.length;
  const indexes = new Int32Array(symbols.texts.length * width).fill(-1);
  for (const [s, symbol] of symbols.texts.entries()) {
    for (const [e, exchange] of exchanges.texts.entries()) {
      indexes[s * width + e] = instruments.findIndex(
        (one) => one.symbol === symbol && one.exchange === exchange,
      );
    }
  }
  return (row) =>
    indexes[(symbols.codes[row] as number) * width + (exchanges.codes[row] as number)] as number;
}

interface CodedTexts {
  readonly texts: readonly string[];
  readonly codes: ArrayLike<number>;
}

export function coded(table: Table, name: string): CodedTexts {
  const data = column(table, name);
  return { texts: [...(data.dictionary as Vector)], codes: data.values as ArrayLike<number> };
}

function rowTests(table: Table, filter: TradeFilter): ((row: number) => boolean)[] {
  const tests: ((row: number) => boolean)[] = [];
  const { side, priceMin, priceMax, quantityMin, quantityMax } = filter;
  if (side !== undefined) {
    const { texts, codes } = coded(table, 'side');
    const wanted = texts.indexOf(side);
    tests.push((row) => codes[row] === wanted);
  }
  const between = (name: string, min: bigint | undefined, max: bigint | undefined): void => {
    if (min === undefined && max === undefined) return;
    const values = decimals(column(table, name));
    tests.push((row) => {
      const value = values[2 * row] as bigint;
      return (min === undefined || value >= min) && (max === undefined || value <= max);
    });
  };
  between('price', priceMin, priceMax);
  between('quantity', quantityMin, quantityMax);
  return tests;
}

/** DECIMAL(18, 8) as int64 x 10^8: value i is at 2 x i. */
export function decimals(data: Data): BigInt64Array {
  const { words } = fixedWords(data);
  return new BigInt64Array(words.buffer, words.byteOffset, words.length / 2);
}

export function decodeColumns(files: readonly OpenFile[], columns: readonly string[]): Table[] {
  return files.map(({ file, bytes }) => decodeBytes(file, bytes, { columns: [...columns] }));
}
