/**
 * Recovery of the lake at start: which files go, whether the last epoch still has to be published,
 * where each log is read from again. A data file that left its table stays as long as a snapshot of
 * the table shows it, so that the past can be read. The decision is a pure function of facts; files are deleted
 * only below the lake directory, never through a symbolic link, and only data files and leftovers.
 */

import type { Exchange } from '#schemas/exchange';
import type { Disk } from '#src/base/disk';
import { assert, EXIT, UserError } from '#src/base/errors';
import { mark } from '#src/base/marks';
import { type EpochRecord, isPublished } from '#src/state/epoch-record';
import type { RemovedFile } from '#src/state/file-catalog';
import { StateCorruptError } from '#src/state/state-errors';
import type { StateStore } from '#src/state/store';

export interface RecoveryFacts {
  readonly record: EpochRecord;
  /** Data files and `.tmp` leftovers on the disk, relative to the lake directory, with `/`. */
  readonly found: readonly string[];
  /** Paths the catalog names. */
  readonly live: ReadonlySet<string>;
  readonly removed: readonly RemovedFile[];
  /** Of a table, the epochs that its snapshots show. */
  readonly shownEpochs: ShownEpochs;
  /** Whether this state has looked over this lake before. */
  readonly adopted: boolean;
}

export type ShownEpochs = (table: string) => readonly number[];

export interface RecoveryDecision {
  /** Files no epoch names, and removed ones that no snapshot shows. */
  readonly deleteFiles: readonly string[];
  /** Removed files to forget once they are gone. */
  readonly forget: readonly string[];
  /** Live files that are not on the disk: the lake is damaged and nothing may be deleted. */
  readonly missing: readonly string[];
  /** Data files that were there before the state: they belong to a state that is lost. */
  readonly strangers: readonly string[];
  readonly finishPublish: boolean;
  readonly resumeFrom: readonly { readonly exchange: Exchange; readonly nextSequence: number }[];
}

export type LakeDisk = Pick<Disk, 'readdir' | 'stat' | 'unlink' | 'syncDirectory'>;

export interface LakePlace {
  readonly disk: LakeDisk;
  readonly store: StateStore;
  readonly lakeDir: string;
}

/** The tables over the data files, as far as recovery knows them. */
export interface PublishedTables {
  /** Makes every table show what the file catalog says; doing it again changes nothing. */
  reconcile(record: EpochRecord): Promise<void>;
  /** As the tables are now. */
  shownEpochs(): ShownEpochs;
}

export interface RecoverOptions extends LakePlace {
  readonly tables: PublishedTables;
}

const ADOPTED = ['lake', 'adopted'] as const;

export function decideRecovery(facts: RecoveryFacts): RecoveryDecision {
  const { record, found, live, removed, shownEpochs, adopted } = facts;
  const isShown = (file: RemovedFile): boolean => isStillShown(file, record, shownEpochs);
  const shown = new Set(removed.filter(isShown).map((f) => f.path));
  const present = new Set(found);
  const orphans = found.filter((path) => !live.has(path) && !shown.has(path));
  return {
    deleteFiles: orphans,
    forget: removed.filter((file) => !isShown(file)).map((f) => f.path),
    missing: [...live].filter((path) => !present.has(path)),
    strangers: adopted || record.epoch > 0 ? [] : orphans.filter(isDataFile),
    finishPublish: !isPublished(record),
    resumeFrom: record.progress.map(({ exchange, nextSequence }) => ({ exchange, nextSequence })),
  };
}

/**
 * Whether somebody can still be reading a removed file: its table is not published without it yet,
 * or has a snapshot of an epoch in which the file was part of it.
 */
function isStillShown(
  { table, epoch, removedEpoch }: RemovedFile,
  { publishedEpoch }: EpochRecord,
  shownEpochs: ShownEpochs,
): boolean {
  if (removedEpoch > publishedEpoch) return true;
  return shownEpochs(table).some((shown) => epoch <= shown && shown < removedEpoch);
}

/** Brings the tables and the lake directory in line with the last epoch. */
export async function recoverLake(options: RecoverOptions): Promise<void> {
  const { disk, store, lakeDir, tables } = options;
  const facts = lakeFacts(options);
  const before = decideRecovery(facts);
  refuse(before, store.directory, lakeDir);
  if (!facts.adopted) await store.mark(...ADOPTED);
  await tables.reconcile(facts.record);
  if (before.finishPublish) {
    mark('recovery: an epoch was published that was committed');
    await store.markPublished(facts.record.epoch);
  }
  const { deleteFiles, forget } = decideRecovery({
    ...facts,
    record: store.epoch(),
    shownEpochs: tables.shownEpochs(),
  });
  if (deleteFiles.length > 0) mark('recovery: files no epoch names were deleted');
  deleteLakeFiles(disk, lakeDir, deleteFiles);
  if (forget.length > 0) await store.forgetRemoved(forget);
}

/** After a publish: deletes and forgets the removed files that no snapshot shows. */
export async function deleteRemoved(
  { disk, store, lakeDir }: LakePlace,
  shownEpochs: ShownEpochs,
): Promise<void> {
  const record = store.epoch();
  const removed = store.removedFiles().filter((file) => !isStillShown(file, record, shownEpochs));
  if (removed.length === 0) return;
  const paths = removed.map((file) => file.path);
  deleteLakeFiles(disk, lakeDir, paths);
  await store.forgetRemoved(paths);
}

/**
 * Files in the lake that neither the catalog names nor a removed file's entry: left behind, or not
 * yet committed. Metadata files are the tables' own to judge, but for leftovers of writing them.
 */
export function findOrphans({ disk, store, lakeDir }: LakePlace): string[] {
  // The disk first: what is committed after it was listed is in the catalog by then.
  const found = listLake(disk, lakeDir);
  const named = new Set([...store.allLivePaths(), ...store.removedFiles().map((f) => f.path)]);
  return found.filter((path) => !named.has(path));
}

/** Deletes data files and leftovers by their paths; one that is gone already is no matter. */
export function deleteLakeFiles(disk: LakeDisk, lakeDir: string, paths: readonly string[]): void {
  deletePaths(
    disk,
    lakeDir,
    paths.filter((path) => isThere(disk, lakeDir, path)),
  );
}

function listLake(disk: LakeDisk, lakeDir: string): string[] {
  const found: string[] = [];
  for (const path of walk(disk, lakeDir, '')) {
    if (isDataFile(path) || path.endsWith('.tmp')) found.push(path);
  }
  return found;
}

function lakeFacts({ disk, store, lakeDir }: LakePlace): RecoveryFacts {
  return {
    record: store.epoch(),
    found: listLake(disk, lakeDir),
    live: store.allLivePaths(),
    removed: store.removedFiles(),
    shownEpochs: () => [],
    adopted: store.hasMark(...ADOPTED),
  };
}

/** `<table>/data/.../<name>.parquet` */
function isDataFile(path: string): boolean {
  return /^[^/]+\/data\/.+\.parquet$/.test(path);
}

function refuse(decision: RecoveryDecision, stateDir: string, lakeDir: string): void {
  const { missing, strangers } = decision;
  if (missing.length > 0) {
    const what = `${missing.length} data files it names are not in ${lakeDir}, first ${missing[0]}`;
    throw new StateCorruptError(stateDir, what);
  }
  if (strangers.length > 0) {
    const message = `The state in ${stateDir} is new but ${lakeDir} already holds ${strangers.length} data files (first ${strangers[0]}); bring back the state directory that belongs to them, or move them away.`;
    throw new UserError(EXIT.config, message);
  }
}

/** Paths of everything below a folder that is no directory, relative to the lake directory. A
 * symbolic link is never entered, whatever it points to. */
function* walk(disk: LakeDisk, lakeDir: string, folder: string): Generator<string> {
  const directory = folder ? `${lakeDir}/${folder}` : lakeDir;
  if (!folder && disk.stat(lakeDir) === undefined) return;
  for (const name of disk.readdir(directory).sort()) {
    const path = folder ? `${folder}/${name}` : name;
    if (disk.stat(`${lakeDir}/${path}`)?.directory) yield* walk(disk, lakeDir, path);
    else yield path;
  }
}

/** Whether a path leads through real directories to something that is none. */
function isThere(disk: LakeDisk, lakeDir: string, path: string): boolean {
  const names = path.split('/');
  let at = lakeDir;
  return names.every((name, i) => {
    at += `/${name}`;
    return disk.stat(at)?.directory === i < names.length - 1;
  });
}

function deletePaths(disk: LakeDisk, lakeDir: string, paths: readonly string[]): void {
  const folders = new Set<string>();
  for (const path of paths) {
    const isInside = !path.split('/').some((name) => name === '' || name === '.' || name === '..');
    assert(isInside, `${path} is not a path inside the lake`);
    const full = `${lakeDir}/${path}`;
    disk.unlink(full);
    folders.add(full.slice(0, full.lastIndexOf('/')));
  }
  for (const folder of folders) disk.syncDirectory(folder);
}
