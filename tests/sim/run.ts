/**
 * Running seeds: one, or many over several processes, and what came of them as plain data.
 *
 *   runSeed    one seed in this process: its plan, its tally, its digest, its violation if any
 *   runSeeds   seeds [firstSeed, firstSeed + seeds), shared out to child processes of main.js
 *
 * Every twentieth seed runs twice, and the two digests must be equal.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { MARKS } from '#src/base/marks';
import { Died } from '#tests/sim/disk';
import { type ChangeOfPlan, changePlan, drawPlan, type Plan } from '#tests/sim/plan';
import { INVARIANTS, type Invariant, Violation } from '#tests/sim/violation';
import { type Tally, World } from '#tests/sim/world';

/** A hundredth would do to find a clock or a source of randomness that got past the ports. */
const TWICE_EVERY = 20;
const TWICE_AT = 7;

export interface SimViolation {
  readonly seed: number;
  readonly mode: string;
  readonly step: number;
  readonly invariant: Invariant;
  readonly message: string;
  /** The command that does it again. */
  readonly repeat: string;
  /** The last lines of the simulated processes' logs. */
  readonly log: readonly string[];
}

export interface SeedResult {
  readonly seed: number;
  readonly mode: string;
  readonly tally: Tally;
  readonly digest: string;
  readonly ranTwice: boolean;
  readonly violation: SimViolation | undefined;
  readonly ms: number;
}

export interface SimReport {
  readonly firstSeed: number;
  readonly seeds: number;
  readonly stepsPerSeed: number;
  readonly seconds: number;
  readonly steps: number;
  readonly simulatedHours: number;
  readonly trades: number;
  readonly frames: number;
  readonly epochs: number;
  readonly starts: number;
  /** Seeds by mode. */
  readonly modes: Readonly<Record<string, number>>;
  /** How often each fault happened. */
  readonly faults: Readonly<Record<string, number>>;
  /** How processes ended: exit codes, or killed. */
  readonly exits: Readonly<Record<string, number>>;
  /** How often each mark was reached, and those that never were. */
  readonly marks: Readonly<Record<string, number>>;
  readonly marksMissed: readonly string[];
  readonly doubleRuns: number;
  readonly mismatches: number;
  readonly violations: readonly SimViolation[];
}

export interface SimOptions {
  readonly firstSeed: number;
  readonly seeds: number;
  readonly steps: number;
  /** Child processes; 0 runs everything in this one. */
  readonly workers?: number;
  readonly onProgress?: (result: SeedResult, done: number) => void;
  /** Stops handing out seeds after so many violations; default 10. */
  readonly violationsMax?: number;
}

/** Runs one plan to its end or its first violation. */
export async function runPlan(
  plan: Plan,
): Promise<{ world: World; violation: Violation | undefined }> {
  const world = new World(plan);
  const onUnhandled = (reason: unknown): void => {
    if (!(reason instanceof Died)) world.unhandled(reason);
  };
  process.on('unhandledRejection', onUnhandled);
  try {
    await world.run();
    return { world, violation: undefined };
  } catch (error) {
    const violation =
      error instanceof Violation
        ? error
        : new Violation('no-bug', error instanceof Error ? (error.stack ?? '') : String(error));
    return { world, violation };
  } finally {
    world.abandon();
    // What the end of the world has set off settles before the next one begins.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', onUnhandled);
  }
}

export async function runSeed(
  seed: number,
  steps: number,
  change: ChangeOfPlan = {},
): Promise<SeedResult> {
  const startedMs = performance.now();
  const plan = changePlan(drawPlan(seed, steps), change);
  const { world, violation: found } = await runPlan(plan);
  const ranTwice = found === undefined && seed % TWICE_EVERY === TWICE_AT;
  let violation = found;
  if (ranTwice) {
    const again = await runPlan(plan);
    if (again.world.digest !== world.digest) {
      violation = new Violation(
        'determinism',
        `digests ${world.digest} and ${again.world.digest} after ${world.scheduler.steps} and ${again.world.scheduler.steps} steps`,
      );
    }
  }
  const repeat = `npm run sim -- --seed ${seed} --steps ${steps}`;
  const changed = Object.keys(change).length > 0 ? ` --set '${JSON.stringify(change)}'` : '';
  return {
    seed,
    mode: plan.mode,
    tally: world.tally,
    digest: world.digest,
    ranTwice,
    violation: violation && {
      seed,
      mode: plan.mode,
      step: world.scheduler.steps,
      invariant: violation.invariant,
      message: violation.message,
      repeat: repeat + changed,
      log: world.lines.slice(-60),
    },
    ms: performance.now() - startedMs,
  };
}

export async function runSeeds(options: SimOptions): Promise<SimReport> {
  const { firstSeed, seeds, steps, workers = 2, onProgress = () => {} } = options;
  const { violationsMax = 10 } = options;
  const startedMs = performance.now();
  const results: SeedResult[] = [];
  let next = firstSeed;
  let violations = 0;
  /** The next seed to run, or undefined when that was all. */
  const take = (): number | undefined =>
    next < firstSeed + seeds && violations < violationsMax ? next++ : undefined;
  const done = (result: SeedResult): void => {
    results.push(result);
    if (result.violation !== undefined) violations++;
    onProgress(result, results.length);
  };
  if (workers === 0) {
    for (let seed = take(); seed !== undefined; seed = take()) done(await runSeed(seed, steps));
  } else {
    await Promise.all(Array.from({ length: workers }, () => runWorker(steps, take, done)));
  }
  return reportOf(results, options, (performance.now() - startedMs) / 1000);
}

/** A child process that is given one seed after the other. */
function runWorker(
  steps: number,
  take: () => number | undefined,
  done: (result: SeedResult) => void,
): Promise<void> {
  const child = fork(fileURLToPath(new URL('./main.js', import.meta.url)), ['--worker']);
  return new Promise((resolve, reject) => {
    let seed: number | undefined;
    const hand = (): void => {
      seed = take();
      if (seed === undefined) child.disconnect();
      else child.send({ seed, steps });
    };
    child.on('message', (result) => {
      done(result as SeedResult);
      hand();
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (seed === undefined) resolve();
      else reject(new Error(`the worker ended with ${code ?? signal} in seed ${seed}`));
    });
    hand();
  });
}

/** The child's side of it. */
export function serveSeeds(): void {
  process.on('message', (message) => {
    const { seed, steps } = message as { seed: number; steps: number };
    runSeed(seed, steps).then((result) => process.send?.(result));
  });
}

function reportOf(
  results: readonly SeedResult[],
  { firstSeed, steps }: SimOptions,
  seconds: number,
): SimReport {
  const sum = (value: (result: SeedResult) => number): number =>
    results.reduce((total, result) => total + value(result), 0);
  const counts = (of: (result: SeedResult) => Readonly<Record<string, number>>) => {
    const total: Record<string, number> = {};
    for (const result of results) {
      for (const [name, count] of Object.entries(of(result))) {
        total[name] = (total[name] ?? 0) + count;
      }
    }
    return total;
  };
  const marks = counts(({ tally }) => tally.marks);
  const violations = results.flatMap(({ violation }) => violation ?? []);
  return {
    firstSeed,
    seeds: results.length,
    stepsPerSeed: steps,
    seconds,
    steps: sum(({ tally }) => tally.steps),
    simulatedHours: sum(({ tally }) => tally.simulatedUs) / 3.6e9,
    trades: sum(({ tally }) => tally.trades),
    frames: sum(({ tally }) => tally.frames),
    epochs: sum(({ tally }) => tally.epochs),
    starts: sum(({ tally }) => tally.starts),
    modes: counts(({ mode }) => ({ [mode]: 1 })),
    faults: counts(({ tally }) => tally.faults),
    exits: counts(({ tally }) => tally.exits),
    marks,
    marksMissed: MARKS.filter((name) => marks[name] === undefined),
    doubleRuns: results.filter(({ ranTwice }) => ranTwice).length,
    mismatches: violations.filter(({ invariant }) => invariant === 'determinism').length,
    violations,
  };
}

export function describeViolation(violation: SimViolation): string {
  const { seed, mode, step, invariant, message, repeat } = violation;
  return [
    `SIM_FAIL seed=${seed} mode=${mode} step=${step} invariant=${invariant} (${INVARIANTS[invariant]})`,
    `  ${message.split('\n').join('\n  ')}`,
    `  ${repeat}`,
  ].join('\n');
}
