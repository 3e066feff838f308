/** Maintenance over an open data directory: what the server and `bullion jobs run` share. */
import type { Clock } from '#src/base/clock';
import type { Config } from '#src/config/schema';
import { Maintenance, type MaintenanceOptions } from '#src/maintenance/maintenance';
import type { DataDirectory } from '#src/supervision/data-directory';

export interface MaintenanceRequest
  extends Pick<MaintenanceOptions, 'jobThread' | 'isAlone' | 'commit' | 'isInFlight' | 'log'> {
  readonly config: Config;
  readonly data: DataDirectory;
  readonly clock: Clock;
}

export function maintenanceOf(request: MaintenanceRequest): Maintenance {
  const { data, config, clock, jobThread, isAlone, commit, isInFlight, log } = request;
  const { store, disk, tables, warehouse, turns, paths, step } = data;
  return new Maintenance({
    config: config.maintenance,
    store,
    disk,
    tables,
    turns,
    step,
    clock,
    place: { warehouse, stateDir: paths.state, catalog: config.catalog },
    bronzeDir: paths.bronze,
    jobThread,
    isAlone,
    commit,
    isInFlight,
    log,
    filePrefix: `m${clock.nowUs().toString(36)}`,
  });
}
