/**
 * `--at SNAPSHOT|TIME`: the data files a table showed then. A snapshot is named by its id, a moment
 * by an ISO 8601 time or milliseconds; `bullion snapshots TABLE` lists what is kept.
 */
import { timeArgument } from '#src/commands/arguments';
import type { Arguments } from '#src/commands/command';
import type { OpenState } from '#src/commands/open-state';
import type { Config } from '#src/config/schema';
import { loadTable } from '#src/iceberg/catalog';
import { openCatalog } from '#src/iceberg/open-catalog';
import { snapshotAtTime, snapshotById, snapshotFiles } from '#src/iceberg/time-travel';
import type { DataFile } from '#src/lake/table-reader';

/** The files of `table` at `--at`; those of the last epoch where it is not given. */
export async function filesAt(
  args: Arguments,
  config: Config,
  { store, warehouse }: OpenState,
  table: string,
): Promise<DataFile[]> {
  const live = [...store.files(table)];
  const { at } = args.values;
  if (at === undefined) return live;
  const metadata = (await loadTable(openCatalog(config.catalog), warehouse, table))?.metadata;
  const snapshot =
    metadata &&
    (snapshotById(metadata, Number(at)) ??
      snapshotAtTime(metadata, (timeArgument(args, 'at') as number) / 1000));
  if (snapshot === undefined) {
    throw args.wrong(`--at ${at} is before the first snapshot that ${table} still has`);
  }
  // Digests are checked where the state still knows them: of live files and of replaced ones.
  const digests = new Map([...live, ...store.removedFiles()].map((f) => [f.path, f.sha256]));
  return (await snapshotFiles(warehouse, snapshot)).map((file) => {
    const sha256 = digests.get(file.path);
    return sha256 === undefined ? file : { ...file, sha256 };
  });
}
