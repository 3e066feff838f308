/**
 * Manifest files and manifest lists: a snapshot names a list, the list names manifests with the
 * partitions they reach over, a manifest names data files. All of it is immutable once written.
 *
 * Avro has no checksums. A flipped bit in a header is a valid file whose schema gives a column
 * another field id or logical type, which our reader does not look at and others go by. So a snapshot
 * tells the SHA-256 of its list in its summary, and a list those of its manifests in its header. What
 * an older version or another program wrote tells none; a commit on top of it does.
 */
import { createHash } from 'node:crypto';
import { assert } from '#src/base/errors';
import { decodeAvro, encodeAvro } from '#src/iceberg/avro-file';
import { MANIFEST_LIST_SCHEMA, manifestEntrySchema } from '#src/iceberg/avro-schemas';
import {
  entryTuple,
  isLive,
  type ManifestEntry,
  type NumberedEntry,
  STATUS,
  type Status,
} from '#src/iceberg/manifest-entry';
import { partitionSpecJson, type SchemaJson, SPEC_ID } from '#src/iceberg/schema-json';
import type { PartitionTuple, TableDefinition } from '#src/iceberg/table-definition';
import type { Snapshot, Summary } from '#src/iceberg/table-metadata';

/** The summary key of the SHA-256 of a snapshot's manifest list. */
const LIST_SHA256_KEY = 'bullion.manifest-list-sha256';
/** The header key of the SHA-256 of each manifest, in the list's order. */
const MANIFESTS_SHA256_KEY = 'bullion.manifests-sha256';

/** Smallest and largest value of one partition field over the files of a manifest. */
interface FieldSummary {
  readonly contains_null: boolean;
  readonly contains_nan: boolean | null;
  readonly lower_bound: Buffer | null;
  readonly upper_bound: Buffer | null;
}

/** A row of a manifest list. */
export interface ManifestFile {
  readonly manifest_path: string;
  readonly manifest_length: number;
  readonly partition_spec_id: number;
  /** 0: data. */
  readonly content: number;
  readonly sequence_number: number;
  readonly min_sequence_number: number;
  readonly added_snapshot_id: number;
  readonly added_files_count: number;
  readonly existing_files_count: number;
  readonly deleted_files_count: number;
  readonly added_rows_count: number;
  readonly existing_rows_count: number;
  readonly deleted_rows_count: number;
  readonly partitions: readonly FieldSummary[] | null;
  /** Of its bytes; no field of a row, but of the list's header. */
  readonly sha256?: string;
}

export function encodeManifest(
  definition: TableDefinition,
  schema: SchemaJson,
  entries: readonly ManifestEntry[],
): Buffer {
  return encodeAvro({
    schema: manifestEntrySchema(definition.partition),
    metadata: {
      schema: JSON.stringify(schema),
      'schema-id': String(schema['schema-id']),
      // The fields alone, not the whole spec.
      'partition-spec': JSON.stringify(partitionSpecJson(definition).fields),
      'partition-spec-id': String(SPEC_ID),
      'format-version': '2',
      content: 'data',
    },
    records: entries,
  });
}

/** The row that stands for a manifest in the list of snapshot `sequenceNumber`. */
export function manifestRow(
  definition: TableDefinition,
  file: { readonly path: string; readonly bytes: Uint8Array },
  entries: readonly ManifestEntry[],
  added: { readonly snapshotId: number; readonly sequenceNumber: number },
): ManifestFile {
  const { sequenceNumber, snapshotId } = added;
  const files = (status: Status): number => of(entries, status).length;
  const rows = (status: Status): number =>
    of(entries, status).reduce((sum, { data_file }) => sum + data_file.record_count, 0);
  const sequences = entries.filter(isLive).map((entry) => entry.sequence_number ?? sequenceNumber);
  return {
    manifest_path: file.path,
    manifest_length: file.bytes.length,
    partition_spec_id: SPEC_ID,
    content: 0,
    sequence_number: sequenceNumber,
    min_sequence_number: sequences.reduce((a, b) => Math.min(a, b), sequenceNumber),
    added_snapshot_id: snapshotId,
    added_files_count: files(STATUS.added),
    existing_files_count: files(STATUS.existing),
    deleted_files_count: files(STATUS.deleted),
    added_rows_count: rows(STATUS.added),
    existing_rows_count: rows(STATUS.existing),
    deleted_rows_count: rows(STATUS.deleted),
    partitions: summaries(definition, entries),
    sha256: sha256Of(file.bytes),
  };
}

/** The entries of a manifest, each with its sequence numbers written out. */
export function decodeManifest(row: ManifestFile, bytes: Uint8Array): NumberedEntry[] {
  const { manifest_path: path, sequence_number, sha256 } = row;
  // One that ends behind one of its blocks has fewer entries.
  assert(
    bytes.length === row.manifest_length,
    `${path} has ${bytes.length} bytes, not the ${row.manifest_length} its manifest list names`,
  );
  assert(sha256 === undefined || sha256 === sha256Of(bytes), `${path} has another digest`);
  const { records } = decodeAvro<ManifestEntry>(bytes);
  const expected = row.added_files_count + row.existing_files_count + row.deleted_files_count;
  assert(records.length === expected, `${path} has ${records.length} entries, not ${expected}`);
  return records.map((entry) => ({
    ...entry,
    sequence_number: entry.sequence_number ?? sequence_number,
    file_sequence_number: entry.file_sequence_number ?? sequence_number,
  }));
}

/** The bytes of a list whose rows all tell a digest. */
export function encodeManifestList(
  snapshot: Pick<Snapshot, 'snapshot-id' | 'parent-snapshot-id' | 'sequence-number'>,
  rows: readonly ManifestFile[],
): Buffer {
  return encodeAvro({
    schema: MANIFEST_LIST_SCHEMA,
    metadata: {
      'snapshot-id': String(snapshot['snapshot-id']),
      'parent-snapshot-id': String(snapshot['parent-snapshot-id'] ?? null),
      'sequence-number': String(snapshot['sequence-number']),
      'format-version': '2',
      [MANIFESTS_SHA256_KEY]: rows.map(({ sha256 }) => sha256).join(','),
    },
    records: rows,
  });
}

/** A snapshot's summary, with the digest of its list. */
export function sealedSummary(summary: Summary, list: Uint8Array): Summary {
  return { ...summary, [LIST_SHA256_KEY]: sha256Of(list) };
}

/** The rows of a snapshot's list. */
export function decodeManifestList(
  { 'manifest-list': uri, summary }: Pick<Snapshot, 'manifest-list' | 'summary'>,
  bytes: Uint8Array,
): ManifestFile[] {
  const sha256 = summary[LIST_SHA256_KEY];
  assert(sha256 === undefined || sha256 === sha256Of(bytes), `${uri} has another digest`);
  const { records, metadata } = decodeAvro<ManifestFile>(bytes);
  const digests = metadata[MANIFESTS_SHA256_KEY]?.split(',');
  return digests === undefined
    ? records
    : records.map((row, i) => ({ ...row, sha256: digests[i] as string }));
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function hasLiveFiles(row: ManifestFile): boolean {
  return row.added_files_count + row.existing_files_count > 0;
}

/** False only when no file of the manifest can be in that partition. */
export function mayHold({ partitions }: ManifestFile, tuple: PartitionTuple): boolean {
  if (partitions === null) return true;
  return tuple.every((value, i) => {
    const { lower_bound, upper_bound } = partitions[i] as FieldSummary;
    if (lower_bound === null || upper_bound === null) return true;
    return value >= lower_bound.readInt32LE() && value <= upper_bound.readInt32LE();
  });
}

function of(entries: readonly ManifestEntry[], wanted: Status): ManifestEntry[] {
  return entries.filter(({ status }) => status === wanted);
}

/** Every partition field of ours is an int or a date: four bytes, little-endian. */
function summaries(definition: TableDefinition, entries: readonly ManifestEntry[]): FieldSummary[] {
  const tuples = entries.map((entry) => entryTuple(definition, entry));
  return definition.partition.map((_, field) => {
    const values = tuples.map((tuple) => tuple[field] as number);
    return {
      contains_null: false,
      contains_nan: false,
      lower_bound: int32(values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)),
      upper_bound: int32(values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)),
    };
  });
}

/** Iceberg's single-value form of an int or a date. */
export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
