/**
 * A lake worker: a thread of the lake pool. Turns LakeJobs into staged files, sends those on where
 * the warehouse is not this machine's disk, and holds nothing between jobs but memory to reuse.
 */
import { workerData } from 'node:worker_threads';
import { nodeDisk } from '#src/base/node-disk';
import { answerOf, deliveredAnswer, type LakeAnswer } from '#src/lake/answer';
import type { LakeJob } from '#src/lake/job';
import { LakeEncoder } from '#src/lake/lake-encoder';
import type { LakeWorkerData } from '#src/lake/pool';
import { giveWay, nameThread } from '#src/runtime/affinity';
import { deliver, openWarehouse } from '#src/warehouse/open-warehouse';

nameThread('lake');
// Where cores are few an encoding of 80 ms shares one with a frame that somebody waits for. Not
// the lowest priority, because a stage whose chunks are all waiting has to wait itself.
giveWay();
const { warehouse: spec, instruments } = workerData as LakeWorkerData;
const disk = nodeDisk();
const warehouse = openWarehouse(disk, spec);
const encoder = new LakeEncoder(instruments, { lakeDir: spec.dir, disk });

export default function runJob(job: LakeJob): Promise<LakeAnswer> {
  return deliveredAnswer(
    answerOf(() => encoder.run(job)),
    (paths) => deliver(disk, warehouse, spec, paths),
  );
}
