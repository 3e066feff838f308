/**
 * The file catalog: the metadata of a table as numbered files in its `metadata` folder.
 *
 *   v<N>.metadata.json   version N, never changed once it has this name
 *   version-hint.text    the number of a version close to the newest
 *
 * The commit point is the creation of the next number's file, which fails when somebody else has it:
 * link(2) on a disk, a conditional PUT in a bucket. The hint is best effort: a reader starts there and
 * walks up.
 */
import { errorCode } from '#src/base/errors';
import type { Catalog, CatalogTable, MetadataText, TableVersion } from '#src/iceberg/catalog';
import type { CommitStep } from '#src/iceberg/commit-steps';
import {
  deleteMetadata,
  hintFile,
  metadataFile,
  metadataFolder,
  nameOf,
  versionOf,
} from '#src/iceberg/metadata-files';
import { type TableMetadata, withPrevious } from '#src/iceberg/table-metadata';
import { type CreatePoint, uriOf, type Warehouse } from '#src/warehouse/warehouse';

const STEP_OF: Readonly<Record<CreatePoint, CommitStep>> = {
  staged: 'after-metadata-tmp',
  named: 'after-metadata-link',
  durable: 'after-metadata-sync',
};

export const FILE_CATALOG: Catalog = { read, create, commit, tidy };

async function read(warehouse: Warehouse, table: string): Promise<MetadataText | undefined> {
  const version = await newestVersion(warehouse, table);
  if (version === undefined) return undefined;
  const path = metadataFile(table, version);
  const text = (await warehouse.get(path)).toString();
  return { version, location: uriOf(warehouse, path), text };
}

async function create(
  table: CatalogTable,
  metadata: TableMetadata,
): Promise<TableVersion | undefined> {
  const { warehouse, definition } = table;
  const before = (await newestVersion(warehouse, definition.name)) ?? 0;
  return put(table, before + 1, metadata);
}

async function commit(
  table: CatalogTable,
  base: TableVersion,
  next: TableMetadata,
): Promise<TableVersion | undefined> {
  const { metadata, forgotten } = withPrevious(next, {
    file: base.location,
    updatedMs: base.metadata['last-updated-ms'],
  });
  const made = await put(table, base.version + 1, metadata);
  if (made !== undefined) await deleteMetadata(table.warehouse, table.definition.name, forgotten);
  return made;
}

/** Writes the hint; deletes versions that neither are the newest nor named by it. */
async function tidy(table: CatalogTable, { version, metadata }: TableVersion): Promise<void> {
  const { warehouse, definition } = table;
  await writeHint(warehouse, definition.name, version);
  const logged = new Set(metadata['metadata-log'].map((entry) => entry['metadata-file']));
  const found = await warehouse.list(metadataFolder(definition.name));
  const uris = found.map(({ path }) => uriOf(warehouse, path));
  const isLeft = (uri: string): boolean => {
    const number = versionOf(nameOf(uri));
    return number !== undefined && number < version && !logged.has(uri);
  };
  await deleteMetadata(warehouse, definition.name, uris.filter(isLeft));
}

/** The newest version; undefined when the table has none. */
async function newestVersion(warehouse: Warehouse, table: string): Promise<number | undefined> {
  const exists = async (version: number): Promise<boolean> =>
    (await warehouse.size(metadataFile(table, version))) !== undefined;
  let version = (await readHint(warehouse, table)) ?? 0;
  if (version === 0 || !(await exists(version))) {
    const found = await warehouse.list(metadataFolder(table));
    const versions = found.map(({ path }) => versionOf(nameOf(path)) ?? 0);
    version = versions.reduce((a, b) => Math.max(a, b), 0);
    if (version === 0) return undefined;
  }
  while (await exists(version + 1)) version++;
  return version;
}

/** Undefined when somebody else was first with that number. */
async function put(
  { warehouse, definition, step }: CatalogTable,
  version: number,
  metadata: TableMetadata,
): Promise<TableVersion | undefined> {
  const path = metadataFile(definition.name, version);
  const bytes = Buffer.from(JSON.stringify(metadata));
  const passed = (point: CreatePoint): void => step(STEP_OF[point]);
  if (!(await warehouse.create(path, bytes, passed))) return undefined;
  await writeHint(warehouse, definition.name, version);
  step('after-version-hint');
  return { version, location: uriOf(warehouse, path), metadata };
}

/** Makes the hint name this version; some readers take it at its word and do not walk up. */
async function writeHint(warehouse: Warehouse, table: string, version: number): Promise<void> {
  if ((await readHint(warehouse, table)) === version) return;
  await warehouse.put(hintFile(table), Buffer.from(String(version)));
}

async function readHint(warehouse: Warehouse, table: string): Promise<number | undefined> {
  try {
    const text = (await warehouse.get(hintFile(table))).toString().trim();
    return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
