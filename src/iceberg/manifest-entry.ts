/**
 * Manifest entries: one data file of a table, with what a reader needs to leave it out unopened.
 * Field names are the format's own, because entries are written and read as they are here.
 */
import { SORT_ORDER_ID } from '#src/iceberg/schema-json';
import {
  type PartitionTuple,
  partitionTuple,
  type TableDefinition,
} from '#src/iceberg/table-definition';
import type { StagedFile } from '#src/lake/staged-file';

export const STATUS = { existing: 0, added: 1, deleted: 2 } as const;
export type Status = (typeof STATUS)[keyof typeof STATUS];

interface Pair<T> {
  readonly key: number;
  readonly value: T;
}

export interface DataFileRecord {
  /** 0: data. */
  readonly content: number;
  /** Full URI. */
  readonly file_path: string;
  readonly file_format: string;
  /** By partition field name. */
  readonly partition: Readonly<Record<string, number | null>>;
  readonly record_count: number;
  readonly file_size_in_bytes: number;
  readonly column_sizes: readonly Pair<number>[] | null;
  readonly value_counts: readonly Pair<number>[] | null;
  readonly null_value_counts: readonly Pair<number>[] | null;
  readonly lower_bounds: readonly Pair<Buffer>[] | null;
  readonly upper_bounds: readonly Pair<Buffer>[] | null;
  readonly split_offsets: readonly number[] | null;
  readonly sort_order_id: number | null;
}

export interface ManifestEntry {
  readonly status: Status;
  /** Of an added or existing file the snapshot that added it, of a deleted one that which deleted it. */
  readonly snapshot_id: number;
  /** Null only in an added entry: the sequence number of the manifest. */
  readonly sequence_number: number | null;
  readonly file_sequence_number: number | null;
  readonly data_file: DataFileRecord;
}

/** The entry that adds a file to a table; `uri` is where the file is. */
export function addedEntry(
  definition: TableDefinition,
  file: StagedFile,
  uri: string,
  snapshotId: number,
): ManifestEntry {
  const { metrics } = file;
  const tuple = partitionTuple(definition.partition, file.partition);
  return {
    status: STATUS.added,
    snapshot_id: snapshotId,
    sequence_number: null,
    file_sequence_number: null,
    data_file: {
      content: 0,
      file_path: uri,
      file_format: 'PARQUET',
      partition: Object.fromEntries(definition.partition.map(({ name }, i) => [name, tuple[i]!])),
      record_count: file.rows,
      file_size_in_bytes: file.bytes,
      column_sizes: pairs(metrics.columnSizes, Number),
      value_counts: pairs(metrics.valueCounts, Number),
      null_value_counts: pairs(metrics.nullCounts, Number),
      lower_bounds: pairs(metrics.lower, fromHex),
      upper_bounds: pairs(metrics.upper, fromHex),
      split_offsets: metrics.splitOffsets.length === 0 ? null : metrics.splitOffsets,
      sort_order_id: SORT_ORDER_ID,
    },
  };
}

/** The entry of a file that stays when its manifest is written anew. */
export function existingEntry(entry: NumberedEntry): NumberedEntry {
  return { ...entry, status: STATUS.existing };
}

/** The entry of a file that snapshot `snapshotId` takes out of the table. */
export function deletedEntry(entry: NumberedEntry, snapshotId: number): NumberedEntry {
  return { ...entry, status: STATUS.deleted, snapshot_id: snapshotId };
}

/** An entry whose sequence numbers are written out, as they must be once its manifest is another. */
export interface NumberedEntry extends ManifestEntry {
  readonly sequence_number: number;
  readonly file_sequence_number: number;
}

export function isLive({ status }: ManifestEntry): boolean {
  return status !== STATUS.deleted;
}

/** The partition of an entry; a null value, which no file of ours has, counts as 0. */
export function entryTuple(
  { partition }: TableDefinition,
  { data_file }: ManifestEntry,
): PartitionTuple {
  return partition.map(({ name }) => data_file.partition[name] ?? 0);
}

function pairs<T, U>(
  byFieldId: Readonly<Record<number, T>>,
  convert: (value: T) => U,
): Pair<U>[] | null {
  const all = Object.entries(byFieldId).map(([id, value]) => ({
    key: Number(id),
    value: convert(value),
  }));
  return all.length === 0 ? null : all;
}

function fromHex(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}
