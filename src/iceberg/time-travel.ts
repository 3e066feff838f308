/**
 * Time travel: which snapshot a table showed at a moment, and the data files of any kept snapshot.
 */
import type { Disk } from '#src/base/disk';
import { loadTable } from '#src/iceberg/file-catalog';
import type { Snapshot, TableMetadata } from '#src/iceberg/table-metadata';
import { liveEntries, pathOf } from '#src/iceberg/table-place';

/** A table's newest metadata; undefined when it has none yet. `lakeDir` is absolute. */
export function tableMetadata(
  disk: Disk,
  lakeDir: string,
  table: string,
): TableMetadata | undefined {
  return loadTable(disk, `${lakeDir}/${table}`)?.metadata;
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
  /** Relative to the lake directory. */
  readonly path: string;
  /** Partition folder, such as `window_date=2026-11-23`. */
  readonly partition: string;
}

/** The data files of a snapshot, in the order of their paths. */
export async function snapshotFiles(
  disk: Disk,
  lakeDir: string,
  snapshot: Snapshot,
): Promise<SnapshotFile[]> {
  const entries = await liveEntries({ disk }, snapshot);
  return entries
    .map((entry) => pathOf(entry.data_file.file_path).slice(lakeDir.length + 1))
    .sort()
    .map((path) => ({ path, partition: path.split('/').slice(2, -1).join('/') }));
}
