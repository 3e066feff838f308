/**
 * Commits to one table: making it, adding a snapshot, and deleting what no version names any more.
 *
 * The owner of the data directory is the only writer. Should somebody else have committed the version
 * number this commit was going to take, it starts over on top of theirs. An error whose outcome is
 * unknown (EIO at the link, a kill) is never retried here: the next start looks what is there.
 */

import { EXIT, UserError } from '#src/base/errors';
import { type CatalogTable, loadTable, type TableVersion } from '#src/iceberg/catalog';
import { FILE_CATALOG } from '#src/iceberg/file-catalog';
import { deleteMetadata, metadataFolder, nameOf, snapshotOf } from '#src/iceberg/metadata-files';
import { relocated } from '#src/iceberg/relocate';
import { isSmall, type TableChange, writeSnapshot } from '#src/iceberg/snapshot-writer';
import {
  currentSnapshot,
  type Expiry,
  expireSnapshots,
  isTableAt,
  lastEpoch,
  newTableMetadata,
  type Snapshot,
  uuidOf,
  withSchema,
  withSnapshot,
} from '#src/iceberg/table-metadata';
import { readManifestList, type TablePlace, tableUri } from '#src/iceberg/table-place';
import { uriOf } from '#src/warehouse/warehouse';

/** Nobody else is supposed to commit: losing this often means that somebody does all the time. */
const ATTEMPTS_MAX = 5;

/** The table's newest version; undefined when there is none, or another table's, or a moved one's. */
export async function loadOwnTable(place: TablePlace): Promise<TableVersion | undefined> {
  const { catalog, warehouse, definition } = place;
  const table = await loadTable(catalog, warehouse, definition.name);
  const isOwn = table && isTableAt(table.metadata, definition, tableUri(place));
  return isOwn ? table : undefined;
}

/**
 * A table of ours that is not where its metadata says, with its history as it is here: moved with its
 * data directory, or into another warehouse. Undefined when there is none. Another catalog than the
 * files themselves would have to be told.
 */
export async function moveTable(place: TablePlace): Promise<TableVersion | undefined> {
  const { catalog, warehouse, definition } = place;
  if (catalog !== FILE_CATALOG) return undefined;
  const found = await loadTable(catalog, warehouse, definition.name);
  const { location = '' } = found?.metadata ?? {};
  const isOurs = location.endsWith(`/${definition.name}`) && location !== tableUri(place);
  if (found === undefined || !isOurs || !isTableAt(found.metadata, definition, location)) {
    return undefined;
  }
  return catalog.create(catalogTable(place), await relocated(place, found));
}

/** The table of a process that has made it at its start. */
async function ownTable(place: TablePlace): Promise<TableVersion> {
  const table = await loadOwnTable(place);
  if (table === undefined) throw lostRace(place);
  return table;
}

/** Makes the table, without rows, over whatever there may be; its older versions are forgotten. */
export async function createTable(place: TablePlace, nowMs: number): Promise<TableVersion> {
  const { catalog, warehouse, definition } = place;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const before = await catalog.read(warehouse, definition.name);
    const uuid = uuidOf(`${tableUri(place)}|${before?.location ?? ''}|${nowMs}`);
    const metadata = newTableMetadata(definition, tableUri(place), uuid, nowMs);
    const made = await catalog.create(catalogTable(place), metadata);
    if (made !== undefined) return made;
  }
  throw lostRace(place);
}

/** Brings the table's columns up to the program's; the table as it is when they already are. */
export async function evolveTable(place: TablePlace, table: TableVersion): Promise<TableVersion> {
  const metadata = withSchema(table.metadata, place.definition);
  if (metadata === table.metadata) return table;
  const next = await place.catalog.commit(catalogTable(place), table, metadata);
  if (next === undefined) throw lostRace(place);
  return next;
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
  const shown = lastEpoch((await ownTable(place)).metadata);
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
  const { metadata } = await ownTable(place);
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
  const after = currentSnapshot((await ownTable(place)).metadata) ?? snapshot;
  return { before: rows.length, after: (await readManifestList(place, after)).length };
}

/** Forgets the snapshots `retention` does not keep at `nowMs`; answers how many. */
export async function expireTable(place: TablePlace, nowMs: number): Promise<number> {
  const table = await loadOwnTable(place);
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
    const table = await ownTable(place);
    if (isDone(table)) return;
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
  const made = await place.catalog.commit(catalogTable(place), table, metadata);
  if (made === undefined) return false;
  const left = await filesOf(place, expired, metadata.snapshots[0] as Snapshot);
  await deleteMetadata(place.warehouse, place.definition.name, left);
  place.step('after-expired-files', place.definition.name);
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
 * Tidies up after commits that were cut short: deletes the metadata files, manifest lists and manifests
 * that the table does not name. Only files named as ours are; others are not ours to judge.
 */
export async function tidyMetadata(place: TablePlace, table: TableVersion): Promise<void> {
  const { warehouse, catalog, definition } = place;
  const { metadata } = table;
  await catalog.tidy(catalogTable(place), table);
  const ids = new Set(metadata.snapshots.map((snapshot) => String(snapshot['snapshot-id'])));
  const named = new Set(metadata.snapshots.map((snapshot) => snapshot['manifest-list']));
  const ends = [metadata.snapshots[0], currentSnapshot(metadata)].filter(
    (end) => end !== undefined,
  );
  const lists = await Promise.all(ends.map((snapshot) => readManifestList(place, snapshot)));
  const manifests = new Set(lists.flat().map((row) => row.manifest_path));
  const isLeftover = (uri: string): boolean => {
    const made = snapshotOf(nameOf(uri));
    if (made === undefined) return false;
    if (made.list) return !named.has(uri);
    // A manifest of a snapshot that is kept may have been merged away since: that one needs it.
    return !ids.has(made.snapshotId) && !manifests.has(uri);
  };
  const found = await warehouse.list(metadataFolder(definition.name));
  const uris = found.map(({ path }) => uriOf(warehouse, path));
  await deleteMetadata(warehouse, definition.name, uris.filter(isLeftover));
}

function catalogTable({ warehouse, definition, step }: TablePlace): CatalogTable {
  return { warehouse, definition, step: (name) => step(name, definition.name) };
}

function lostRace(place: TablePlace): UserError {
  return new UserError(
    EXIT.io,
    `Another program commits to the table in ${tableUri(place)}; stop it: only the owner of a data directory writes its tables.`,
  );
}
