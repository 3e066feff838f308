/**
 * The lake pool: Parquet encoding on threads of its own, off the stages' threads.
 *
 * At most `threads + queueMax` jobs are in the pool; `run` of one more waits for room, in order, so
 * a stage that awaits its jobs slows down with the pool. A job's memory belongs to the pool until
 * its promise settles.
 */
import { Piscina } from 'piscina';
import type { Instrument } from '#schemas/instrument';
import { assert } from '#src/base/errors';
import { threadsLoaded } from '#src/base/loading-threads';
import { poolThread } from '#src/base/pool-thread';
import { filesOf, type LakeAnswer } from '#src/lake/answer';
import type { LakeJob } from '#src/lake/job';
import type { StagedFile } from '#src/lake/staged-file';
import type { WarehouseSpec } from '#src/warehouse/open-warehouse';

/** What every worker is given once. */
export interface LakeWorkerData {
  readonly warehouse: WarehouseSpec;
  readonly instruments: readonly Instrument[];
}

export interface LakePoolOptions extends LakeWorkerData {
  /** Compiled file of the worker. */
  readonly worker: URL;
  readonly threads?: number;
  /** Jobs that may wait inside the pool for a thread. */
  readonly queueMax?: number;
  /** A job that takes longer, waiting included, hangs: its thread is ended and the job fails. */
  readonly jobMsMax?: number;
}

/** A job takes a fraction of a second; a bad disk can take ten for one fsync. */
const JOB_MS_MAX = 120_000;
/** Jobs of a thread whose files are on their way at once. */
const DELIVERIES_MAX = 4;

export class LakePool {
  readonly #piscina: Piscina<LakeJob, LakeAnswer>;
  readonly #jobsMax: number;
  readonly #jobMsMax: number;
  readonly #running = new Set<Promise<unknown>>();
  readonly #waiting: (() => void)[] = [];
  #jobs = 0;
  #closed = false;

  constructor(options: LakePoolOptions) {
    const { worker, warehouse, instruments, threads = 1, queueMax = 8 } = options;
    this.#jobMsMax = options.jobMsMax ?? JOB_MS_MAX;
    this.#jobsMax = threads + queueMax;
    this.#piscina = new Piscina({
      ...poolThread<LakeWorkerData>(worker, { warehouse, instruments }),
      minThreads: 0, // made when the first job comes: a start has better things to do
      maxThreads: threads,
      idleTimeout: Number.POSITIVE_INFINITY,
      maxQueue: queueMax,
      // While files of one job are on their way to an object store, the thread encodes the next.
      concurrentTasksPerWorker: warehouse.kind === 'disk' ? 1 : DELIVERIES_MAX,
      recordTiming: false,
    });
  }

  /** Jobs in the pool and waiting for room in it. */
  get pending(): number {
    return this.#jobs + this.#waiting.length;
  }

  /** Whether a job given now would not have to wait for room. */
  get hasRoom(): boolean {
    return this.#jobs < this.#jobsMax;
  }

  run(job: LakeJob): Promise<StagedFile[]> {
    assert(!this.#closed, `job ${job.name} after the lake pool was closed`);
    const done = this.#run(job);
    this.#running.add(done);
    const forget = (): void => void this.#running.delete(done);
    done.then(forget, forget);
    return done;
  }

  async #run(job: LakeJob): Promise<StagedFile[]> {
    if (this.hasRoom && this.#waiting.length === 0) this.#jobs++;
    else await new Promise<void>((admit) => this.#waiting.push(admit)); // keeps the leaver's place
    try {
      const late = AbortSignal.timeout(this.#jobMsMax);
      return filesOf(
        await this.#piscina.run(job, { signal: late }).catch((error: unknown) => {
          if (!late.aborted) throw error;
          throw new Error(`job ${job.name} did not end within ${this.#jobMsMax} ms`);
        }),
      );
    } finally {
      const admit = this.#waiting.shift();
      if (admit) admit();
      else this.#jobs--;
    }
  }

  /** Resolves when every job given so far has settled. */
  async drain(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  /** Ends the threads at once; jobs that have not settled are rejected. */
  async destroy(): Promise<void> {
    this.#closed = true;
    await threadsLoaded();
    await this.#piscina.destroy();
    await this.drain();
  }
}
