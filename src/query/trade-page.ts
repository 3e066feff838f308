/**
 * One page of trades: the first `limit` after a key, or the last ones, in the order of
 * src/query/trade-filter.ts. Partitions are read one after the other and no further than needed;
 * of a partition, only the row groups that hold a row of the page are decoded in full.
 */
import type { Vector } from 'apache-arrow';
import { tradeColumn } from '#schemas/trade';
import { columnReader } from '#src/lake/column-reader';
import { partitionSpan } from '#src/lake/partition';
import { ROWS_PER_FILE_MAX } from '#src/lake/rows-per-file';
import { type DataFile, decodeBytes, type ReadFile } from '#src/lake/table-reader';
import type { PlainRow } from '#src/query/answer-table';
import {
  decodeColumns,
  filterColumns,
  type Matches,
  matchingRows,
  type OpenFile,
  openFiles,
} from '#src/query/trade-files';
import { compareKeys, type TradeFilter, type TradeKey } from '#src/query/trade-filter';

export interface TradePageRequest {
  readonly files: readonly DataFile[];
  readonly filter: TradeFilter;
  /** Trades up to and with this one were given before. */
  readonly after?: TradeKey;
  readonly limit: number;
  /** The first ones of the range, or the last. The page is oldest first either way. */
  readonly which: 'first' | 'last';
  /** Names of columns of schemas/trade.ts. */
  readonly fields: readonly string[];
}

export interface TradePage {
  readonly rows: readonly PlainRow[];
  /** Key of the last row where the page is full, so that there may be more. */
  readonly last: TradeKey | undefined;
}

interface KeyedRow {
  readonly key: TradeKey;
  readonly row: PlainRow;
}

export async function tradePage(read: ReadFile, request: TradePageRequest): Promise<TradePage> {
  const { files, filter, after, limit, which } = request;
  const startUs = Math.max(filter.startUs, after?.timeUs ?? 0);
  const partitions = [...new Set(files.map(({ partition }) => partition))].sort();
  if (which === 'last') partitions.reverse();
  let found: KeyedRow[] = [];
  for (const partition of partitions) {
    if (found.length >= limit) break;
    const span = partitionSpan(partition);
    if (span.endUs <= startUs || span.startUs >= filter.endUs) continue;
    const theirs = files.filter((file) => file.partition === partition);
    const left = limit - found.length;
    const opened = await openFiles(read, theirs);
    const rows = partitionRows(opened, { ...request, limit: left }, startUs);
    found = which === 'first' ? [...found, ...rows] : [...rows, ...found];
  }
  const last = found.length === limit ? found.at(-1)?.key : undefined;
  return { rows: found.map(({ row }) => row), last };
}

function partitionRows(
  files: readonly OpenFile[],
  { filter, after, limit, which, fields }: TradePageRequest,
  startUs: number,
): KeyedRow[] {
  const scanned = decodeColumns(files, filterColumns(filter));
  const matches = matchingRows(scanned, { ...filter, startUs });
  const wanted = candidates(matches, after, limit, which);
  const rows = files
    .flatMap((file, k) => materialise(file, rowsOf(matches, wanted, k), fields))
    .filter(({ key }) => after === undefined || compareKeys(key, after) > 0)
    .sort((a, b) => compareKeys(a.key, b.key));
  return which === 'first' ? rows.slice(0, limit) : rows.slice(-limit);
}

/** Indexes of matches that may be on the page: whatever is not later (earlier) than its last time. */
function candidates(
  { count, timeUs }: Matches,
  after: TradeKey | undefined,
  limit: number,
  which: 'first' | 'last',
): number[] {
  const times = timeUs.slice(0, count).sort();
  const seen = after === undefined ? 0 : times.filter((time) => time === after.timeUs).length;
  const place = which === 'first' ? limit + seen - 1 : count - limit;
  const bound = times[Math.min(Math.max(place, 0), count - 1)] as number;
  const chosen: number[] = [];
  for (let i = 0; i < count; i++) {
    const time = timeUs[i] as number;
    if (which === 'first' ? time <= bound : time >= bound) chosen.push(i);
  }
  return chosen;
}

/** Rows of file `k`, ascending. */
function rowsOf(matches: Matches, chosen: readonly number[], k: number): number[] {
  return chosen
    .filter((i) => matches.source[i] === k)
    .map((i) => matches.row[i] as number)
    .sort((a, b) => a - b);
}

const KEY_COLUMNS = ['timestamp', 'exchange', 'symbol', 'trade_id'];

function materialise(
  { file, bytes }: OpenFile,
  rows: readonly number[],
  fields: readonly string[],
): KeyedRow[] {
  const columns = [...new Set([...KEY_COLUMNS, ...fields])];
  const groups = [...new Set(rows.map((row) => Math.floor(row / ROWS_PER_FILE_MAX)))];
  return groups.flatMap((group) => {
    const table = decodeBytes(file, bytes, { columns, rowGroups: [group] });
    const reader = (name: string) =>
      columnReader(tradeColumn(name), table.getChild(name) as Vector);
    const cells = fields.map((name) => [name, reader(name)] as const);
    const [time, exchange, symbol, id] = KEY_COLUMNS.map(reader) as [
      (row: number) => unknown,
      (row: number) => unknown,
      (row: number) => unknown,
      (row: number) => unknown,
    ];
    const first = group * ROWS_PER_FILE_MAX;
    return rows
      .filter((row) => Math.floor(row / ROWS_PER_FILE_MAX) === group)
      .map((row) => row - first)
      .map((row) => ({
        key: {
          timeUs: time(row) as number,
          exchange: exchange(row) as string,
          symbol: symbol(row) as string,
          id: Number(String(id(row)).split('-')[1]),
        },
        row: Object.fromEntries(cells.map(([name, cell]) => [name, cell(row)])) as PlainRow,
      }));
  });
}
