/**
 * Writes the manifests and the manifest list of a new snapshot beside those there are.
 *
 * Added files go into a new manifest; manifests that lose no file are carried over as they are. A
 * manifest that loses files is written anew, with the lost ones marked deleted. When a snapshot
 * would have more than MANIFESTS_MAX small manifests, they are merged, so that planning a read stays
 * bounded. File names follow from the snapshot's id: a commit done again after a crash writes
 * the same bytes under the same names.
 */
import { assert } from '#src/base/errors';
import {
  encodeManifest,
  encodeManifestList,
  hasLiveFiles,
  type ManifestFile,
  manifestRow,
  mayHold,
  sealedSummary,
} from '#src/iceberg/manifest';
import {
  addedEntry,
  deletedEntry,
  entryTuple,
  existingEntry,
  isLive,
  type ManifestEntry,
} from '#src/iceberg/manifest-entry';
import { manifestFile, manifestListFile } from '#src/iceberg/metadata-files';
import { summaryOf } from '#src/iceberg/snapshot-summary';
import type { PartitionTuple } from '#src/iceberg/table-definition';
import {
  currentSchema,
  currentSnapshot,
  type Snapshot,
  snapshotId,
  type TableMetadata,
} from '#src/iceberg/table-metadata';
import {
  dataFileUri,
  readManifest,
  readManifestList,
  type TablePlace,
  withDigest,
} from '#src/iceberg/table-place';
import type { StagedFile } from '#src/lake/staged-file';
import { uriOf } from '#src/warehouse/warehouse';

/** A file that leaves the table. */
export interface LeavingFile {
  readonly uri: string;
  readonly partition: PartitionTuple;
}

export interface TableChange {
  readonly epoch: number;
  /** When the epoch was committed: the snapshot's time, so that all tables agree on it. */
  readonly committedUs: number;
  readonly added: readonly StagedFile[];
  readonly removed: readonly LeavingFile[];
  /** Merges the small manifests however few they are. */
  readonly mergesManifests?: boolean;
}

/** More small manifests than this are merged; Iceberg's own writers merge at the same number. */
const MANIFESTS_MAX = 100;
/** An entry is about 400 bytes deflated: manifests stay below 4 MB. */
const ENTRIES_PER_MANIFEST_MAX = 10_000;

export async function writeSnapshot(
  place: TablePlace,
  base: TableMetadata,
  change: TableChange,
): Promise<Snapshot> {
  const { definition, warehouse } = place;
  const step = (name: Parameters<TablePlace['step']>[0]): void => place.step(name, definition.name);
  const parent = currentSnapshot(base);
  const sequenceNumber = base['last-sequence-number'] + 1;
  const writer = new ManifestWriter(place, base, sequenceNumber);
  const before = parent === undefined ? [] : await readManifestList(place, parent);
  step('before-manifest');

  const added = change.added
    .map((file) => addedEntry(definition, file, dataFileUri(place, file.path), writer.snapshotId))
    .sort((a, b) => compareTuples(entryTuple(definition, a), entryTuple(definition, b)));
  const fresh: ManifestFile[] = [];
  for (const entries of chunks(added)) fresh.push(await writer.write(entries));
  const { carried, rewritten, removed } = await takeOut(writer, before, change.removed);
  fresh.push(...rewritten);
  const small = carried.filter(isSmall);
  const merges = change.mergesManifests || fresh.length + small.length > MANIFESTS_MAX;
  const kept = merges
    ? [...(await merge(writer, small)), ...carried.filter((row) => !isSmall(row))]
    : carried;
  step('after-manifest');

  const listFile = manifestListFile(definition.name, writer.snapshotId);
  const unsealed: Snapshot = {
    'snapshot-id': writer.snapshotId,
    ...(parent && { 'parent-snapshot-id': parent['snapshot-id'] }),
    'sequence-number': sequenceNumber,
    // Readers refuse snapshots older than the metadata before them.
    'timestamp-ms': Math.max(Math.floor(change.committedUs / 1000), base['last-updated-ms']),
    'manifest-list': uriOf(warehouse, listFile),
    summary: summaryOf(definition, parent?.summary, { added, removed }, change.epoch),
    'schema-id': base['current-schema-id'],
  };
  const rows: ManifestFile[] = [...fresh];
  for (const row of kept) rows.push(await withDigest(place, row));
  const list = encodeManifestList(unsealed, rows);
  await warehouse.put(listFile, list);
  step('after-manifest-list');
  return { ...unsealed, summary: sealedSummary(unsealed.summary, list) };
}

class ManifestWriter {
  readonly place: TablePlace;
  readonly snapshotId: number;
  readonly #base: TableMetadata;
  readonly #sequenceNumber: number;
  #written = 0;

  constructor(place: TablePlace, base: TableMetadata, sequenceNumber: number) {
    this.place = place;
    this.snapshotId = snapshotId(base, sequenceNumber);
    this.#base = base;
    this.#sequenceNumber = sequenceNumber;
  }

  async write(entries: readonly ManifestEntry[]): Promise<ManifestFile> {
    const { definition, warehouse } = this.place;
    const path = manifestFile(definition.name, this.snapshotId, this.#written++);
    const bytes = encodeManifest(definition, currentSchema(this.#base), entries);
    await warehouse.put(path, bytes);
    const file = { path: uriOf(warehouse, path), bytes };
    return manifestRow(definition, file, entries, {
      snapshotId: this.snapshotId,
      sequenceNumber: this.#sequenceNumber,
    });
  }
}

interface TakenOut {
  readonly carried: readonly ManifestFile[];
  readonly rewritten: readonly ManifestFile[];
  readonly removed: readonly ManifestEntry[];
}

/** Reads only the manifests whose partitions can hold a leaving file. */
async function takeOut(
  writer: ManifestWriter,
  before: readonly ManifestFile[],
  leaving: readonly LeavingFile[],
): Promise<TakenOut> {
  const uris = new Set(leaving.map(({ uri }) => uri));
  const carried: ManifestFile[] = [];
  const rewritten: ManifestFile[] = [];
  const removed: ManifestEntry[] = [];
  for (const row of before) {
    if (!hasLiveFiles(row)) continue; // all it had to say was said in the snapshot that wrote it
    const entries = leaving.some(({ partition }) => mayHold(row, partition))
      ? (await readManifest(writer.place, row)).filter(isLive)
      : [];
    const goes = entries.filter(({ data_file }) => uris.has(data_file.file_path));
    if (goes.length === 0) {
      carried.push(row);
      continue;
    }
    const after = entries.map((entry) =>
      uris.has(entry.data_file.file_path)
        ? deletedEntry(entry, writer.snapshotId)
        : existingEntry(entry),
    );
    rewritten.push(await writer.write(after));
    removed.push(...goes);
  }
  const { name } = writer.place.definition;
  assert(removed.length === uris.size, `${removed.length} of ${uris.size} files are in ${name}`);
  return { carried, rewritten, removed };
}

/** Manifests at least half full are left alone, so an entry is written anew a few times at most. */
export function isSmall(row: ManifestFile): boolean {
  return row.added_files_count + row.existing_files_count < ENTRIES_PER_MANIFEST_MAX / 2;
}

/** As few manifests as can be, in the order of their files' partitions. */
async function merge(
  writer: ManifestWriter,
  rows: readonly ManifestFile[],
): Promise<ManifestFile[]> {
  const { definition } = writer.place;
  const entries: ManifestEntry[] = [];
  for (const row of rows) {
    entries.push(...(await readManifest(writer.place, row)).filter(isLive).map(existingEntry));
  }
  entries.sort((a, b) => compareTuples(entryTuple(definition, a), entryTuple(definition, b)));
  const merged: ManifestFile[] = [];
  for (const chunk of chunks(entries)) merged.push(await writer.write(chunk));
  return merged;
}

function* chunks(entries: readonly ManifestEntry[]): Generator<readonly ManifestEntry[]> {
  for (let at = 0; at < entries.length; at += ENTRIES_PER_MANIFEST_MAX) {
    yield entries.slice(at, at + ENTRIES_PER_MANIFEST_MAX);
  }
}

function compareTuples(a: PartitionTuple, b: PartitionTuple): number {
  for (const [i, value] of a.entries()) if (value !== b[i]) return value - b[i]!;
  return 0;
}
