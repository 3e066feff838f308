/**
 * The state of a data directory for commands that only look: no lock, so they run beside the server
 * and see its last committed epoch.
 */
import { existsSync } from 'node:fs';
import type { Instrument } from '#schemas/instrument';
import { EXIT, UserError } from '#src/base/errors';
import { nodeDisk } from '#src/base/node-disk';
import type { Config } from '#src/config/schema';
import type { ReadFile } from '#src/lake/table-reader';
import type { DataPaths } from '#src/runtime/thread-spec';
import { checkBeforeLooking } from '#src/state/check-apart';
import { StateStore } from '#src/state/store';
import { dataPaths } from '#src/supervision/data-directory';
import { openWarehouse, warehouseSpec } from '#src/warehouse/open-warehouse';
import type { Warehouse } from '#src/warehouse/warehouse';

export interface OpenState {
  readonly store: StateStore;
  /** Every instrument the directory has ever had. */
  readonly instruments: readonly Instrument[];
  readonly paths: DataPaths;
  readonly warehouse: Warehouse;
  /** Data files, by their paths in the warehouse. */
  readonly read: ReadFile;
  close(): Promise<void>;
}

/** Refuses a directory without Bullion data: reading it must not make an empty one. */
export function requireData(dir: string): void {
  const paths = dataPaths(dir);
  if (existsSync(paths.state) || existsSync(paths.bronze)) return;
  throw new UserError(
    EXIT.noInput,
    `${dir} holds no Bullion data; name another directory with --data-dir, or import something first`,
  );
}

/** `readsCandles`: of the state, not of the tables. */
export async function openState(
  config: Config,
  { readsCandles = false }: { readonly readsCandles?: boolean } = {},
): Promise<OpenState> {
  const paths = dataPaths(config.data_dir);
  requireData(config.data_dir);
  // A server that runs has read it once; what is damaged since can end this process all the same.
  if (existsSync(paths.state)) await checkBeforeLooking(paths.state, readsCandles);
  const store = await StateStore.open(paths.state, { readOnly: true });
  const warehouse = openWarehouse(nodeDisk(), warehouseSpec(config, config.data_dir));
  return {
    store,
    instruments: store.instruments(),
    paths,
    warehouse,
    read: (path) => warehouse.get(path),
    close: () => store.close(),
  };
}
