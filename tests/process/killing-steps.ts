/**
 * Takes the place of src/iceberg/commit-steps.ts in a Bullion that is to die at a named step (see
 * killed-at-step.ts). KILL_AT lists steps to be passed in this order, such as
 * `upkeep-committed,after-manifest of gold_crypto_trades`; at the last of them the process kills itself
 * as kill -9 would.
 */
import type { CommitStep } from '#src/iceberg/commit-steps';
import type { UpkeepStep } from '#src/maintenance/upkeep-steps';

export { COMMIT_STEPS } from '#src/iceberg/commit-steps';

const awaited = (process.env.KILL_AT ?? '')
  .split(',')
  .map((point) => point.split(' of ') as [string, string?]);

export function NO_STEPS(step: CommitStep | UpkeepStep, table: string): void {
  const [wanted, of] = awaited[0] as [string, string?];
  if (step !== wanted || (of !== undefined && of !== table)) return;
  awaited.shift();
  if (awaited.length === 0) process.kill(process.pid, 'SIGKILL');
}
