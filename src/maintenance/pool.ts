/**
 * The maintenance thread: a pool of one, made when a job comes and gone when none has come for a
 * while, so that the memory of a large compaction is given back.
 */
import { Piscina } from 'piscina';
import { threadsLoaded } from '#src/base/loading-threads';
import { poolThread } from '#src/base/pool-thread';
import type { CatalogSpec } from '#src/iceberg/open-catalog';
import type { AnswerOf, WorkerJob } from '#src/maintenance/worker-job';
import type { WarehouseSpec } from '#src/warehouse/open-warehouse';

export interface MaintenancePlace {
  readonly warehouse: WarehouseSpec;
  readonly catalog: CatalogSpec;
  readonly stateDir: string;
}

const IDLE_MS_MAX = 5_000;
/** The largest compaction takes a minute on a slow disk; a job that takes this long hangs, and fails. */
const JOB_MS_MAX = 1_800_000;

/** Whatever runs maintenance work, one piece at a time. */
export interface JobThread {
  run<J extends WorkerJob>(job: J): Promise<AnswerOf<J>>;
  /** Ends the work at once; what has not settled is rejected. */
  destroy(): Promise<void>;
}

export class MaintenancePool implements JobThread {
  readonly #piscina: Piscina<WorkerJob, AnswerOf<WorkerJob>>;

  /** `worker`: compiled file of the worker. */
  constructor(worker: URL, place: MaintenancePlace) {
    this.#piscina = new Piscina({
      ...poolThread(worker, place),
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: IDLE_MS_MAX,
      recordTiming: false,
    });
  }

  run<J extends WorkerJob>(job: J): Promise<AnswerOf<J>> {
    return this.#piscina.run(job, { signal: AbortSignal.timeout(JOB_MS_MAX) }) as Promise<
      AnswerOf<J>
    >;
  }

  /** Ends the thread at once; a job that has not settled is rejected. */
  async destroy(): Promise<void> {
    await threadsLoaded();
    await this.#piscina.destroy();
  }
}
