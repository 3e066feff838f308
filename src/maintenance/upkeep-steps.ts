/**
 * The named points a change of maintenance passes, besides those of the table commits in it
 * (iceberg/commit-steps.ts), which come between the second and the third.
 */
import type { CommitStep } from '#src/iceberg/commit-steps';

export const UPKEEP_STEPS = [
  /** The new files of a table are in the warehouse and proven; nothing names them. */
  'upkeep-staged',
  /** The epoch that takes the change along is durable; no table shows it yet. */
  'upkeep-committed',
  /** The tables show it; what it replaced is still there. */
  'upkeep-published',
  /** What it replaced, and no snapshot shows, is gone. */
  'upkeep-deleted',
] as const;

export type UpkeepStep = (typeof UPKEEP_STEPS)[number];

/** Told of every named point; `table` is '' where it is not of one table. */
export type Steps = (step: CommitStep | UpkeepStep, table: string) => void;
