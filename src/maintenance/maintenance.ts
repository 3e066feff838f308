/**
 * Maintenance of one data directory: starts what is due, one job at a time, and remembers every run.
 *
 * What a job changes goes through an epoch (`commit`); what it deletes nothing names any more. So it
 * can be cut short anywhere: `suspend` ends the job under way, and recovery deletes what it staged.
 */
import type { Clock } from '#src/base/clock';
import { errorCode } from '#src/base/errors';
import type { JobName } from '#src/maintenance/job-names';
import { JOB_WORK, type JobPlace, type JobReport } from '#src/maintenance/jobs';
import { OrphanSightings } from '#src/maintenance/orphan-sightings';
import type { JobThread, MaintenancePlace } from '#src/maintenance/pool';
import { dueJob, scheduleOf } from '#src/maintenance/schedule';
import { UpkeepAbandoned } from '#src/maintenance/upkeep-queue';
import { type JobOutcome, type JobRun, NO_FIGURES } from '#src/state/job-run';

export interface MaintenanceOptions extends Omit<JobPlace, 'work' | 'sightings' | 'nextName'> {
  /** Makes the thread for work on whole files. */
  readonly jobThread: (place: MaintenancePlace) => JobThread;
  /** What that thread is told. */
  readonly place: MaintenancePlace;
  /** Prefix of the names of new files, unique in the data directory. */
  readonly filePrefix: string;
  readonly clock: Clock;
  readonly log: (
    severity: 'info' | 'warn' | 'error',
    message: string,
    fields?: Record<string, unknown>,
  ) => void;
}

export class Maintenance {
  readonly #options: MaintenanceOptions;
  readonly #sightings = new OrphanSightings();
  #pool: JobThread | undefined;
  #running: Promise<JobRun> | undefined;
  #suspended = false;
  #files = 0;

  constructor(options: MaintenanceOptions) {
    this.#options = options;
  }

  /** Starts the job that is due, if there is one and none runs; as `run`. Rejects as well when the state cannot be read. */
  async tick(): Promise<JobRun | undefined> {
    if (this.#suspended || this.#running !== undefined) return undefined;
    const { store, config, clock } = this.#options;
    const schedule = scheduleOf(config, store.jobRuns(), store.identity.createdUs);
    const due = dueJob(schedule, clock.nowUs());
    return due === undefined ? undefined : this.run(due);
  }

  /**
   * Runs a job now, only when none runs. Resolves when its run is remembered, however the job ended;
   * rejects when the state takes no more.
   */
  run(name: JobName): Promise<JobRun> {
    this.#running = this.#run(name).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** No new job starts, and one at work on the maintenance thread ends. One that waits for its epoch does not. */
  async halt(): Promise<void> {
    this.#suspended = true;
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.destroy();
  }

  /** Resolves when no job is under way. Whoever calls it has given up the change a job may wait for. */
  async suspend(): Promise<void> {
    await this.halt();
    await this.#running?.catch(() => {}); // told to whoever started it
  }

  resume(): void {
    this.#suspended = false;
  }

  async #run(job: JobName): Promise<JobRun> {
    const { store, clock, log } = this.#options;
    const startedUs = clock.nowUs();
    const startedMs = clock.monotonicMs();
    const last = store.jobRuns().findLast((run) => run.job === job);
    const report = await this.#report(job, last);
    const tookMs = Math.round(clock.monotonicMs() - startedMs);
    const run: JobRun = { job, startedUs, tookMs, ...report };
    const severity = report.outcome === 'failed' ? 'error' : 'info';
    if (report.outcome !== 'idle')
      log(severity, `maintenance: ${job} ${report.outcome}`, { ...run });
    await store.recordJobRun(run);
    return run;
  }

  async #report(job: JobName, last: JobRun | undefined): Promise<JobReport> {
    try {
      return await JOB_WORK[job](this.#place(), last);
    } catch (error) {
      const isGivenUp = this.#suspended || error instanceof UpkeepAbandoned;
      const outcome: JobOutcome = isGivenUp ? 'abandoned' : 'failed';
      const message = error instanceof Error ? error.message : errorCode(error);
      const cursor = last?.cursor;
      return { ...NO_FIGURES, outcome, detail: message, ...(cursor !== undefined && { cursor }) };
    }
  }

  #place(): JobPlace {
    const { jobThread, place, filePrefix } = this.#options;
    return {
      ...this.#options,
      sightings: this.#sightings,
      nextName: () => `${filePrefix}-${this.#files++}`,
      work: (job) => {
        if (this.#suspended) throw new UpkeepAbandoned('maintenance is suspended');
        this.#pool ??= jobThread(place);
        return this.#pool.run(job);
      },
    };
  }
}
