/**
 * Maintenance beside a running pipeline: looks every `check_interval_ms` for what is due, and hands
 * what a job changes to the pipeline's next epoch.
 */
import { findingsOf } from '#src/maintenance/findings';
import type { Maintenance } from '#src/maintenance/maintenance';
import { UpkeepQueue } from '#src/maintenance/upkeep-queue';
import { JOB_RUNS_KEPT, type JobRun } from '#src/state/job-run';
import { type MaintenanceRequest, maintenanceOf } from '#src/supervision/maintenance-of';

export interface ScheduledMaintenanceOptions
  extends Omit<MaintenanceRequest, 'isAlone' | 'commit'> {
  /** The state cannot be read, or took no more: what a job did is not remembered. */
  readonly onFailure: (error: unknown) => void;
}

export class ScheduledMaintenance {
  /** Where epochs find the change to take along. */
  readonly queue = new UpkeepQueue();
  readonly #request: ScheduledMaintenanceOptions;
  readonly #maintenance: Maintenance;
  /** What is remembered of all runs, of each job the oldest first. */
  #runs: readonly JobRun[];
  #dueMs: number;

  constructor(request: ScheduledMaintenanceOptions) {
    this.#request = request;
    this.#maintenance = maintenanceOf({
      ...request,
      isAlone: false,
      commit: (change) => this.queue.offer(change),
    });
    this.#runs = request.data.store.jobRuns();
    this.#dueMs = this.#nextMs();
  }

  /** What jobs have found wrong, a sentence each. */
  get findings(): readonly string[] {
    return findingsOf(this.#runs);
  }

  tick(): void {
    if (this.#request.clock.monotonicMs() < this.#dueMs) return;
    this.#dueMs = this.#nextMs();
    this.#maintenance
      .tick()
      .then((run) => {
        if (run !== undefined) this.#remember(run);
      })
      .catch(this.#request.onFailure);
  }

  /** No job starts any more; a change that waits may still go with the last epoch. */
  halt(): Promise<void> {
    return this.#maintenance.halt();
  }

  /** No epoch comes any more: resolves when no job is under way. */
  suspend(reason: string): Promise<void> {
    this.queue.abandon(reason);
    return this.#maintenance.suspend();
  }

  resume(): void {
    this.#maintenance.resume();
  }

  /** As the state does. */
  #remember(run: JobRun): void {
    const others = this.#runs.filter(({ job }) => job !== run.job);
    const own = this.#runs.filter(({ job }) => job === run.job);
    this.#runs = [...others, ...[...own, run].slice(-JOB_RUNS_KEPT)];
  }

  #nextMs(): number {
    const { clock, config } = this.#request;
    return clock.monotonicMs() + config.maintenance.check_interval_ms;
  }
}
