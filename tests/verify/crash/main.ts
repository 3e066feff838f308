/**
 * The real process, crashed on purpose: kill -9 at random moments, at named failpoints and at disk
 * calls; errors, hangs and full heaps in every actor; suspended, started twice, its clock stepped.
 * After a handful of lives a directory is compared with the exchanges' journal: 0 lost, 0 doubled,
 * 0 unreported.
 *
 * `--only kills|failpoints|errors|disk|process` runs one family, `--only 'failpoints 1/2'` every second
 * step of it, `--only NAME` the steps with that in their name, each on a directory of its own. `--count`
 * is the number of steps of each family.
 */
import { cpSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXCHANGES, type Exchange } from '#schemas/exchange';
import { Random } from '#src/base/random';
import type { Scope } from '#tests/support/process/bullion-process';
import { type CheckRun, runCheck } from '#tests/verify/check-program';
import {
  awaitsJobs,
  FAILPOINTS,
  type Failpoint,
  isDiskPoint,
} from '#tests/verify/crash/failpoints';
import type { Action } from '#tests/verify/crash/fault-orders';
import { GuardedDirectory } from '#tests/verify/crash/guarded-directory';
import {
  atDiskCall,
  atFailpoint,
  clockSteps,
  hungSupervisor,
  NOT_REACHED,
  randomKill,
  type Step,
  startedTwice,
  suspended,
} from '#tests/verify/crash/lives';

/** At most so many steps on one directory before it is compared; with more a compaction has more and more to do. */
const STEPS_PER_DIRECTORY = 15;
/** There is something to compact only once a directory has a past. */
const STEPS_BEFORE_JOBS = 4;
/** A compaction is a fifth of the processor time of a life: one in so many has it. */
const JOBS_DUE_EVERY = 4;
/** An actor's beat, in every actor there is. */
const ACTORS = ['ingest-', 'validation-0', 'gold-0', 'candles', 'gateway'];
const BEAT = { name: 'actor.beat', thread: 'gateway' } as const;
/** Without a named actor's heartbeat, which is a matter of `process`. */
const POINTS = FAILPOINTS.filter(({ name }) => name !== BEAT.name);

const FAMILIES = ['kills', 'failpoints', 'errors', 'disk', 'process'] as const;
type Family = (typeof FAMILIES)[number];

/** Every directory has its own: an exchange less makes a life cheaper, and the others' share of it larger. */
function someExchanges(random: Random): readonly Exchange[] {
  const drawn = EXCHANGES.filter(() => random.chance(0.5));
  return drawn.length > 0 ? drawn : EXCHANGES;
}

function stepsOf(family: Family, random: Random, count: number | undefined): Step[] {
  const some = (all: Step[]): Step[] =>
    count === undefined ? all : shuffled(all, random).slice(0, count);
  switch (family) {
    case 'kills':
      return Array.from({ length: count ?? 200 }, () => randomKill(random));
    case 'disk':
      return Array.from({ length: count ?? 40 }, () => atDiskCall(random));
    case 'process': {
      const all = [
        ...ACTORS.flatMap((actor) =>
          (['throw', 'hang', 'memory'] as const).map((action) =>
            atFailpoint(BEAT, action, random.between(1, 3), actor),
          ),
        ),
        suspended(random),
        suspended(random),
        startedTwice(false),
        startedTwice(true),
        ...clockSteps(),
        hungSupervisor(),
      ];
      return some(all);
    }
    case 'failpoints':
      return some(
        // In this order a part of them has every action.
        (['kill', 'throw', 'hang'] as const).flatMap((action) =>
          POINTS.map((point) => struckAt(point, action, random)),
        ),
      );
    case 'errors': {
      const asked = POINTS.filter(({ thread }) => thread === 'main');
      const refused = POINTS.filter(({ at }) => isDiskPoint(at) && at.edge === 'before');
      return some([
        ...asked.map((point) => struckAt(point, 'term', random)),
        ...refused.map((point) => struckAt(point, 'EIO', random)),
      ]);
    }
  }
}

/** At the first or the second hit. A life sees one compaction: of its points there is only a first. */
function struckAt(point: Failpoint, action: Action, random: Random): Step {
  return atFailpoint(point, action, awaitsJobs(point) ? 1 : random.between(1, 2));
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, at: random.unit() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

/** The steps of a run, in an order that mixes their kinds; the draws do not depend on `only`. */
function planOf({ options }: CheckRun): Step[][] {
  const random = new Random(options.seed);
  const { only, count } = options;
  const [name, part = 1, parts = 1] = /^(\w+) (\d+)\/(\d+)$/.exec(only ?? '')?.slice(1) ?? [only];
  const asked = FAMILIES.filter((family) => name === undefined || name === family);
  if (asked.length > 0) {
    // Before they are mixed: the parts have seeds of their own, and all of them are the whole.
    const steps = asked
      .flatMap((family, i) => stepsOf(family, random.fork(i), count))
      .filter((_, i) => i % Number(parts) === Number(part) - 1);
    const mixed = shuffled(steps, random.fork(99));
    const directories = Math.ceil(mixed.length / STEPS_PER_DIRECTORY);
    return Array.from({ length: directories }, (_, directory) =>
      mixed.filter((_, i) => i % directories === directory),
    );
  }
  const named = FAMILIES.flatMap((family, i) => stepsOf(family, random.fork(i), undefined));
  return named.filter(({ name }) => name.includes(only as string)).map((step) => [step]);
}

interface Totals {
  steps: number;
  directories: number;
  starts: number;
  trades: number;
  missing: number;
}

/** Does the steps on one directory; answers those that nothing came by to be struck at, twice. */
async function runDirectory(
  run: CheckRun,
  scope: Scope,
  steps: readonly Step[],
  random: Random,
  totals: Totals,
): Promise<Step[]> {
  const directory = await GuardedDirectory.make(scope, random.uint32(), someExchanges(random));
  const done: string[] = [];
  const queue = [...steps];
  const again = new Set<Step>();
  const left: Step[] = [];
  try {
    for (let i = 0; queue.length > 0 && !run.isLate; i++) {
      const step = queue.shift() as Step;
      if (step.awaitsJobs && i < STEPS_BEFORE_JOBS) {
        queue.push(step);
        continue;
      }
      const startedMs = performance.now();
      const isJobDue = directory.running === undefined && i % JOBS_DUE_EVERY === 0;
      if (step.awaitsJobs || isJobDue) await directory.endWithJobsDue();
      done.push(step.name);
      const outcome = await step.run(directory);
      run.took(step.name, performance.now() - startedMs);
      if (outcome !== NOT_REACHED) {
        totals.steps++;
        run.outcome(step.fault, outcome);
      } else if (again.has(step)) {
        left.push(step);
      } else {
        // What it waits for may come once the directory has more of a past.
        again.add(step);
        queue.push(step);
      }
    }
    const checked = await directory.check();
    totals.trades += checked.gold;
    totals.missing += checked.missing.served + checked.missing.lost;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    await directory.kill();
    const kept = join(tmpdir(), `bullion-verify-${run.options.seed}-${run.findings.length}`);
    rmSync(kept, { recursive: true, force: true });
    cpSync(directory.world.dataDir, kept, { recursive: true });
    run.found(
      `after ${done.join(', ')}: ${text}\n(the directory is kept in ${kept})`,
      `--only '${done.at(-1)}'`,
    );
  }
  totals.directories++;
  totals.starts += directory.starts;
  await directory.close();
  return left;
}

await runCheck('crash', async (run, scope) => {
  const totals: Totals = { steps: 0, directories: 0, starts: 0, trades: 0, missing: 0 };
  const random = new Random(run.options.seed).fork(7);
  const plan = planOf(run);
  const left: Step[] = [];
  for (const steps of plan) {
    if (run.isLate) break;
    left.push(...(await runDirectory(run, scope, steps, random, totals)));
  }
  for (const { name } of left) run.missed.push(name);
  const planned = plan.reduce((sum, steps) => sum + steps.length, 0);
  const undone = planned - totals.steps - left.length;
  if (undone > 0) run.missed.push(`${undone} of ${planned} steps: no time`);
  Object.assign(run.figures, {
    'steps done': totals.steps,
    'directories compared': totals.directories,
    'process starts': totals.starts,
    'trades compared': totals.trades,
    'trades lost, doubled or unreported': run.findings.length === 0 ? 0 : 'see the findings',
    'trades in the gap ledger (sent while nobody listened)': totals.missing,
  });
});
