/**
 * A lake worker: a thread of the lake pool. Turns one LakeJob at a time into staged files and holds
 * nothing between jobs but memory to reuse.
 */
import { workerData } from 'node:worker_threads';
import { nodeDisk } from '#src/base/node-disk';
import { answerOf, type LakeAnswer } from '#src/lake/answer';
import type { LakeJob } from '#src/lake/job';
import { LakeEncoder } from '#src/lake/lake-encoder';
import type { LakeWorkerData } from '#src/lake/pool';
import { nameThread } from '#src/runtime/affinity';

nameThread('lake');
const { lakeDir, instruments } = workerData as LakeWorkerData;
const encoder = new LakeEncoder(instruments, { lakeDir, disk: nodeDisk() });

export default function runJob(job: LakeJob): LakeAnswer {
  return answerOf(() => encoder.run(job));
}
