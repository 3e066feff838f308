/**
 * The checkers: each promise as a function that looks at the simulated disk and store from outside
 * and throws a Violation. When they run is the world's business (world.ts).
 */
import { createHash } from 'node:crypto';
import { type Table, tableFromIPC, type Vector } from 'apache-arrow';
import { readParquet } from 'parquet-wasm';
import { bronzeTable } from '#schemas/bronze';
import { DEAD_LETTER, DEAD_LETTERS } from '#schemas/dead-letter';
import { exchangeKey } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import type { TableSchema } from '#schemas/schema';
import { TIMEFRAMES } from '#schemas/timeframe';
import { GOLD_TRADES, silverTable, TRADE } from '#schemas/trade';
import { TABLES } from '#src/iceberg/table-definition';
import { columnReader } from '#src/lake/column-reader';
import type { EpochRecord } from '#src/state/epoch-record';
import type { DataFile } from '#src/state/file-catalog';
import type { StateStore } from '#src/state/store';
import type { SimDisk, SimFile } from '#tests/sim/disk';
import { TIMEFRAME_TABLES } from '#tests/sim/lake';
import { bytesText, LineSum, sumOf } from '#tests/sim/line-sum';
import type { SimTables } from '#tests/sim/tables';
import type { Kind, Truth } from '#tests/sim/truth';
import { hold, sameRows, Violation } from '#tests/sim/violation';
import { gapLines, recordLines } from '#tests/support/held-state';
import { oracleCandles } from '#tests/support/oracle/candles';
import { gapLine, recordLine } from '#tests/support/oracle/lines';

/** More rows than any file has: one record batch. */
const ROWS_MAX = 2 ** 30;

export interface Scene {
  readonly disk: SimDisk;
  readonly store: StateStore;
  readonly lakeDir: string;
  readonly instruments: readonly Instrument[];
  readonly truths: readonly Truth[];
  readonly parquet: boolean;
}

/** I6, I7, I14: a new epoch follows the last one, and everything it stands on is durable. */
export function checkEpoch(scene: Scene, before: EpochRecord, now: EpochRecord): void {
  const { disk, truths } = scene;
  hold('I7', now.epoch === before.epoch || now.epoch === before.epoch + 1, () => {
    return `epoch ${now.epoch} follows ${before.epoch}`;
  });
  hold('I6', now.publishedEpoch <= now.epoch && now.publishedEpoch >= before.publishedEpoch, () => {
    return `published ${before.publishedEpoch} -> ${now.publishedEpoch} of epoch ${now.epoch}`;
  });
  for (const { exchange, nextSequence } of now.progress) {
    const truth = truths.find((one) => one.exchange === exchange);
    const earlier = before.progress.find((one) => one.exchange === exchange)?.nextSequence ?? 0;
    hold(
      'I6',
      nextSequence >= earlier,
      () => `${exchange} went from ${earlier} to ${nextSequence}`,
    );
    if (truth === undefined) continue;
    hold('I6', nextSequence <= truth.mirror.nextSequence, () => {
      return `epoch ${now.epoch} covers ${exchange} below ${nextSequence}, bronze ends at ${truth.mirror.nextSequence}`;
    });
    const first = truth.mirror.firstNotDurable(disk, nextSequence);
    hold('I6', first === undefined, () => {
      return `epoch ${now.epoch} covers ${exchange} below ${nextSequence}, of which ${first} is not durable`;
    });
  }
}

/** The files an epoch names are whole and durable. */
export function checkFilesDurable(scene: Scene, files: Iterable<DataFile>): void {
  const { disk, lakeDir } = scene;
  for (const { path, bytes, sha256 } of files) {
    const full = `${lakeDir}/${path}`;
    const file = disk.files.get(full);
    if (file === undefined)
      throw new Violation('I14', `${path} is in an epoch and not on the disk`);
    hold('I14', disk.isNameDurable(full) && file.isDurableTo(bytes), () => {
      return `${path} is in an epoch and not durable`;
    });
    hold('I14', file.size === bytes && sha256Of(file) === sha256, () => {
      return `${path} is not what the epoch says`;
    });
  }
}

/** I1, I2: the rows an epoch added are those of the frames it covers. */
export function checkNewRows(scene: Scene, files: readonly DataFile[]): void {
  for (const truth of scene.truths) {
    const table = silverTable(exchangeKey(truth.exchange));
    sameRows('I1', `new rows of ${table}`, tradeLines(scene, table, files), truth.added.silver);
  }
  const all = (kind: Kind): string[] => scene.truths.flatMap(({ added }) => added[kind]);
  sameRows('I1', `new rows of ${GOLD_TRADES}`, tradeLines(scene, GOLD_TRADES, files), all('gold'));
  sameRows('I2', `new rows of ${DEAD_LETTERS}`, deadLines(scene, files), all('dead'));
}

/** I3, I4, I8: figures, gaps and candles of the last epoch are what the oracle makes of its frames. */
export function checkState(scene: Scene): void {
  const { store, truths, instruments } = scene;
  for (const truth of truths) checkFigures(truth, store.epoch());
  const gaps = truths.flatMap(({ oracle }) =>
    oracle.gaps().map((gap) => gapLine(oracle.exchange, gap)),
  );
  sameRows('I8', 'gaps', gapLines({ store, instruments }), gaps);
  for (const [k, timeframe] of TIMEFRAMES.entries()) {
    const candles = truths.flatMap(({ oracle }) => oracleCandles(oracle, k)).map(recordLine);
    sameRows('I4', `${timeframe} candles`, recordLines({ store, instruments }, k), candles);
  }
}

/** I1 to I4: every row of every file once more, and the files of candles and of bronze. */
export function checkTables(scene: Scene): void {
  const { store, truths, instruments } = scene;
  const files = [...store.allFiles()];
  checkFilesDurable(scene, files);
  const gold: string[] = [];
  const dead: string[] = [];
  for (const truth of truths) {
    const lines = truth.lines();
    const table = silverTable(exchangeKey(truth.exchange));
    sameRows('I1', table, tradeLines(scene, table, files), lines.silver);
    for (const line of lines.gold) gold.push(line);
    for (const line of lines.dead) dead.push(line);
    if (!scene.parquet) checkBronzeTable(scene, truth, files, store.epoch());
  }
  sameRows('I1', GOLD_TRADES, tradeLines(scene, GOLD_TRADES, files), gold);
  sameRows('I2', DEAD_LETTERS, deadLines(scene, files), dead);
  for (const [k, table] of TIMEFRAME_TABLES.entries()) {
    if (scene.parquet) break;
    const inFiles = files.filter((file) => file.table === table);
    const inState = instruments.flatMap(({ code }) =>
      Array.from(store.candles(k, code, 0, Number.MAX_SAFE_INTEGER), (record) =>
        Buffer.from(record).toString('hex'),
      ),
    );
    sameRows('I4', `rows of ${table}`, linesOf(scene, inFiles), inState);
  }
  store.verify();
}

/** I5: the same rows, figures, interval sets and candles, byte for byte, from the same bronze. */
export function checkReplay(first: Scene, again: Scene): void {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const state = ({ store, instruments }: Scene): string[] => [
    ...store.intervalSets().map(({ instrument, intervals }) => `${instrument} ${hex(intervals)}`),
    ...TIMEFRAMES.flatMap((_, k) =>
      instruments.flatMap(({ code }) =>
        Array.from(store.candles(k, code, 0, Number.MAX_SAFE_INTEGER), hex),
      ),
    ),
    ...store.epoch().progress.map((one) => JSON.stringify(one)),
    ...store.epoch().gold.map((one) => JSON.stringify(one)),
  ];
  sameRows('I5', 'interval sets, candles and figures', state(again), state(first));
  const files = [...again.store.allFiles()];
  const sumOfAll = (kind: Kind): LineSum => {
    const sum = new LineSum();
    for (const { sums } of first.truths) sum.join(sums[kind]);
    return sum;
  };
  const silver = first.truths.flatMap(({ exchange }) =>
    tradeLines(again, silverTable(exchangeKey(exchange)), files),
  );
  const tables = [
    ['silver', silver],
    ['gold', tradeLines(again, GOLD_TRADES, files)],
    ['dead', deadLines(again, files)],
  ] as const;
  for (const [kind, lines] of tables) {
    hold('I5', sumOf(lines).equals(sumOfAll(kind)), () => {
      return `${lines.length} ${kind} rows from a replay are not the ${sumOfAll(kind).count} there were`;
    });
  }
}

/** I3: what is told of a log and of gold is what is in them. */
function checkFigures({ oracle, exchange }: Truth, { epoch, progress, gold }: EpochRecord): void {
  const mine = progress.find((one) => one.exchange === exchange);
  const totals = gold.find((one) => one.exchange === exchange);
  const told = [
    mine?.frames ?? 0,
    mine?.control ?? 0,
    mine?.valid ?? 0,
    mine?.deadLetters ?? 0,
    mine?.watermarkUs ?? 0,
    totals?.trades ?? 0,
    totals?.duplicates ?? 0,
  ];
  const expected = [
    oracle.frames,
    oracle.control,
    oracle.silver.length,
    oracle.deadLetters.length,
    oracle.watermarkUs,
    oracle.gold.length,
    oracle.silver.length - oracle.gold.length,
  ];
  hold('I3', told.join() === expected.join(), () => {
    return `${exchange} epoch ${epoch}: frames, control, valid, dead, watermark, gold, duplicates are ${told}, expected ${expected}`;
  });
}

/** The bronze table holds the frames of sealed segments, whole and in order, below what is tabled. */
function checkBronzeTable(
  scene: Scene,
  { exchange, mirror }: Truth,
  files: readonly DataFile[],
  record: EpochRecord,
): void {
  const table = bronzeTable(exchangeKey(exchange));
  const tabled = record.bronze.find((one) => one.exchange === exchange)?.nextSequence ?? 0;
  const expected = mirror.frames
    .filter(({ sequence }) => sequence < tabled)
    .map(({ sequence, receiveUs, kind, connection, bytes }) => {
      return `${sequence}|${receiveUs}|${kind}|${connection}|${bytesText(bytes)}`;
    });
  const found = files.filter((file) => file.table === table);
  sameRows('I3', table, linesOf(scene, found), expected);
}

/** After a start: nothing lies in the lake that no epoch names, and nothing an epoch names is gone. */
export function checkLakeTidy({ disk, store, lakeDir }: Scene, at: string): void {
  const named = new Set([...store.allLivePaths(), ...store.removedFiles().map(({ path }) => path)]);
  for (const path of disk.files.keys()) {
    if (!path.startsWith(`${lakeDir}/`)) continue;
    const inside = path.slice(lakeDir.length + 1);
    if (!inside.includes('/data/')) continue;
    hold('I11', named.has(inside), () => `${at}: ${inside} is named by no epoch`);
  }
}

/** I11: every table shows the live files of the last epoch, and every shown file is on the disk. */
export function checkShown(
  { disk, lakeDir }: Scene,
  tables: SimTables,
  files: Iterable<DataFile>,
): void {
  const live = new Map<string, string[]>();
  for (const { table, path } of files) {
    const paths = live.get(table) ?? [];
    paths.push(path);
    live.set(table, paths);
  }
  for (const table of TABLES.keys()) {
    sameRows('I11', `files ${table} shows`, [...tables.shown(table)], live.get(table) ?? []);
  }
  for (const path of tables.everShown()) {
    hold('I11', disk.files.has(`${lakeDir}/${path}`), () => `${path} is shown and not on the disk`);
  }
}

function tradeLines(scene: Scene, table: string, files: readonly DataFile[]): string[] {
  const found = files.filter((file) => file.table === table);
  return scene.parquet ? parquetTrades(scene, found) : linesOf(scene, found);
}

function linesOf({ disk, lakeDir }: Scene, files: readonly DataFile[]): string[] {
  return files.flatMap(({ path }) => {
    const file = disk.files.get(`${lakeDir}/${path}`) as SimFile;
    return file.content().toString('latin1').split('\n');
  });
}

function deadLines(scene: Scene, all: readonly DataFile[]): string[] {
  const files = all.filter((file) => file.table === DEAD_LETTERS);
  if (!scene.parquet) return linesOf(scene, files);
  return parquetRows(scene, DEAD_LETTER, files).map((row) =>
    [
      row.bronze_source,
      row.offset,
      row.record_index,
      row.error_reason,
      row.error_type,
      row.error_timestamp,
      dateOf(row.dlq_date),
      Buffer.from(row.raw_record as Uint8Array)
        .toString('hex')
        .toUpperCase(),
    ].join('|'),
  );
}

function parquetTrades(scene: Scene, files: readonly DataFile[]): string[] {
  return parquetRows(scene, TRADE, files).map((row) =>
    [
      row.message_id,
      row.trade_id,
      row.symbol,
      row.exchange,
      row.asset_class,
      row.timestamp,
      row.price,
      row.quantity,
      row.currency,
      row.side,
      (row.trade_conditions as readonly string[]).join('+'),
      row.source_sequence ?? 'null',
      row.ingestion_timestamp,
      row.platform_sequence,
      Object.entries(row.vendor_data as object)
        .map(([key, value]) => `${key}=${value}`)
        .join('+'),
      dateOf(row.exchange_date),
      row.exchange_hour,
    ].join('|'),
  );
}

function dateOf(day: unknown): string {
  if (typeof day === 'string') return day;
  return new Date(Number(day) * 86_400_000).toISOString().slice(0, 10);
}

/** Every row of these files, at once: nothing may happen in the simulation meanwhile. */
function parquetRows(
  { disk, lakeDir }: Scene,
  { columns }: TableSchema,
  files: readonly DataFile[],
): Record<string, unknown>[] {
  return files.flatMap(({ path }) => {
    const bytes = Buffer.from((disk.files.get(`${lakeDir}/${path}`) as SimFile).content());
    const arrow: Table = tableFromIPC(readParquet(bytes, { batchSize: ROWS_MAX }).intoIPCStream());
    const cells = columns.map(
      (column) =>
        [column.name, columnReader(column, arrow.getChild(column.name) as Vector)] as const,
    );
    return Array.from({ length: arrow.numRows }, (_, row) =>
      Object.fromEntries(cells.map(([name, cell]) => [name, cell(row)])),
    );
  });
}

function sha256Of(file: SimFile): string {
  return createHash('sha256').update(file.content()).digest('hex');
}
