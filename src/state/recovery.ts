/**
 * Recovery of the lake at start: which files go, whether the last epoch still has to be published,
 * where each log is read from again. The decision is a pure function of facts; files are deleted
 * only below the lake directory, never through a symbolic link, and only data files and leftovers.
 */
import type { Exchange } from '#schemas/exchange';
import { assert, EXIT, UserError } from '#src/base/errors';
import { type EpochRecord, isPublished } from '#src/state/epoch-record';
import type { RemovedFile } from '#src/state/file-catalog';
import type { LakeDisk } from '#src/state/lake-disk';
import { StateCorruptError } from '#src/state/state-errors';
import type { StateStore } from '#src/state/store';

export interface FoundFile {
  /** Relative to the lake directory, with `/`. */
  readonly path: string;
  readonly modifiedUs: number;
}

export interface RecoveryFacts {
  readonly createdUs: number;
  readonly record: EpochRecord;
  readonly found: readonly FoundFile[];
  /** Paths the catalog names. */
  readonly live: ReadonlySet<string>;
  readonly removed: readonly RemovedFile[];
}

export interface RecoveryDecision {
  /** Files no epoch names, and removed ones the tables are published without. */
  readonly deleteFiles: readonly string[];
  /** Removed files to forget once they are gone. */
  readonly forget: readonly string[];
  /** Live files that are not on the disk: nothing may be deleted, the lake is damaged. */
  readonly missing: readonly string[];
  /** Data files older than a state that has no epoch yet: they belong to a state that is lost. */
  readonly strangers: readonly string[];
  readonly finishPublish: boolean;
  readonly resumeFrom: readonly { readonly exchange: Exchange; readonly nextSequence: number }[];
}

export interface LakePlace {
  readonly disk: LakeDisk;
  readonly store: StateStore;
  readonly lakeDirectory: string;
}

export function decideRecovery(facts: RecoveryFacts): RecoveryDecision {
  const { createdUs, record, found, live, removed } = facts;
  const isPublishedWithout = (file: RemovedFile): boolean =>
    file.removedEpoch <= record.publishedEpoch;
  // A removed file that published tables still show stays until they are published again.
  const shown = new Set(removed.filter((f) => !isPublishedWithout(f)).map((f) => f.path));
  const present = new Set(found.map((f) => f.path));
  const orphans = found.filter(({ path }) => !live.has(path) && !shown.has(path));
  const isStranger = (file: FoundFile): boolean =>
    record.epoch === 0 && isDataFile(file.path) && file.modifiedUs < createdUs;
  return {
    deleteFiles: orphans.map((f) => f.path),
    forget: removed.filter(isPublishedWithout).map((f) => f.path),
    missing: [...live].filter((path) => !present.has(path)),
    strangers: orphans.filter(isStranger).map((f) => f.path),
    finishPublish: !isPublished(record),
    resumeFrom: record.progress.map(({ exchange, nextSequence }) => ({ exchange, nextSequence })),
  };
}

/** Brings the lake directory in line with the last epoch, and says what is left to do. */
export async function recoverLake(place: LakePlace): Promise<RecoveryDecision> {
  const { disk, store, lakeDirectory } = place;
  const found: FoundFile[] = [];
  for (const path of walk(disk, lakeDirectory, '')) {
    if (!isDataFile(path) && !path.endsWith('.tmp')) continue;
    found.push({ path, modifiedUs: disk.modifiedUs(`${lakeDirectory}/${path}`) });
  }
  const decision = decideRecovery({
    createdUs: store.identity.createdUs,
    record: store.epoch(),
    found,
    live: store.allLivePaths(),
    removed: store.removedFiles(),
  });
  refuse(decision, store.directory, lakeDirectory);
  deleteFiles(disk, lakeDirectory, decision.deleteFiles);
  if (decision.forget.length > 0) await store.forgetRemoved(decision.forget);
  return decision;
}

/** After a publish: deletes and forgets the files the tables are now published without. */
export async function deleteRemoved(place: LakePlace): Promise<void> {
  const { disk, store, lakeDirectory } = place;
  const { publishedEpoch } = store.epoch();
  const removed = store.removedFiles().filter((file) => file.removedEpoch <= publishedEpoch);
  if (removed.length === 0) return;
  const paths = removed.map((file) => file.path);
  const isThere = (path: string): boolean => isPlainFile(disk, lakeDirectory, path);
  deleteFiles(disk, lakeDirectory, paths.filter(isThere));
  await store.forgetRemoved(paths);
}

/** `<table>/data/.../<name>.parquet` */
function isDataFile(path: string): boolean {
  return /^[^/]+\/data\/.+\.parquet$/.test(path);
}

function refuse(decision: RecoveryDecision, stateDirectory: string, lakeDirectory: string): void {
  const { missing, strangers } = decision;
  if (missing.length > 0) {
    const what = `${missing.length} data files it names are not in ${lakeDirectory}, first ${missing[0]}`;
    throw new StateCorruptError(stateDirectory, what);
  }
  if (strangers.length > 0) {
    const message = `The state in ${stateDirectory} is new but ${lakeDirectory} holds ${strangers.length} older data files (first ${strangers[0]}); bring back the state directory that belongs to them, or move them away.`;
    throw new UserError(EXIT.config, message);
  }
}

/** Paths of all plain files below a folder, relative to the lake directory. */
function* walk(disk: LakeDisk, lakeDirectory: string, folder: string): Generator<string> {
  for (const { name, kind } of disk.list(folder ? `${lakeDirectory}/${folder}` : lakeDirectory)) {
    const path = folder ? `${folder}/${name}` : name;
    if (kind === 'directory') yield* walk(disk, lakeDirectory, path);
    else if (kind === 'file') yield path;
  }
}

/** Whether every step of the path is a real folder and its end a plain file. */
function isPlainFile(disk: LakeDisk, lakeDirectory: string, path: string): boolean {
  const names = path.split('/');
  let directory = lakeDirectory;
  return names.every((name, i) => {
    const wanted = i === names.length - 1 ? 'file' : 'directory';
    const isThere = disk.list(directory).some((e) => e.name === name && e.kind === wanted);
    directory += `/${name}`;
    return isThere;
  });
}

function deleteFiles(disk: LakeDisk, lakeDirectory: string, paths: readonly string[]): void {
  const folders = new Set<string>();
  for (const path of paths) {
    const isInside = !path.split('/').some((name) => name === '' || name === '.' || name === '..');
    assert(isInside, `${path} is not a path inside the lake`);
    const full = `${lakeDirectory}/${path}`;
    disk.unlink(full);
    folders.add(full.slice(0, full.lastIndexOf('/')));
  }
  for (const folder of folders) disk.syncDirectory(folder);
}
