/** One run of a maintenance job, as it is remembered. */

/** Runs remembered of each job. */
export const JOB_RUNS_KEPT = 20;

/**
 * `done`: did what there was to do. `idle`: there was nothing to do. `failed`: found something wrong
 * or could not finish; `detail` says what. `abandoned`: the process or the processing group ended
 * meanwhile; nothing of it was committed.
 */
export type JobOutcome = 'done' | 'idle' | 'failed' | 'abandoned';

export interface JobRun {
  readonly job: string;
  readonly startedUs: number;
  readonly tookMs: number;
  readonly outcome: JobOutcome;
  readonly filesIn: number;
  readonly filesOut: number;
  readonly rowsIn: number;
  readonly rowsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly detail: string;
  /** Where the next run goes on, for a job that looks at a part at a time. */
  readonly cursor?: string;
}

/** Of a run that touched no file. */
export const NO_FIGURES = {
  filesIn: 0,
  filesOut: 0,
  rowsIn: 0,
  rowsOut: 0,
  bytesIn: 0,
  bytesOut: 0,
};
