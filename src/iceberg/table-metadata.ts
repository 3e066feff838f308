/**
 * Table metadata (format version 2) as plain data, and the steps from one version of it to the next.
 * All functions are pure; what they answer is written by the file catalog.
 *
 * Snapshot ids stay below 2^53: Iceberg only asks for positive and unique, and a larger one would
 * be silently rounded by every program that reads JSON numbers as doubles, this one included.
 */
import { createHash } from 'node:crypto';
import {
  lastColumnId,
  PARTITION_FIELD_ID_FIRST,
  type PartitionSpecJson,
  partitionSpecJson,
  type SchemaJson,
  SORT_ORDER_ID,
  type SortOrderJson,
  SPEC_ID,
  schemaJson,
  sortOrderJson,
} from '#src/iceberg/schema-json';
import type { TableDefinition } from '#src/iceberg/table-definition';

export type Operation = 'append' | 'replace' | 'overwrite' | 'delete';

export type Summary = { readonly operation: Operation } & Readonly<Record<string, string>>;

export interface Snapshot {
  readonly 'snapshot-id': number;
  readonly 'parent-snapshot-id'?: number;
  readonly 'sequence-number': number;
  readonly 'timestamp-ms': number;
  readonly 'manifest-list': string;
  readonly summary: Summary;
  readonly 'schema-id': number;
}

export interface TableMetadata {
  readonly 'format-version': 2;
  readonly 'table-uuid': string;
  readonly location: string;
  readonly 'last-sequence-number': number;
  readonly 'last-updated-ms': number;
  readonly 'last-column-id': number;
  readonly schemas: readonly SchemaJson[];
  readonly 'current-schema-id': number;
  readonly 'partition-specs': readonly PartitionSpecJson[];
  readonly 'default-spec-id': number;
  readonly 'last-partition-id': number;
  readonly 'sort-orders': readonly SortOrderJson[];
  readonly 'default-sort-order-id': number;
  readonly properties: Readonly<Record<string, string>>;
  /** -1 when there is none yet. */
  readonly 'current-snapshot-id': number;
  readonly snapshots: readonly Snapshot[];
  readonly 'snapshot-log': readonly {
    readonly 'timestamp-ms': number;
    readonly 'snapshot-id': number;
  }[];
  readonly 'metadata-log': readonly {
    readonly 'timestamp-ms': number;
    readonly 'metadata-file': string;
  }[];
  readonly refs: { readonly main?: { readonly 'snapshot-id': number; readonly type: 'branch' } };
}

/** Metadata files kept besides the current one, for readers that are still on them. */
export const PREVIOUS_VERSIONS_MAX = 20;

/** The summary key that says up to which epoch a snapshot shows the table. */
export const EPOCH_KEY = 'bullion.epoch';

export interface Retention {
  /** Snapshots that stay however old they are, newest first. */
  readonly snapshotsMin: number;
  /** No more than this stay however young they are. */
  readonly snapshotsMax: number;
  /** In between, those no older than this. */
  readonly ageMsMax: number;
}

/**
 * A day of snapshots at an epoch every 5 minutes (288). With shorter epochs the count is the limit:
 * a snapshot is about 700 bytes of metadata, and every version of the metadata repeats them all.
 */
export const RETENTION: Retention = {
  snapshotsMin: 100,
  snapshotsMax: 300,
  ageMsMax: 86_400_000,
};

const UNSORTED: SortOrderJson = { 'order-id': 0, fields: [] };

export function newTableMetadata(
  definition: TableDefinition,
  location: string,
  uuid: string,
  nowMs: number,
): TableMetadata {
  const schema = schemaJson(definition, 0);
  const spec = partitionSpecJson(definition);
  return {
    'format-version': 2,
    'table-uuid': uuid,
    location,
    'last-sequence-number': 0,
    'last-updated-ms': nowMs,
    'last-column-id': lastColumnId(definition),
    schemas: [schema],
    'current-schema-id': 0,
    'partition-specs': [spec],
    'default-spec-id': SPEC_ID,
    'last-partition-id': PARTITION_FIELD_ID_FIRST + spec.fields.length - 1,
    'sort-orders': [UNSORTED, sortOrderJson(definition)],
    'default-sort-order-id': SORT_ORDER_ID,
    properties: {
      comment: definition.schema.doc,
      'write.format.default': 'parquet',
      'write.parquet.compression-codec': 'zstd',
      'write.metadata.previous-versions-max': String(PREVIOUS_VERSIONS_MAX),
      'write.metadata.delete-after-commit.enabled': 'true',
      // Files are deleted by the process that owns the directory and by nobody else.
      'gc.enabled': 'false',
    },
    'current-snapshot-id': -1,
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
    refs: {},
  };
}

export function currentSchema(metadata: TableMetadata): SchemaJson {
  const id = metadata['current-schema-id'];
  return metadata.schemas.find((schema) => schema['schema-id'] === id) as SchemaJson;
}

export function currentSnapshot(metadata: TableMetadata): Snapshot | undefined {
  const id = metadata['current-snapshot-id'];
  return metadata.snapshots.find((snapshot) => snapshot['snapshot-id'] === id);
}

/** Whether this is the table `definition` describes, in this place, columns aside. */
export function isTableAt(
  metadata: TableMetadata,
  definition: TableDefinition,
  location: string,
): boolean {
  return (
    metadata['format-version'] === 2 &&
    metadata.location === location &&
    isEqual(metadata['partition-specs'], [partitionSpecJson(definition)]) &&
    isEqual(metadata['sort-orders'].at(-1), sortOrderJson(definition))
  );
}

/** Makes the definition's columns the current schema; the same object when they already are. */
export function withSchema(metadata: TableMetadata, definition: TableDefinition): TableMetadata {
  const current = currentSchema(metadata);
  if (isEqual(current, schemaJson(definition, current['schema-id']))) return metadata;
  const id = Math.max(...metadata.schemas.map((schema) => schema['schema-id'])) + 1;
  return {
    ...metadata,
    schemas: [...metadata.schemas, schemaJson(definition, id)],
    'current-schema-id': id,
    'last-column-id': Math.max(metadata['last-column-id'], lastColumnId(definition)),
  };
}

/** Adds a snapshot and makes it the current one. */
export function withSnapshot(metadata: TableMetadata, snapshot: Snapshot): TableMetadata {
  const id = snapshot['snapshot-id'];
  const timestamp = snapshot['timestamp-ms'];
  return {
    ...metadata,
    'last-sequence-number': snapshot['sequence-number'],
    'last-updated-ms': timestamp,
    'current-snapshot-id': id,
    snapshots: [...metadata.snapshots, snapshot],
    'snapshot-log': [...metadata['snapshot-log'], { 'timestamp-ms': timestamp, 'snapshot-id': id }],
    refs: { main: { 'snapshot-id': id, type: 'branch' } },
  };
}

export interface Expiry {
  readonly metadata: TableMetadata;
  /** Snapshots the metadata no longer names, oldest first. */
  readonly expired: readonly Snapshot[];
}

/** Forgets the oldest snapshots that `retention` does not keep; the current one always stays. */
export function expireSnapshots(
  metadata: TableMetadata,
  retention: Retention,
  nowMs: number,
): Expiry {
  const { snapshots } = metadata;
  const isKept = (snapshot: Snapshot, i: number): boolean => {
    const newer = snapshots.length - 1 - i;
    if (newer === 0 || newer < retention.snapshotsMin) return true;
    const ageMs = nowMs - snapshot['timestamp-ms'];
    return newer < retention.snapshotsMax && ageMs <= retention.ageMsMax;
  };
  // Oldest first: whatever comes after the first one kept is younger, and stays.
  const firstKept = snapshots.findIndex(isKept);
  if (firstKept <= 0) return { metadata, expired: [] };
  const kept = snapshots.slice(firstKept);
  const ids = new Set(kept.map((snapshot) => snapshot['snapshot-id']));
  return {
    metadata: {
      ...metadata,
      snapshots: kept,
      'snapshot-log': metadata['snapshot-log'].filter((entry) => ids.has(entry['snapshot-id'])),
    },
    expired: snapshots.slice(0, firstKept),
  };
}

/** Notes the metadata file this version replaces; `forgotten` are the files no version names now. */
export function withPrevious(
  metadata: TableMetadata,
  previous: { readonly file: string; readonly updatedMs: number },
): { metadata: TableMetadata; forgotten: readonly string[] } {
  const log = [
    ...metadata['metadata-log'],
    { 'timestamp-ms': previous.updatedMs, 'metadata-file': previous.file },
  ];
  const surplus = Math.max(0, log.length - PREVIOUS_VERSIONS_MAX);
  return {
    metadata: { ...metadata, 'metadata-log': log.slice(surplus) },
    forgotten: log.slice(0, surplus).map((entry) => entry['metadata-file']),
  };
}

/** The epoch a snapshot shows; undefined when another program committed it. */
export function epochOf({ summary }: Snapshot): number | undefined {
  const text = summary[EPOCH_KEY];
  return text === undefined ? undefined : Number(text);
}

/** The newest epoch any snapshot shows; -1 without one. */
export function lastEpoch(metadata: TableMetadata): number {
  return metadata.snapshots.reduce((last, snapshot) => Math.max(last, epochOf(snapshot) ?? -1), -1);
}

/** The same for the same table and sequence number, so that a commit done again makes the same files. */
export function snapshotId(metadata: TableMetadata, sequenceNumber: number): number {
  const taken = new Set(metadata.snapshots.map((snapshot) => snapshot['snapshot-id']));
  for (let attempt = 0; ; attempt++) {
    const text = `${metadata['table-uuid']}|${sequenceNumber}|${attempt}`;
    const hash = createHash('sha256').update(text).digest();
    const id = hash.readUIntBE(0, 6) * 16 + (hash[6]! >> 4); // 52 bits
    if (id > 0 && !taken.has(id)) return id;
  }
}

/** A UUID (version 8) that follows from a text. */
export function uuidOf(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [8, 12, 16, 20, 32].map((end, i) => hex.slice([0, 8, 12, 16, 20][i], end)).join('-');
}

/** As JSON, whatever the order of the keys: another program may have written one of them. */
function isEqual(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (key, inner) => {
    if (key === 'identifier-field-ids') return [...(inner ?? [])].sort((a, b) => a - b);
    const isObject = typeof inner === 'object' && inner !== null && !Array.isArray(inner);
    return isObject ? Object.fromEntries(Object.entries(inner).sort()) : inner;
  });
}
