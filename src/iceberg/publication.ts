/**
 * Publication: bringing the tables in line with the file catalog of the state store, which is the
 * truth. Tables are derived: one that is missing, damaged or ahead of the state is made anew from the
 * files it should have; one that was moved keeps its history.
 */

import { EXIT, errorCode, UserError } from '#src/base/errors';
import { mark } from '#src/base/marks';
import type { TableVersion } from '#src/iceberg/catalog';
import { proveEntries } from '#src/iceberg/entry-check';
import { entryTuple } from '#src/iceberg/manifest-entry';
import type { TableChange } from '#src/iceberg/snapshot-writer';
import {
  commitBeforeEpoch,
  commitChange,
  commitEpochToTable,
  createTable,
  evolveTable,
  expireTable,
  loadOwnTable,
  mergeManifests,
  moveTable,
  tidyMetadata,
} from '#src/iceberg/table-commit';
import {
  partitionTuple,
  TABLES,
  type TableDefinition,
  tableDefinition,
} from '#src/iceberg/table-definition';
import { currentSnapshot, epochOf, lastEpoch } from '#src/iceberg/table-metadata';
import {
  DamagedTableError,
  dataFileUri,
  type Lake,
  liveEntries,
  type TablePlace,
} from '#src/iceberg/table-place';
import { isDiskError } from '#src/lake/file-sink';
import type { StagedFile } from '#src/lake/staged-file';
import { forEachOf } from '#src/warehouse/warehouse';

/** An epoch and when it was committed. */
export interface EpochStamp {
  readonly epoch: number;
  readonly committedUs: number;
}

/** A data file of one of the tables. */
export type LakeFile = Pick<StagedFile, 'table' | 'path' | 'partition'>;

export interface LakeChange extends EpochStamp {
  readonly added: readonly StagedFile[];
  readonly removed: readonly LakeFile[];
  /** What maintenance did in the same epoch. */
  readonly upkeep?: FileChange;
}

/** What the owner of a data directory does to its tables. */
export interface Tables {
  publish(change: LakeChange): Promise<void>;
  reconcile(stamp: EpochStamp, liveFiles: (table: string) => Iterable<StagedFile>): Promise<void>;
  /** Of these tables, as they are now. */
  shownEpochs(tables: Iterable<string>): Promise<(table: string) => readonly number[]>;
}

export function icebergTables(lake: Lake): Tables {
  return {
    publish: (change) => publishChange(lake, change),
    reconcile: (stamp, liveFiles) => reconcileTables(lake, stamp, liveFiles),
    shownEpochs: (tables) => shownEpochs(lake, tables),
  };
}

export interface FileChange {
  readonly added: readonly StagedFile[];
  readonly removed: readonly LakeFile[];
}

/**
 * Commits one epoch to every table it touched. Doing it again changes nothing. Where maintenance
 * and new rows meet in a table, maintenance gets a snapshot of its own, before the rows, with the
 * epoch the table shows already: readers of changes see a `replace` and an `append`, not one
 * `overwrite`.
 */
export async function publishChange(lake: Lake, change: LakeChange): Promise<void> {
  const { epoch, committedUs, upkeep = { added: [], removed: [] } } = change;
  const all = [...change.added, ...change.removed, ...upkeep.added, ...upkeep.removed];
  const touched = [...new Set(all.map((file) => file.table))].map(tableDefinition);
  await forEachTable(lake, touched, async (place) => {
    const rows = { epoch, committedUs, ...changeOf(place, change) };
    const files = { epoch, committedUs, ...changeOf(place, upkeep) };
    if (isEmpty(rows)) return commitEpochToTable(place, files);
    if (!isEmpty(files)) await commitBeforeEpoch(place, files);
    await commitEpochToTable(place, rows);
  });
}

function changeOf(place: TablePlace, { added, removed }: FileChange) {
  const { name, partition } = place.definition;
  const isOfTable = (file: LakeFile): boolean => file.table === name;
  return {
    added: added.filter(isOfTable),
    removed: removed.filter(isOfTable).map((file) => ({
      uri: dataFileUri(place, file.path),
      partition: partitionTuple(partition, file.partition),
    })),
  };
}

function isEmpty({ added, removed }: Pick<TableChange, 'added' | 'removed'>): boolean {
  return added.length === 0 && removed.length === 0;
}

/** Forgets snapshots past their time of every table, also of one that gets no commits. */
export async function expireTables(lake: Lake, nowMs: number): Promise<number> {
  let expired = 0;
  await forEachTable(lake, [...TABLES.values()], async (place) => {
    const count = await expireTable(place, nowMs);
    expired += count;
  });
  return expired;
}

/** Merges the manifests of every table whose snapshot has more than `manifestsMax`. */
export async function mergeTableManifests(
  lake: Lake,
  nowMs: number,
  manifestsMax: number,
): Promise<{ readonly before: number; readonly after: number }> {
  const sum = { before: 0, after: 0 };
  await forEachTable(lake, [...TABLES.values()], async (place) => {
    const merged = await mergeManifests(place, nowMs, manifestsMax);
    sum.before += merged?.before ?? 0;
    sum.after += merged?.after ?? 0;
  });
  return sum;
}

/** Deletes what commits that were cut short or lost their race have left in the tables' folders. */
export async function tidyTables(lake: Lake): Promise<void> {
  await forEachTable(lake, [...TABLES.values()], async (place) => {
    const found = await loadOwnTable(place);
    if (found !== undefined) await tidyMetadata(place, found);
  });
}

/**
 * Makes every table show exactly `liveFiles(table)`, whatever it shows now, and deletes what commits
 * that were cut short have left. For the start: it reads every manifest of the current snapshots.
 */
export async function reconcileTables(
  lake: Lake,
  stamp: EpochStamp,
  liveFiles: (table: string) => Iterable<StagedFile>,
): Promise<void> {
  await forEachTable(lake, [...TABLES.values()], (place) =>
    reconcile(place, stamp, [...liveFiles(place.definition.name)]),
  );
}

async function reconcile(
  place: TablePlace,
  stamp: EpochStamp,
  files: readonly StagedFile[],
): Promise<void> {
  try {
    const found = (await loadOwnTable(place)) ?? (await moveTable(place));
    // A table ahead of the state belongs to a state that is lost.
    if (found !== undefined && lastEpoch(found.metadata) <= stamp.epoch) {
      await bringInLine(place, await evolveTable(place, found), stamp, files);
      return;
    }
  } catch (error) {
    if (!(error instanceof DamagedTableError)) throw error;
  }
  const made = await createTable(place, Math.floor(stamp.committedUs / 1000));
  await bringInLine(place, made, stamp, files);
}

async function bringInLine(
  place: TablePlace,
  table: TableVersion,
  stamp: EpochStamp,
  files: readonly StagedFile[],
): Promise<void> {
  const snapshot = currentSnapshot(table.metadata);
  const shown = snapshot === undefined ? [] : await liveEntries(place, snapshot);
  proveEntries(place, shown, files);
  const shownUris = new Set(shown.map(({ data_file }) => data_file.file_path));
  const wanted = new Set(files.map(({ path }) => dataFileUri(place, path)));
  const added = files.filter(({ path }) => !shownUris.has(dataFileUri(place, path)));
  const removed = shown
    .filter(({ data_file }) => !wanted.has(data_file.file_path))
    .map((entry) => ({
      uri: entry.data_file.file_path,
      partition: entryTuple(place.definition, entry),
    }));
  if (added.length > 0 || removed.length > 0) {
    mark('tables: one was brought in line');
    await commitChange(place, { ...stamp, added, removed });
  }
  await tidyMetadata(place, (await loadOwnTable(place)) ?? table);
}

/**
 * The epochs that the snapshots of these tables show. A data file that was added in epoch a and
 * removed in epoch r is in the snapshots that show an epoch e with a <= e < r, and in no other.
 */
export async function shownEpochs(
  lake: Lake,
  tables: Iterable<string>,
): Promise<(table: string) => readonly number[]> {
  const known = new Map<string, readonly number[]>();
  await forEachOf(lake.warehouse, [...new Set(tables)], async (table) => {
    const found = await loadOwnTable(placeOf(lake, tableDefinition(table)));
    const epochs = (found?.metadata.snapshots ?? []).flatMap((snapshot) => epochOf(snapshot) ?? []);
    known.set(table, epochs);
  });
  return (table) => known.get(table) as readonly number[];
}

/** Rows the current snapshot of a table says it has; undefined without a snapshot. */
export async function tableRecords(lake: Lake, table: string): Promise<number | undefined> {
  const found = await loadOwnTable(placeOf(lake, tableDefinition(table)));
  const snapshot = found && currentSnapshot(found.metadata);
  return snapshot && Number(snapshot.summary['total-records']);
}

function placeOf(lake: Lake, definition: TableDefinition): TablePlace {
  return { ...lake, definition };
}

/** Tables have nothing to do with each other: as many at once as the warehouse takes. */
function forEachTable(
  lake: Lake,
  definitions: readonly TableDefinition[],
  work: (place: TablePlace) => Promise<void>,
): Promise<void> {
  return forEachOf(lake.warehouse, definitions, (definition) =>
    explained(definition.name, () => work(placeOf(lake, definition))),
  );
}

async function explained(table: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof UserError || !isDiskError(error)) throw error;
    throw new UserError(
      EXIT.io,
      `The metadata of table ${table} cannot be written (${errorCode(error)}): check the disk's free space and health.`,
      { cause: error },
    );
  }
}
