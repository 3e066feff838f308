/**
 * Commits to one table: making it, adding a snapshot, and deleting what no version names any more.
 *
 * The owner of the data directory is the only writer. Should somebody else have committed the version
 * number this commit was going to take, it starts over on top of theirs. An error whose outcome is
 * unknown (EIO at the link, a kill) is never retried here: the next start looks what is there.
 */

import { EXIT, errorCode, UserError } from '#src/base/errors';
import { mark } from '#src/base/marks';
import type { CommitStep } from '#src/iceberg/commit-steps';
import {
  commitVersion,
  loadTable,
  makeMetadataFolder,
  metadataFileName,
  metadataFolder,
  newestVersion,
  type TableVersion,
  versionOf,
  writeHint,
} from '#src/iceberg/file-catalog';
import { isSmall, type TableChange, writeSnapshot } from '#src/iceberg/snapshot-writer';
import {
  currentSnapshot,
  type Expiry,
  expireSnapshots,
  isTableAt,
  lastEpoch,
  newTableMetadata,
  type Snapshot,
  type TableMetadata,
  uuidOf,
  withPrevious,
  withSchema,
  withSnapshot,
} from '#src/iceberg/table-metadata';
import {
  pathOf,
  readManifestList,
  type TablePlace,
  tableDirectory,
  uriOf,
} from '#src/iceberg/table-place';

/** Nobody else is supposed to commit: losing this often means that somebody does all the time. */
const ATTEMPTS_MAX = 5;

/** The table's newest version; undefined when there is none, or another table's, or a moved one's. */
export function loadOwnTable(place: TablePlace): TableVersion | undefined {
  const directory = tableDirectory(place);
  const table = loadTable(place.disk, directory);
  const isOwn = table && isTableAt(table.metadata, place.definition, uriOf(directory));
  return isOwn ? table : undefined;
}

/** The table of a process that has made it at its start. */
function ownTable(place: TablePlace): TableVersion {
  const table = loadOwnTable(place);
  if (table === undefined) throw lostRace(place);
  return table;
}

/** Makes the table, without rows, over whatever there may be; its older versions are forgotten. */
export function createTable(place: TablePlace, nowMs: number): TableVersion {
  const { disk, definition } = place;
  const directory = tableDirectory(place);
  makeMetadataFolder(disk, directory);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const version = (newestVersion(disk, directory) ?? 0) + 1;
    const uuid = uuidOf(`${directory}|${version}|${nowMs}`);
    const metadata = newTableMetadata(definition, uriOf(directory), uuid, nowMs);
    if (commitVersion(disk, directory, { version, metadata }, stepOf(place))) {
      return { version, metadata };
    }
  }
  throw lostRace(place);
}

/** Brings the table's columns up to the program's; the table as it is when they already are. */
export function evolveTable(place: TablePlace, table: TableVersion): TableVersion {
  const metadata = withSchema(table.metadata, place.definition);
  if (metadata === table.metadata) return table;
  const next = successor(place, table, metadata);
  if (!commitVersion(place.disk, tableDirectory(place), next.table, stepOf(place))) {
    throw lostRace(place);
  }
  deleteFiles(place, next.forgotten);
  return next.table;
}

/** Commits an epoch's change; nothing happens when the table already shows that epoch. */
export async function commitEpochToTable(place: TablePlace, change: TableChange): Promise<void> {
  await commit(place, change, ({ metadata }) => lastEpoch(metadata) >= change.epoch);
}

/**
 * Commits what maintenance did in an epoch whose rows are still to come: the snapshot shows the
 * epoch before. Nothing happens when the table shows the epoch already.
 */
export async function commitBeforeEpoch(place: TablePlace, change: TableChange): Promise<void> {
  const shown = lastEpoch(ownTable(place).metadata);
  if (shown >= change.epoch) return;
  await commitChange(place, { ...change, epoch: shown });
}

/** Commits a change whatever epoch the table shows. */
export async function commitChange(place: TablePlace, change: TableChange): Promise<void> {
  await commit(place, change, () => false);
}

/**
 * Merges the small manifests of a table that has more than `manifestsMax`; the rows stay where they
 * are. Undefined when there was nothing to merge.
 */
export async function mergeManifests(
  place: TablePlace,
  nowMs: number,
  manifestsMax: number,
): Promise<{ readonly before: number; readonly after: number } | undefined> {
  const { metadata } = ownTable(place);
  const snapshot = currentSnapshot(metadata);
  if (snapshot === undefined) return undefined;
  const rows = await readManifestList(place, snapshot);
  if (rows.length <= manifestsMax || rows.filter(isSmall).length < 2) return undefined;
  await commitChange(place, {
    epoch: lastEpoch(metadata),
    committedUs: nowMs * 1000,
    added: [],
    removed: [],
    mergesManifests: true,
  });
  const after = currentSnapshot(ownTable(place).metadata) ?? snapshot;
  return { before: rows.length, after: (await readManifestList(place, after)).length };
}

/** Forgets the snapshots `retention` does not keep at `nowMs`; answers how many. */
export async function expireTable(place: TablePlace, nowMs: number): Promise<number> {
  const table = loadOwnTable(place);
  if (table === undefined) return 0;
  const { metadata, expired } = expireSnapshots(table.metadata, place.retention, nowMs);
  if (expired.length === 0) return 0;
  const updatedMs = Math.max(nowMs, metadata['last-updated-ms']);
  const isDone = await commitMetadata(place, table, {
    metadata: { ...metadata, 'last-updated-ms': updatedMs },
    expired,
  });
  if (!isDone) throw lostRace(place);
  return expired.length;
}

async function commit(
  place: TablePlace,
  change: TableChange,
  isDone: (table: TableVersion) => boolean,
): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const table = ownTable(place);
    if (isDone(table)) {
      mark('tables: an epoch was there already');
      return;
    }
    const snapshot = await writeSnapshot(place, table.metadata, change);
    const expiry = expireSnapshots(
      withSnapshot(table.metadata, snapshot),
      place.retention,
      snapshot['timestamp-ms'],
    );
    if (await commitMetadata(place, table, expiry)) return;
  }
  throw lostRace(place);
}

/** Makes this the table's next version and deletes what it no longer names; false: somebody was first. */
async function commitMetadata(
  place: TablePlace,
  table: TableVersion,
  { metadata, expired }: Expiry,
): Promise<boolean> {
  const next = successor(place, table, metadata);
  if (!commitVersion(place.disk, tableDirectory(place), next.table, stepOf(place))) return false;
  const dropped = await filesOf(place, expired, metadata.snapshots[0] as Snapshot);
  deleteFiles(place, [...next.forgotten, ...dropped]);
  stepOf(place)('after-expired-files');
  return true;
}

/** Manifest lists of expired snapshots, and the manifests only those name. */
async function filesOf(
  place: TablePlace,
  expired: readonly Snapshot[],
  oldestKept: Snapshot,
): Promise<string[]> {
  if (expired.length === 0) return [];
  // A manifest is in snapshots that follow each other: if any kept one has it, the oldest has.
  const kept = new Set((await readManifestList(place, oldestKept)).map((row) => row.manifest_path));
  const uris = new Set<string>();
  for (const snapshot of expired) {
    for (const { manifest_path } of await readManifestList(place, snapshot)) {
      if (!kept.has(manifest_path)) uris.add(manifest_path);
    }
    uris.add(snapshot['manifest-list']);
  }
  return [...uris];
}

/**
 * Tidies up after commits that were cut short: writes the hint, deletes the metadata files, manifest
 * lists and manifests that the table does not name. Only files named as ours are; others are not
 * ours to judge.
 */
export async function tidyMetadata(place: TablePlace, { version, metadata }: TableVersion) {
  writeHint(place.disk, tableDirectory(place), version);
  const folder = metadataFolder(tableDirectory(place));
  const ids = new Set(metadata.snapshots.map((snapshot) => String(snapshot['snapshot-id'])));
  const ends = [metadata.snapshots[0], currentSnapshot(metadata)].filter(
    (end) => end !== undefined,
  );
  const lists = await Promise.all(ends.map((snapshot) => readManifestList(place, snapshot)));
  const manifests = new Set(lists.flat().map((row) => row.manifest_path));
  const logged = new Set(metadata['metadata-log'].map((entry) => entry['metadata-file']));
  const isLeftover = (name: string): boolean => {
    const uri = uriOf(`${folder}/${name}`);
    const [, list] = /^snap-(\d+)\.avro$/.exec(name) ?? [];
    if (list !== undefined) return !ids.has(list);
    const [, manifest] = /^manifest-(\d+)-\d+\.avro$/.exec(name) ?? [];
    // A manifest of a snapshot that is kept may have been merged away since: that one needs it.
    if (manifest !== undefined) return !ids.has(manifest) && !manifests.has(uri);
    const number = versionOf(name);
    return number !== undefined && number < version && !logged.has(uri);
  };
  deleteFiles(
    place,
    place.disk
      .readdir(folder)
      .filter(isLeftover)
      .map((name) => uriOf(`${folder}/${name}`)),
  );
}

/** The version after `table`, and the metadata files it no longer names. */
function successor(
  place: TablePlace,
  { version, metadata: before }: TableVersion,
  next: TableMetadata,
): { table: TableVersion; forgotten: readonly string[] } {
  const { metadata, forgotten } = withPrevious(next, {
    file: uriOf(`${metadataFolder(tableDirectory(place))}/${metadataFileName(version)}`),
    updatedMs: before['last-updated-ms'],
  });
  return { table: { version: version + 1, metadata }, forgotten };
}

/** Files of the table's metadata folder; one that is gone already is no matter. */
function deleteFiles(place: TablePlace, uris: readonly string[]): void {
  if (uris.length === 0) return;
  const folder = metadataFolder(tableDirectory(place));
  for (const uri of uris) {
    const path = pathOf(uri);
    if (path !== `${folder}/${path.slice(path.lastIndexOf('/') + 1)}`) continue; // not of this table
    try {
      place.disk.unlink(path);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }
  place.disk.syncDirectory(folder);
}

function stepOf({ step, definition }: TablePlace): (name: CommitStep) => void {
  return (name) => step(name, definition.name);
}

function lostRace(place: TablePlace): UserError {
  return new UserError(
    EXIT.io,
    `Another program commits to the table in ${tableDirectory(place)}; stop it: only the owner of a data directory writes its tables.`,
  );
}
