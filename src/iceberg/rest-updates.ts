/**
 * What takes a table from one metadata to the next, as an Iceberg REST catalog takes it: requirements,
 * without which nothing is done, and updates. Pure.
 */
import type { Snapshot, TableMetadata } from '#src/iceberg/table-metadata';

export type Requirement =
  | { readonly type: 'assert-create' }
  | { readonly type: 'assert-table-uuid'; readonly uuid: string }
  | {
      readonly type: 'assert-ref-snapshot-id';
      readonly ref: 'main';
      readonly 'snapshot-id': number | null;
    }
  | { readonly type: 'assert-current-schema-id'; readonly 'current-schema-id': number };

export type Update = { readonly action: string } & Readonly<Record<string, unknown>>;

export interface TableUpdate {
  readonly requirements: readonly Requirement[];
  readonly updates: readonly Update[];
}

/** The id of what the same request has added last. */
const LAST_ADDED = -1;

/**
 * A table with exactly this metadata. It is not asked for by `createTable`, where a catalog may give
 * columns ids of its own choice, and the data files would have others.
 */
export function creation(metadata: TableMetadata): TableUpdate {
  const order = metadata['sort-orders'].at(-1);
  return {
    requirements: [{ type: 'assert-create' }],
    updates: [
      { action: 'assign-uuid', uuid: metadata['table-uuid'] },
      { action: 'upgrade-format-version', 'format-version': metadata['format-version'] },
      {
        action: 'add-schema',
        schema: metadata.schemas[0],
        'last-column-id': metadata['last-column-id'],
      },
      { action: 'set-current-schema', 'schema-id': LAST_ADDED },
      { action: 'add-spec', spec: metadata['partition-specs'][0] },
      { action: 'set-default-spec', 'spec-id': LAST_ADDED },
      { action: 'add-sort-order', 'sort-order': order },
      { action: 'set-default-sort-order', 'sort-order-id': LAST_ADDED },
      { action: 'set-location', location: metadata.location },
      { action: 'set-properties', updates: metadata.properties },
    ],
  };
}

export function changes(before: TableMetadata, after: TableMetadata): TableUpdate {
  const updates: Update[] = [];
  const requirements: Requirement[] = [
    { type: 'assert-table-uuid', uuid: before['table-uuid'] },
    {
      type: 'assert-ref-snapshot-id',
      ref: 'main',
      'snapshot-id': before.refs.main?.['snapshot-id'] ?? null,
    },
  ];
  for (const schema of after.schemas.slice(before.schemas.length)) {
    const id = before['current-schema-id'];
    requirements.push({ type: 'assert-current-schema-id', 'current-schema-id': id });
    updates.push({ action: 'add-schema', schema, 'last-column-id': after['last-column-id'] });
    updates.push({ action: 'set-current-schema', 'schema-id': LAST_ADDED });
  }
  for (const snapshot of added(before, after)) {
    const id = snapshot['snapshot-id'];
    updates.push({ action: 'add-snapshot', snapshot });
    updates.push({
      action: 'set-snapshot-ref',
      'ref-name': 'main',
      type: 'branch',
      'snapshot-id': id,
    });
  }
  const removed = added(after, before).map((snapshot) => snapshot['snapshot-id']);
  if (removed.length > 0) updates.push({ action: 'remove-snapshots', 'snapshot-ids': removed });
  return { requirements, updates };
}

/** Whether a table shows that the step from `before` to `after` has been made. */
export function hasChanges(
  now: TableMetadata,
  before: TableMetadata,
  after: TableMetadata,
): boolean {
  if (now['table-uuid'] !== after['table-uuid']) return false;
  const isThere = (wanted: Snapshot): boolean =>
    now.snapshots.some(
      (one) =>
        one['snapshot-id'] === wanted['snapshot-id'] &&
        // By the epoch and the counts, too: ids of two writers could be the same.
        sameEntries(one.summary, wanted.summary),
    );
  const isGone = ({ 'snapshot-id': id }: Snapshot): boolean =>
    now.snapshots.every((one) => one['snapshot-id'] !== id);
  return (
    added(before, after).every(isThere) &&
    added(after, before).every(isGone) &&
    now.schemas.length >= after.schemas.length
  );
}

function added(before: TableMetadata, after: TableMetadata): Snapshot[] {
  const ids = new Set(before.snapshots.map((snapshot) => snapshot['snapshot-id']));
  return after.snapshots.filter((snapshot) => !ids.has(snapshot['snapshot-id']));
}

function sameEntries(
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(b).every(([key, value]) => a[key] === value);
}
