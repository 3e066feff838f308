/**
 * Where actors and jobs run. In a process: an actor on a worker thread of its own, jobs in pools. A
 * simulation runs all of them on one thread, in an order of its own.
 */
import type { Instrument } from '#schemas/instrument';
import type { LakeJob } from '#src/lake/job';
import { LakePool } from '#src/lake/pool';
import type { StagedFile } from '#src/lake/staged-file';
import { type JobThread, type MaintenancePlace, MaintenancePool } from '#src/maintenance/pool';
import type { Stoppable } from '#src/runtime/control';
import { tuneEngine } from '#src/runtime/engine';
import type { SupervisorLine } from '#src/runtime/supervisor-line';
import type { ThreadSpec } from '#src/runtime/thread-spec';
import { type ActorThread, WorkerActorThread } from '#src/supervision/actor-thread';
import type { WarehouseSpec } from '#src/warehouse/open-warehouse';

/** What an actor may ask of its supervisor; its start and its failure are told to the thread. */
export type ActorLine = Omit<SupervisorLine, 'ready' | 'failed'>;

export interface LakeThreads {
  run(job: LakeJob): Promise<readonly StagedFile[]>;
  /** Ends the threads at once; jobs that have not settled are rejected. */
  destroy(): Promise<void>;
}

export interface LakePlace {
  readonly warehouse: WarehouseSpec;
  readonly instruments: readonly Instrument[];
  readonly threads: number;
  /** A job that takes longer hangs. */
  readonly jobMsMax: number;
}

export interface Workers {
  actor<C extends Stoppable>(spec: ThreadSpec, line: ActorLine): ActorThread<C>;
  lake(place: LakePlace): LakeThreads;
  maintenance(place: MaintenancePlace): JobThread;
}

/** `actors`: the folder of the compiled actors. `entry`: another entry of their threads. */
export function threadWorkers(actors: URL, entry = new URL('thread.js', actors)): Workers {
  tuneEngine();
  return {
    actor: (spec, line) => new WorkerActorThread(entry, spec, line),
    lake: (place) => new LakePool({ ...place, worker: new URL('lake-worker.js', actors) }),
    maintenance: (place) => new MaintenancePool(new URL('maintenance-worker.js', actors), place),
  };
}
