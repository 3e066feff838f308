/** Where a table is, what reaches its disk, and reading what one of its snapshots is made of. */
import { type Disk, readFile } from '#src/base/disk';
import { assert, errorCode } from '#src/base/errors';
import type { StepHook } from '#src/iceberg/commit-steps';
import { decodeManifest, decodeManifestList, type ManifestFile } from '#src/iceberg/manifest';
import { isLive, type NumberedEntry } from '#src/iceberg/manifest-entry';
import type { TableDefinition } from '#src/iceberg/table-definition';
import type { Retention, Snapshot } from '#src/iceberg/table-metadata';
import { isDiskError } from '#src/lake/file-sink';

export interface Lake {
  readonly disk: Disk;
  /** Absolute path. */
  readonly lakeDir: string;
  readonly step: StepHook;
  readonly retention: Retention;
}

export interface TablePlace extends Lake {
  readonly definition: TableDefinition;
}

const SCHEME = 'file://';

export function tableDirectory({ lakeDir, definition }: TablePlace): string {
  return `${lakeDir}/${definition.name}`;
}

/** Paths go into URIs as they are, not escaped: that is what readers take them for. */
export function uriOf(path: string): string {
  return SCHEME + path;
}

export function pathOf(uri: string): string {
  assert(uri.startsWith(`${SCHEME}/`), `${uri} is not a file of this machine`);
  return uri.slice(SCHEME.length);
}

/** `path` is relative to the lake directory. */
export function dataFileUri({ lakeDir }: Lake, path: string): string {
  return uriOf(`${lakeDir}/${path}`);
}

/** A manifest or a manifest list is missing or is not what was written. */
export class DamagedTableError extends Error {
  constructor(uri: string, options: ErrorOptions) {
    super(`${uri} is not what a commit has written there`, options);
    this.name = 'DamagedTableError';
  }
}

export function readManifestList(
  { disk }: Pick<Lake, 'disk'>,
  snapshot: Snapshot,
): Promise<ManifestFile[]> {
  const uri = snapshot['manifest-list'];
  return undamaged(uri, async () => {
    const rows = await decodeManifestList(readFile(disk, pathOf(uri)));
    // avsc takes a list that ends early for a shorter one.
    const files = rows.reduce((n, row) => n + row.added_files_count + row.existing_files_count, 0);
    const expected = Number(snapshot.summary['total-data-files'] ?? files);
    assert(files === expected, `${uri} names ${files} files, its snapshot ${expected}`);
    return rows;
  });
}

export function readManifest(
  { disk }: Pick<Lake, 'disk'>,
  row: ManifestFile,
): Promise<NumberedEntry[]> {
  const uri = row.manifest_path;
  return undamaged(uri, async () => decodeManifest(row, readFile(disk, pathOf(uri))));
}

async function undamaged<T>(uri: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    // A disk that cannot be read says nothing about what is on it.
    if (isDiskError(error) && errorCode(error) !== 'ENOENT') throw error;
    throw new DamagedTableError(uri, { cause: error });
  }
}

/** Every data file of a snapshot. */
export async function liveEntries(
  lake: Pick<Lake, 'disk'>,
  snapshot: Snapshot,
): Promise<NumberedEntry[]> {
  const entries: NumberedEntry[] = [];
  for (const row of await readManifestList(lake, snapshot)) {
    entries.push(...(await readManifest(lake, row)).filter(isLive));
  }
  return entries;
}
