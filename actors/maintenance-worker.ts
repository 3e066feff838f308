/**
 * The maintenance worker: a thread for compactions, audits and walks over the lake. It gives way to
 * every other thread of the process.
 */
import { constants, setPriority } from 'node:os';
import { workerData } from 'node:worker_threads';
import { nodeDisk } from '#src/base/node-disk';
import { openCatalog } from '#src/iceberg/open-catalog';
import type { MaintenanceWorkerData } from '#src/maintenance/pool';
import { type AnswerOf, runWorkerJob, type WorkerJob } from '#src/maintenance/worker-job';
import { openWarehouse } from '#src/warehouse/open-warehouse';

const { warehouse: spec, catalog, stateDir } = workerData as MaintenanceWorkerData;
const disk = nodeDisk();
const place = {
  disk,
  spec,
  warehouse: openWarehouse(disk, spec),
  catalog: openCatalog(catalog),
  stateDir,
};

// 0 is the calling thread on Linux; where it is the process, its threads keep their own.
if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL);

export default function runJob(job: WorkerJob): Promise<AnswerOf<WorkerJob>> {
  return runWorkerJob(place, job);
}
