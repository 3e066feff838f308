/**
 * The audit: whether what is stored agrees with itself.
 *
 *   every run      per exchange: frames judged, valid trades = gold + duplicates, gold = ids in the
 *                  interval sets; rows of the bronze, silver and dead letter tables (with those past
 *                  retention) = what was judged; rows a table's Iceberg snapshot tells = the catalog's
 *   one day a run  gold rows = trades counted in the candles of every timeframe; candle files = state
 *   some files     SHA-256 and size, going on where the last run stopped
 *
 * It reads one committed epoch; when another is committed meanwhile it starts over.
 */
import { createHash } from 'node:crypto';
import { bronzeTable } from '#schemas/bronze';
import { candleTable } from '#schemas/candle';
import { DEAD_LETTERS } from '#schemas/dead-letter';
import { EXCHANGES, exchangeKey } from '#schemas/exchange';
import { TIMEFRAMES } from '#schemas/timeframe';
import { GOLD_TRADES, silverTable } from '#schemas/trade';
import { errorCode } from '#src/base/errors';
import { partitionRangeUs } from '#src/candles/partition';
import { numberAt, recordWords, WORD } from '#src/candles/record';
import { tableRecords } from '#src/iceberg/publication';
import { TABLES } from '#src/iceberg/table-definition';
import type { Lake } from '#src/iceberg/table-place';
import { isDiskError } from '#src/lake/file-sink';
import { DAY_US, dayPartition, monthPartition } from '#src/lake/partition';
import { type EpochRecord, isPublished } from '#src/state/epoch-record';
import type { DataFile } from '#src/state/file-catalog';
import type { StateStore } from '#src/state/store';
import { IntervalSet } from '#src/trades/interval-set';

export interface AuditPlace {
  readonly store: StateStore;
  readonly tables: Lake;
}

/** What the last run looked at last; empty before the first. */
export interface AuditCursor {
  readonly path: string;
  readonly day: string;
}

export interface AuditReport {
  /** Each a sentence; none when everything agrees. */
  readonly problems: readonly string[];
  readonly files: number;
  readonly bytes: number;
  readonly rows: number;
  readonly cursor: AuditCursor;
}

const ATTEMPTS_MAX = 5;

export async function audit(
  place: AuditPlace,
  cursor: AuditCursor,
  filesMax: number,
): Promise<AuditReport> {
  for (let attempt = 0; ; attempt++) {
    const { epoch, publishedEpoch } = place.store.epoch();
    const counts = await auditCounts(place, cursor.day);
    const after = place.store.epoch();
    const isSame = after.epoch === epoch && after.publishedEpoch === publishedEpoch;
    if (!isSame && attempt < ATTEMPTS_MAX) continue;
    const digests = await auditFiles(place, cursor.path, filesMax);
    return {
      problems: [...(isSame ? counts.problems : []), ...digests.problems],
      files: digests.files,
      bytes: digests.bytes,
      rows: counts.rows,
      cursor: { path: digests.path, day: counts.day },
    };
  }
}

async function auditCounts(
  { store, tables }: AuditPlace,
  lastDay: string,
): Promise<{ problems: string[]; rows: number; day: string }> {
  const problems: string[] = [];
  const record = store.epoch();
  const rowsOf = new Map<string, number>();
  for (const name of TABLES.keys()) rowsOf.set(name, sumRows(store.files(name)));
  const agree = (what: string, actual: number, expected: number): void => {
    if (actual !== expected) problems.push(`${what}: ${actual}, expected ${expected}`);
  };
  auditContinuity(store, record, rowsOf, agree);
  if (isPublished(record)) {
    for (const [name, rows] of rowsOf) {
      const shown = await tableRecords(tables, name);
      if (shown !== undefined) agree(`rows ${name} shows in its snapshot`, shown, rows);
    }
  }
  const day = dayAfter(store, lastDay);
  if (day !== '') auditDay(store, record, day, agree);
  const rows = [...rowsOf.values()].reduce((sum, count) => sum + count, 0);
  return { problems, rows, day };
}

type Agree = (what: string, actual: number, expected: number) => void;

/** Bronze to silver to gold to interval sets. */
function auditContinuity(
  store: StateStore,
  { progress, gold, bronze, expiredRows }: EpochRecord,
  rowsOf: ReadonlyMap<string, number>,
  agree: Agree,
): void {
  const ever = (table: string): number => (rowsOf.get(table) ?? 0) + (expiredRows[table] ?? 0);
  const ids = new Map<string, number>();
  const exchangeOf = store.instruments().map(({ exchange }) => exchange);
  for (const { instrument, intervals } of store.intervalSets()) {
    const exchange = exchangeOf[instrument] as string;
    ids.set(exchange, (ids.get(exchange) ?? 0) + IntervalSet.unpack(intervals).idsCount);
  }
  for (const exchange of EXCHANGES) {
    const key = exchangeKey(exchange);
    const { trades = 0, duplicates = 0 } = gold.find((g) => g.exchange === exchange) ?? {};
    const judged = progress.find((p) => p.exchange === exchange);
    agree(
      `ids in ${exchange}'s interval sets against its gold trades`,
      ids.get(exchange) ?? 0,
      trades,
    );
    agree(
      `valid trades of ${exchange} against gold and duplicates`,
      judged?.valid ?? 0,
      trades + duplicates,
    );
    agree(`rows of ${silverTable(key)}, past ones too`, ever(silverTable(key)), judged?.valid ?? 0);
    const tabled = bronze.find((b) => b.exchange === exchange)?.nextSequence ?? 0;
    // Sequences a damaged log has lost are in no table; which part of it they were in is not known.
    const lost = judged === undefined ? 0 : judged.nextSequence - judged.frames;
    const frames = ever(bronzeTable(key));
    const expected = Math.min(Math.max(frames, tabled - lost), tabled);
    agree(`rows of ${bronzeTable(key)}, past ones too`, frames, expected);
  }
  const trades = gold.reduce((sum, total) => sum + total.trades, 0);
  agree(`rows of ${GOLD_TRADES} against gold trades`, rowsOf.get(GOLD_TRADES) ?? 0, trades);
  const letters = progress.reduce((sum, { deadLetters }) => sum + deadLetters, 0);
  agree(`rows of ${DEAD_LETTERS} against dead letters`, ever(DEAD_LETTERS), letters);
}

/** A day of gold against the candles of that day. */
function auditDay(store: StateStore, record: EpochRecord, day: string, agree: Agree): void {
  const fromUs = Date.parse(`${day}T00:00:00Z`) * 1000;
  const rows = sumRows(store.files(GOLD_TRADES, { partition: `exchange_date=${day}` }));
  const codes = store.instruments().length;
  for (const [timeframe, name] of TIMEFRAMES.entries()) {
    if (fromUs < (record.candlesFromUs[timeframe] ?? 0)) continue;
    const counted = countCandles(store, timeframe, codes, fromUs, fromUs + DAY_US);
    agree(`trades in the ${name} candles of ${day} against gold`, counted.trades, rows);
    const span = partitionRangeUs(timeframe, fromUs);
    const table = candleTable(name);
    const dayNumber = fromUs / DAY_US;
    const partition =
      name === '1d'
        ? monthPartition('window_month', dayNumber)
        : dayPartition('window_date', dayNumber);
    const { candles } = countCandles(store, timeframe, codes, span.fromUs, span.toUs);
    agree(
      `rows of ${table} in ${partition} against the state`,
      sumRows(store.files(table, { partition })),
      candles,
    );
  }
}

function countCandles(
  store: StateStore,
  timeframe: number,
  codes: number,
  fromUs: number,
  toUs: number,
): { candles: number; trades: number } {
  const sum = { candles: 0, trades: 0 };
  for (let code = 0; code < codes; code++) {
    for (const bytes of store.candles(timeframe, code, fromUs, toUs)) {
      sum.candles++;
      sum.trades += numberAt(recordWords(bytes), 0, WORD.tradeCount);
    }
  }
  return sum;
}

/** The day of gold after `lastDay`, or the first again; '' without gold. */
function dayAfter(store: StateStore, lastDay: string): string {
  const days = new Set<string>();
  for (const { partition } of store.files(GOLD_TRADES)) {
    days.add((/^exchange_date=([\d-]+)/.exec(partition) as RegExpExecArray)[1] as string);
  }
  const sorted = [...days].sort();
  return sorted.find((day) => day > lastDay) ?? sorted[0] ?? '';
}

async function auditFiles(
  { store, tables }: AuditPlace,
  lastPath: string,
  filesMax: number,
): Promise<{ problems: string[]; files: number; bytes: number; path: string }> {
  const all = [...store.allFiles()]; // by path
  const start = all.findIndex(({ path }) => path > lastPath);
  const turned = start < 0 ? all : [...all.slice(start), ...all.slice(0, start)];
  const problems: string[] = [];
  let bytes = 0;
  const looked = turned.slice(0, filesMax);
  for (const file of looked) {
    const problem = await fileProblem(tables, file);
    // It may have left its table while we looked, and then the disk.
    if (problem !== undefined && store.liveFile(file.path) !== undefined) problems.push(problem);
    bytes += file.bytes;
  }
  return { problems, files: looked.length, bytes, path: looked.at(-1)?.path ?? '' };
}

async function fileProblem({ warehouse }: Lake, file: DataFile): Promise<string | undefined> {
  try {
    const bytes = await warehouse.get(file.path);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    if (bytes.length === file.bytes && sha256 === file.sha256) return undefined;
    return `${file.path} is damaged: its SHA-256 is not the one committed`;
  } catch (error) {
    if (!isDiskError(error)) throw error;
    return `${file.path} cannot be read (${errorCode(error)})`;
  }
}

function sumRows(files: Iterable<DataFile>): number {
  let rows = 0;
  for (const file of files) rows += file.rows;
  return rows;
}

/** A cursor as the job history keeps it. */
export function parseCursor(text: string | undefined): AuditCursor {
  const [day = '', path = ''] = (text ?? '').split('|');
  return { day, path };
}

export function cursorText({ day, path }: AuditCursor): string {
  return `${day}|${path}`;
}
