/**
 * Time travel: the snapshots a table still has, which one it showed at a moment, and the data files
 * of each.
 */
import { EPOCH_KEY, type Snapshot, type TableMetadata } from '#src/iceberg/table-metadata';
import { liveEntries } from '#src/iceberg/table-place';
import { pathIn, type Warehouse } from '#src/warehouse/warehouse';

/** A row for each snapshot, oldest first, as it is shown to people. */
export function snapshotRows(metadata: TableMetadata) {
  return metadata.snapshots.map((snapshot) => {
    const { summary } = snapshot;
    const count = (key: string): number => Number(summary[key] ?? 0);
    return {
      snapshot_id: snapshot['snapshot-id'],
      committed_at: snapshot['timestamp-ms'] * 1000,
      operation: summary.operation,
      epoch: count(EPOCH_KEY),
      added_files: count('added-data-files'),
      deleted_files: count('deleted-data-files'),
      added_rows: count('added-records'),
      total_files: count('total-data-files'),
      total_rows: count('total-records'),
      is_current: snapshot['snapshot-id'] === metadata['current-snapshot-id'],
    };
  });
}

export function snapshotById(metadata: TableMetadata, id: number): Snapshot | undefined {
  return metadata.snapshots.find((snapshot) => snapshot['snapshot-id'] === id);
}

/**
 * The snapshot that was current at a moment, by the table's own log; undefined when the table had
 * none yet, or when the one it had is no longer kept.
 */
export function snapshotAtTime(metadata: TableMetadata, timeMs: number): Snapshot | undefined {
  const entry = metadata['snapshot-log'].findLast((logged) => logged['timestamp-ms'] <= timeMs);
  return entry && snapshotById(metadata, entry['snapshot-id']);
}

export interface SnapshotFile {
  /** Relative to the warehouse. */
  readonly path: string;
  /** Partition folder, such as `window_date=2026-11-23`. */
  readonly partition: string;
}

/** The data files of a snapshot, in the order of their paths. */
export async function snapshotFiles(
  warehouse: Warehouse,
  snapshot: Snapshot,
): Promise<SnapshotFile[]> {
  const entries = await liveEntries({ warehouse }, snapshot);
  return entries
    .flatMap((entry) => pathIn(warehouse, entry.data_file.file_path) ?? [])
    .sort()
    .map((path) => ({ path, partition: path.split('/').slice(2, -1).join('/') }));
}
