/** A snapshot of a table as the API gives it. */
import type { Column } from '#schemas/schema';

export const SNAPSHOT_COLUMNS: readonly Column[] = (
  [
    ['table', 'string', 'Name of the table.'],
    ['snapshot_id', 'long', 'Names the snapshot in POST /v1/snapshots/{id}/query.'],
    ['committed_at', 'timestamptz', 'When it was committed.'],
    ['operation', 'string', 'append, overwrite, replace or delete.'],
    ['epoch', 'long', 'The epoch it shows.'],
    ['added_files', 'long', 'Data files that are new in it.'],
    ['deleted_files', 'long', 'Data files that left with it.'],
    ['added_rows', 'long', 'Rows in the new files.'],
    ['total_files', 'long', 'Data files it shows.'],
    ['total_rows', 'long', 'Rows it shows.'],
    ['is_current', 'boolean', 'The newest one.'],
  ] as const
).map(([name, type, doc], i) => ({ id: i + 1, name, type, required: true, doc }));
