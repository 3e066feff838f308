/**
 * Death at a named point, for tests of the whole process: BULLION_FAILPOINT lists points to be passed in
 * this order, such as `upkeep-committed,after-manifest of gold_crypto_trades`; at the last of them the
 * process kills itself as kill -9 would. Without the variable nothing is watched.
 */
import { EXIT, UserError } from '#src/base/errors';
import { COMMIT_STEPS, NO_STEPS } from '#src/iceberg/commit-steps';
import { type Steps, UPKEEP_STEPS } from '#src/maintenance/upkeep-steps';

const POINTS: ReadonlySet<string> = new Set([...COMMIT_STEPS, ...UPKEEP_STEPS]);

export function failpoint(env: Readonly<Record<string, string | undefined>>): Steps {
  const text = env.BULLION_FAILPOINT;
  if (text === undefined) return NO_STEPS;
  const awaited = text.split(',').map((point) => point.trim().split(' of ') as [string, string?]);
  for (const [step] of awaited) {
    if (POINTS.has(step)) continue;
    const message = `BULLION_FAILPOINT names ${step}, which is none of ${[...POINTS].join(', ')}`;
    throw new UserError(EXIT.config, message);
  }
  return (step, table) => {
    const [wanted, of] = awaited[0] as [string, string?];
    if (step !== wanted || (of !== undefined && of !== table)) return;
    awaited.shift();
    if (awaited.length === 0) process.kill(process.pid, 'SIGKILL');
  };
}
