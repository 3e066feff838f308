/**
 * Recovery of the lake at start: which files go, whether the last epoch still has to be published,
 * where each log is read from again. The decision is a pure function of facts; files are deleted
 * only below the lake directory, never through a symbolic link, and only data files and leftovers.
 */
import type { Exchange } from '#schemas/exchange';
import type { Disk } from '#src/base/disk';
import { assert, EXIT, UserError } from '#src/base/errors';
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
  /** Whether this state has looked over this lake before. */
  readonly adopted: boolean;
}

export interface RecoveryDecision {
  /** Files no epoch names, and removed ones the tables are published without. */
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

export interface RecoverOptions extends LakePlace {
  /** Publishes an epoch's tables; doing it again changes nothing. Absent: there is nowhere to. */
  readonly publish?: (epoch: number) => Promise<void>;
}

const ADOPTED = ['lake', 'adopted'] as const;

export function decideRecovery(facts: RecoveryFacts): RecoveryDecision {
  const { record, found, live, removed, adopted } = facts;
  const isPublishedWithout = (file: RemovedFile): boolean =>
    file.removedEpoch <= record.publishedEpoch;
  // A removed file that published tables still show stays until they are published again.
  const shown = new Set(removed.filter((f) => !isPublishedWithout(f)).map((f) => f.path));
  const present = new Set(found);
  const orphans = found.filter((path) => !live.has(path) && !shown.has(path));
  return {
    deleteFiles: orphans,
    forget: removed.filter(isPublishedWithout).map((f) => f.path),
    missing: [...live].filter((path) => !present.has(path)),
    strangers: adopted || record.epoch > 0 ? [] : orphans.filter(isDataFile),
    finishPublish: !isPublished(record),
    resumeFrom: record.progress.map(({ exchange, nextSequence }) => ({ exchange, nextSequence })),
  };
}

/** Finishes publishing the last epoch and brings the lake directory in line with it. */
export async function recoverLake(options: RecoverOptions): Promise<void> {
  const { disk, store, lakeDir, publish } = options;
  const facts = lakeFacts(options);
  const before = decideRecovery(facts);
  refuse(before, store.directory, lakeDir);
  if (!facts.adopted) await store.mark(...ADOPTED);
  if (before.finishPublish) {
    await publish?.(facts.record.epoch);
    await store.markPublished(facts.record.epoch);
  }
  const { deleteFiles, forget } = decideRecovery({ ...facts, record: store.epoch() });
  deletePaths(disk, lakeDir, deleteFiles);
  if (forget.length > 0) await store.forgetRemoved(forget);
}

/** After a publish: deletes and forgets the files the tables are now published without. */
export async function deleteRemoved({ disk, store, lakeDir }: LakePlace): Promise<void> {
  const { publishedEpoch } = store.epoch();
  const removed = store.removedFiles().filter((file) => file.removedEpoch <= publishedEpoch);
  if (removed.length === 0) return;
  const paths = removed.map((file) => file.path);
  deletePaths(
    disk,
    lakeDir,
    paths.filter((path) => isThere(disk, lakeDir, path)),
  );
  await store.forgetRemoved(paths);
}

function lakeFacts({ disk, store, lakeDir }: LakePlace): RecoveryFacts {
  const found: string[] = [];
  for (const path of walk(disk, lakeDir, '')) {
    if (isDataFile(path) || path.endsWith('.tmp')) found.push(path);
  }
  return {
    record: store.epoch(),
    found,
    live: store.allLivePaths(),
    removed: store.removedFiles(),
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
