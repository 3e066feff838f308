/**
 * The maintenance worker: a thread for compactions, audits and walks over the lake. It gives way to
 * every other thread of the process.
 */
import { constants, setPriority } from 'node:os';
import { workerData } from 'node:worker_threads';
import { nodeDisk } from '#src/base/node-disk';
import type { MaintenancePlace } from '#src/maintenance/pool';
import { type AnswerOf, runWorkerJob, type WorkerJob } from '#src/maintenance/worker-job';

const place = { ...(workerData as MaintenancePlace), disk: nodeDisk() };

// 0 is the calling thread on Linux; where it is the process, its threads keep their own.
if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL);

export default function runJob(job: WorkerJob): Promise<AnswerOf<WorkerJob>> {
  return runWorkerJob(place, job);
}
