/** Where the tables are, what says which is newest, and reading what a snapshot is made of. */
import { assert, errorCode } from '#src/base/errors';
import type { Catalog } from '#src/iceberg/catalog';
import type { StepHook } from '#src/iceberg/commit-steps';
import {
  decodeManifest,
  decodeManifestList,
  type ManifestFile,
  sha256Of,
} from '#src/iceberg/manifest';
import { isLive, type NumberedEntry } from '#src/iceberg/manifest-entry';
import type { TableDefinition } from '#src/iceberg/table-definition';
import type { Retention, Snapshot } from '#src/iceberg/table-metadata';
import { isDiskError } from '#src/lake/file-sink';
import { pathIn, uriOf, type Warehouse } from '#src/warehouse/warehouse';

export interface Lake {
  readonly warehouse: Warehouse;
  readonly catalog: Catalog;
  readonly step: StepHook;
  readonly retention: Retention;
}

export interface TablePlace extends Lake {
  readonly definition: TableDefinition;
}

/** Where a table is. */
export function tableUri({ warehouse, definition }: TablePlace): string {
  return uriOf(warehouse, definition.name);
}

/** `path` is relative to the warehouse. */
export function dataFileUri({ warehouse }: Pick<Lake, 'warehouse'>, path: string): string {
  return uriOf(warehouse, path);
}

/** A manifest or a manifest list is missing or is not what was written. */
export class DamagedTableError extends Error {
  constructor(uri: string, options: ErrorOptions) {
    super(`${uri} is not what a commit has written there`, options);
    this.name = 'DamagedTableError';
  }
}

/** Of what is read from a table; `warehouse` is where it must be. */
type ReadPlace = Pick<Lake, 'warehouse'>;

export function readManifestList(lake: ReadPlace, snapshot: Snapshot): Promise<ManifestFile[]> {
  const uri = snapshot['manifest-list'];
  return undamaged(uri, async () => {
    const rows = decodeManifestList(snapshot, await readUri(lake, uri));
    // A list that ends behind one of its blocks is a shorter one.
    const files = rows.reduce((n, row) => n + row.added_files_count + row.existing_files_count, 0);
    const expected = Number(snapshot.summary['total-data-files'] ?? files);
    assert(files === expected, `${uri} names ${files} files, its snapshot ${expected}`);
    return rows;
  });
}

export function readManifest(lake: ReadPlace, row: ManifestFile): Promise<NumberedEntry[]> {
  const uri = row.manifest_path;
  return undamaged(uri, async () => decodeManifest(row, await readUri(lake, uri)));
}

/** The row, with the digest of its manifest where an older version of the program told none. */
export async function withDigest(lake: ReadPlace, row: ManifestFile): Promise<ManifestFile> {
  if (row.sha256 !== undefined) return row;
  const uri = row.manifest_path;
  return undamaged(uri, async () => ({ ...row, sha256: sha256Of(await readUri(lake, uri)) }));
}

function readUri({ warehouse }: ReadPlace, uri: string): Promise<Buffer> {
  const path = pathIn(warehouse, uri);
  assert(path !== undefined, `${uri} is not in ${warehouse.uri}`);
  return warehouse.get(path);
}

/** Makes of whatever `read` finds wrong, or not there, a DamagedTableError. */
export async function undamaged<T>(uri: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    // A disk that cannot be read says nothing about what is on it.
    if (isDiskError(error) && errorCode(error) !== 'ENOENT') throw error;
    throw new DamagedTableError(uri, { cause: error });
  }
}

/** Every data file of a snapshot. */
export async function liveEntries(lake: ReadPlace, snapshot: Snapshot): Promise<NumberedEntry[]> {
  const entries: NumberedEntry[] = [];
  for (const row of await readManifestList(lake, snapshot)) {
    entries.push(...(await readManifest(lake, row)).filter(isLive));
  }
  return entries;
}
