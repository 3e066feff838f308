/**
 * Publication: bringing the tables in line with the file catalog of the state store, which is the
 * truth. Tables are derived: one that is missing, was moved, or shows something else is made anew
 * from the files it should have.
 */
import { EXIT, errorCode, UserError } from '#src/base/errors';
import type { TableVersion } from '#src/iceberg/file-catalog';
import { entryTuple } from '#src/iceberg/manifest-entry';
import {
  commitChange,
  commitEpochToTable,
  createTable,
  evolveTable,
  loadOwnTable,
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
}

/** Commits one epoch to every table it touched. Doing it again changes nothing. */
export async function publishChange(lake: Lake, change: LakeChange): Promise<void> {
  const { added, removed } = change;
  const touched = new Set([...added, ...removed].map(({ table }) => table));
  for (const table of touched) {
    const place = placeOf(lake, tableDefinition(table));
    const { partition } = place.definition;
    const isOfTable = (file: LakeFile): boolean => file.table === table;
    await explained(table, () =>
      commitEpochToTable(place, {
        ...change,
        added: added.filter(isOfTable),
        removed: removed.filter(isOfTable).map((file) => ({
          uri: dataFileUri(lake, file.path),
          partition: partitionTuple(partition, file.partition),
        })),
      }),
    );
  }
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
  for (const definition of TABLES.values()) {
    await explained(definition.name, () =>
      reconcile(placeOf(lake, definition), stamp, [...liveFiles(definition.name)]),
    );
  }
}

async function reconcile(
  place: TablePlace,
  stamp: EpochStamp,
  files: readonly StagedFile[],
): Promise<void> {
  const found = loadOwnTable(place);
  // A table ahead of the state belongs to a state that is lost.
  if (found !== undefined && lastEpoch(found.metadata) <= stamp.epoch) {
    try {
      await bringInLine(place, evolveTable(place, found), stamp, files);
      return;
    } catch (error) {
      if (!(error instanceof DamagedTableError)) throw error;
    }
  }
  const made = createTable(place, Math.floor(stamp.committedUs / 1000));
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
    await commitChange(place, { ...stamp, added, removed });
  }
  await tidyMetadata(place, loadOwnTable(place) ?? table);
}

/**
 * The epochs a table's snapshots show, read once per table. A data file that was added in epoch a
 * and removed in epoch r is in the snapshots that show an epoch e with a <= e < r, and in no other.
 */
export function shownEpochs(lake: Lake): (table: string) => readonly number[] {
  const known = new Map<string, readonly number[]>();
  return (table) => {
    let epochs = known.get(table);
    if (epochs === undefined) {
      const found = loadOwnTable(placeOf(lake, tableDefinition(table)));
      epochs = (found?.metadata.snapshots ?? []).flatMap((snapshot) => epochOf(snapshot) ?? []);
      known.set(table, epochs);
    }
    return epochs;
  };
}

function placeOf(lake: Lake, definition: TableDefinition): TablePlace {
  return { ...lake, definition };
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
