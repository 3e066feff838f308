/**
 * Recovery of the lake at start: which files go, and whether the last epoch still has to be published.
 * A data file that left its table stays as long as a snapshot of the table shows it, so that the past
 * can be read. The decision is a pure function of facts; only data files and leftovers are ever
 * deleted.
 */

import { EXIT, UserError } from '#src/base/errors';
import { mark } from '#src/base/marks';
import { type EpochRecord, isPublished } from '#src/state/epoch-record';
import type { RemovedFile } from '#src/state/file-catalog';
import { StateCorruptError } from '#src/state/state-errors';
import type { StateStore } from '#src/state/store';
import type { Warehouse } from '#src/warehouse/warehouse';

export interface RecoveryFacts {
  readonly record: EpochRecord;
  /** Data files and `.tmp` leftovers in the warehouse. */
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
  /** Live files that are not in the warehouse: it is damaged and nothing may be deleted. */
  readonly missing: readonly string[];
  /** Data files that were there before the state: they belong to a state that is lost. */
  readonly strangers: readonly string[];
  readonly finishPublish: boolean;
}

export interface LakePlace {
  readonly warehouse: Warehouse;
  readonly store: StateStore;
}

/** Which epochs the snapshots of these tables show, as the tables are now. */
export type LookUpShown = (tables: Iterable<string>) => Promise<ShownEpochs>;

/** The tables over the data files, as far as recovery knows them. */
export interface PublishedTables {
  /** Makes every table show what the file catalog says; doing it again changes nothing. */
  reconcile(record: EpochRecord): Promise<void>;
  readonly shownEpochs: LookUpShown;
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

/** Brings the tables and the warehouse in line with the last epoch. */
export async function recoverLake(options: RecoverOptions): Promise<void> {
  const { warehouse, store, tables } = options;
  const facts = await lakeFacts(options);
  const before = decideRecovery(facts);
  refuse(before, store.directory, warehouse);
  if (!facts.adopted) await store.mark(...ADOPTED);
  await tables.reconcile(facts.record);
  if (before.finishPublish) {
    mark('recovery: an epoch was published that was committed');
    await store.markPublished(facts.record.epoch);
  }
  const { deleteFiles, forget } = decideRecovery({
    ...facts,
    record: store.epoch(),
    shownEpochs: await tables.shownEpochs(facts.removed.map(({ table }) => table)),
  });
  if (deleteFiles.length > 0) mark('recovery: files no epoch names were deleted');
  await warehouse.delete(deleteFiles);
  if (forget.length > 0) await store.forgetRemoved(forget);
}

/** After a publish: deletes and forgets the removed files that no snapshot shows. */
export async function deleteRemoved(
  { warehouse, store }: LakePlace,
  shownEpochs: LookUpShown,
): Promise<void> {
  const record = store.epoch();
  const candidates = store.removedFiles();
  const shown = await shownEpochs(candidates.map(({ table }) => table));
  const removed = candidates.filter((file) => !isStillShown(file, record, shown));
  if (removed.length === 0) return;
  const paths = removed.map((file) => file.path);
  await warehouse.delete(paths);
  await store.forgetRemoved(paths);
}

/**
 * Files in the warehouse that neither the catalog names nor a removed file's entry: left behind, or not
 * yet committed. Metadata files are the tables' own to judge, but for leftovers of writing them.
 */
export async function findOrphans({ warehouse, store }: LakePlace): Promise<string[]> {
  // The files first: what is committed after they were listed is in the catalog by then.
  const found = await listLake(warehouse);
  const named = new Set([...store.allLivePaths(), ...store.removedFiles().map((f) => f.path)]);
  return found.filter((path) => !named.has(path));
}

async function listLake(warehouse: Warehouse): Promise<string[]> {
  const found = (await warehouse.list('')).map(({ path }) => path);
  return found.filter((path) => isDataFile(path) || path.endsWith('.tmp'));
}

async function lakeFacts({ warehouse, store }: LakePlace): Promise<RecoveryFacts> {
  return {
    found: await listLake(warehouse),
    record: store.epoch(),
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

function refuse(decision: RecoveryDecision, stateDir: string, { uri }: Warehouse): void {
  const { missing, strangers } = decision;
  const where = uri.replace(/^file:\/\//, '');
  if (missing.length > 0) {
    const what = `${missing.length} data files it names are not in ${where}, first ${missing[0]}`;
    throw new StateCorruptError(stateDir, what);
  }
  if (strangers.length > 0) {
    const message = `The state in ${stateDir} is new but ${where} already holds ${strangers.length} data files (first ${strangers[0]}); bring back the state directory that belongs to them, or move them away.`;
    throw new UserError(EXIT.config, message);
  }
}
