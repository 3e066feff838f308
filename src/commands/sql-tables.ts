/**
 * The tables as `bullion sql` gets them: of every table the data files on this machine, of the last
 * epoch or of `--at SNAPSHOT|TIME`.
 *
 * DuckDB reads object stores with an extension, which would have to be fetched from elsewhere and be
 * trusted with credentials. So files of a bucket are fetched here, digests checked, into a folder that
 * is gone after the query, and of those tables only whose names are in the query: a table is named
 * to be read. The others are there, empty of files, and say so when they are read all the same.
 *
 * All tables are shown at the same epoch: a moment is one in all of them, because the snapshots of an
 * epoch carry its time, and a snapshot of one table stands for its epoch.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TABLES } from '#schemas/tables';
import { writeFileDurably } from '#src/base/disk';
import { EXIT, UserError } from '#src/base/errors';
import { nodeDisk } from '#src/base/node-disk';
import { timeArgument } from '#src/commands/arguments';
import type { Arguments } from '#src/commands/command';
import { type OpenState, openState } from '#src/commands/open-state';
import type { Config } from '#src/config/schema';
import { loadTable } from '#src/iceberg/catalog';
import { openCatalog } from '#src/iceberg/open-catalog';
import { epochOf, type Snapshot, type TableMetadata } from '#src/iceberg/table-metadata';
import { snapshotAtTime, snapshotById, snapshotFiles } from '#src/iceberg/time-travel';
import type { DataFile } from '#src/lake/table-reader';
import type { QueryTable } from '#src/sql/query-request';
import { warehouseSpec } from '#src/warehouse/open-warehouse';
import { forEachOf, type Warehouse } from '#src/warehouse/warehouse';

export interface QueryTables {
  readonly tables: readonly QueryTable[];
  /** Deletes what was fetched. */
  remove(): void;
}

type Files = readonly DataFile[] | { readonly closed: string };

export async function queryTables(args: Arguments, config: Config): Promise<QueryTables> {
  const [sql = ''] = args.positionals;
  const state = await openState(config);
  const fetched: string[] = [];
  const spec = warehouseSpec(config, config.data_dir);
  const folder = spec.kind === 'disk' ? undefined : mkdtempSync(join(tmpdir(), 'bullion-sql-'));
  const remove = (): void => {
    for (const path of fetched.splice(0)) nodeDisk().unlink(path);
    if (folder !== undefined) rmdirSync(folder);
  };
  try {
    const filesOf = await filesAtOf(args, config, state);
    const tables: QueryTable[] = [];
    for (const { name, schema } of TABLES) {
      const columns = schema.columns.map(({ name: column, type }) => ({ name: column, type }));
      const files = await filesOf(name);
      if ('closed' in files) tables.push({ name, columns, ...files });
      else if (folder === undefined) {
        tables.push({ name, columns, paths: files.map(({ path }) => join(spec.dir, path)) });
      } else if (!sql.toLowerCase().includes(name)) {
        const closed = `the files of ${name} were not fetched: write its name in the query as it is`;
        tables.push({ name, columns, closed });
      } else {
        tables.push({
          name,
          columns,
          paths: await fetchFiles(state.warehouse, files, folder, fetched),
        });
      }
    }
    return { tables, remove };
  } catch (error) {
    remove();
    throw error;
  } finally {
    await state.close();
  }
}

/** Fetches files side by side; `fetched` names what is there, whatever happens. */
async function fetchFiles(
  warehouse: Warehouse,
  files: readonly DataFile[],
  folder: string,
  fetched: string[],
): Promise<string[]> {
  const paths: string[] = [];
  await forEachOf(warehouse, files, async ({ path, sha256 }) => {
    const bytes = await warehouse.get(path);
    if (sha256 !== undefined && createHash('sha256').update(bytes).digest('hex') !== sha256) {
      throw new UserError(
        EXIT.io,
        `Data file ${path} is damaged (its SHA-256 is not the one committed): run \`bullion rebuild\` to make it again from the bronze log.`,
      );
    }
    const local = join(folder, `${fetched.length}.parquet`);
    fetched.push(local);
    writeFileDurably(nodeDisk(), local, bytes);
    paths.push(local);
  });
  return paths;
}

/** What tells the files of each table: the catalog of the last epoch, or the snapshots of `--at`. */
async function filesAtOf(
  args: Arguments,
  config: Config,
  { store, warehouse }: OpenState,
): Promise<(table: string) => Promise<Files>> {
  const { at } = args.values;
  if (at === undefined) return async (table) => [...store.files(table)];
  const known = new Map<string, TableMetadata>();
  const catalog = openCatalog(config.catalog);
  await forEachOf(warehouse, TABLES, async ({ name }) => {
    const table = await loadTable(catalog, warehouse, name);
    if (table !== undefined) known.set(name, table.metadata);
  });
  const find = momentOf(args, [...known.values()]);
  const digests = new Map<string, string>();
  for (const file of [...store.allFiles(), ...store.removedFiles()])
    digests.set(file.path, file.sha256);
  return async (table) => {
    const metadata = known.get(table);
    const snapshot = metadata && find(metadata);
    if (snapshot === undefined) {
      const [oldest] = metadata?.snapshots ?? [];
      // A table that had no snapshot yet was empty; one that has forgotten it is not.
      if (oldest?.['parent-snapshot-id'] === undefined) return [];
      return { closed: `--at ${at} is before the first snapshot that ${table} still has` };
    }
    return (await snapshotFiles(warehouse, snapshot)).map((file) => {
      const sha256 = digests.get(file.path);
      return sha256 === undefined ? file : { ...file, sha256 };
    });
  };
}

/** The snapshot of a table at `--at`: the newest of the epoch of a snapshot, or of a moment. */
function momentOf(
  args: Arguments,
  all: readonly TableMetadata[],
): (metadata: TableMetadata) => Snapshot | undefined {
  const { at } = args.values;
  for (const metadata of all) {
    const named = snapshotById(metadata, Number(at));
    const epoch = named && epochOf(named);
    if (named === undefined || epoch === undefined) continue;
    return (other) =>
      other === metadata
        ? named
        : other.snapshots.findLast((snapshot) => (epochOf(snapshot) ?? 0) <= epoch);
  }
  const timeMs = (timeArgument(args, 'at') as number) / 1000;
  return (metadata) => snapshotAtTime(metadata, timeMs);
}
