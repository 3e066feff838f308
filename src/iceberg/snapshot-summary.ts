/** What a snapshot says of itself: which kind of change it is, what it counts, and its epoch. */
import { entryTuple, type ManifestEntry } from '#src/iceberg/manifest-entry';
import type { TableDefinition } from '#src/iceberg/table-definition';
import { EPOCH_KEY, type Operation, type Summary } from '#src/iceberg/table-metadata';

export interface SnapshotChange {
  readonly added: readonly ManifestEntry[];
  readonly removed: readonly ManifestEntry[];
}

/**
 * `replace` tells readers of changes that the rows are the same in other files. Data files of trades
 * never change, so removing and adding equally many rows in each partition is a compaction; a
 * candle's file is replaced because candles changed.
 */
function operationOf(definition: TableDefinition, change: SnapshotChange): Operation {
  const { added, removed } = change;
  if (removed.length === 0) return added.length === 0 ? 'replace' : 'append';
  if (added.length === 0) return 'delete';
  if (definition.rowsChange) return 'overwrite';
  const before = rowsByPartition(definition, removed);
  const after = rowsByPartition(definition, added);
  const isSame =
    before.size === after.size && [...before].every(([key, rows]) => after.get(key) === rows);
  return isSame ? 'replace' : 'overwrite';
}

/** `previous` is the summary of the snapshot before, if there is one. */
export function summaryOf(
  definition: TableDefinition,
  previous: Summary | undefined,
  change: SnapshotChange,
  epoch: number,
): Summary {
  const { added, removed } = change;
  const rows = { added: sum(added, recordCount), removed: sum(removed, recordCount) };
  const bytes = { added: sum(added, fileBytes), removed: sum(removed, fileBytes) };
  const total = (key: string, more: number, less: number): string =>
    String(Number(previous?.[key] ?? 0) + more - less);
  const partitions = rowsByPartition(definition, [...added, ...removed]).size;
  return {
    operation: operationOf(definition, change),
    [EPOCH_KEY]: String(epoch),
    'added-data-files': String(added.length),
    'deleted-data-files': String(removed.length),
    'added-records': String(rows.added),
    'deleted-records': String(rows.removed),
    'added-files-size': String(bytes.added),
    'removed-files-size': String(bytes.removed),
    'changed-partition-count': String(partitions),
    'total-data-files': total('total-data-files', added.length, removed.length),
    'total-records': total('total-records', rows.added, rows.removed),
    'total-files-size': total('total-files-size', bytes.added, bytes.removed),
    'total-delete-files': '0',
    'total-position-deletes': '0',
    'total-equality-deletes': '0',
  };
}

function rowsByPartition(
  definition: TableDefinition,
  entries: readonly ManifestEntry[],
): Map<string, number> {
  const rows = new Map<string, number>();
  for (const entry of entries) {
    const key = entryTuple(definition, entry).join('/');
    rows.set(key, (rows.get(key) ?? 0) + recordCount(entry));
  }
  return rows;
}

function recordCount({ data_file }: ManifestEntry): number {
  return data_file.record_count;
}

function fileBytes({ data_file }: ManifestEntry): number {
  return data_file.file_size_in_bytes;
}

function sum(
  entries: readonly ManifestEntry[],
  numberOf: (entry: ManifestEntry) => number,
): number {
  return entries.reduce((total, entry) => total + numberOf(entry), 0);
}
