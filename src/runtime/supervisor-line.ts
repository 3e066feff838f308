/**
 * A thread's line to its supervisor: what an actor may ask of the main thread (through comlink).
 */
import type { LakeJob } from '#src/lake/job';
import type { StagedFile } from '#src/lake/staged-file';
import type { EpochReport } from '#src/runtime/epoch-report';

export interface Failure {
  readonly message: string;
  readonly stack: string;
  /** Set when a person can mend it: the process ends with this code instead of restarting. */
  readonly exitCode: number | undefined;
}

export interface SupervisorLine {
  /** The actor has started and its control interface answers. */
  ready(): void;
  /** Runs a job in the lake pool. */
  lake(job: LakeJob): Promise<readonly StagedFile[]>;
  report(report: EpochReport): void;
  log(level: 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>): void;
  /** The last words of a thread that is about to die. */
  failed(failure: Failure): void;
}
