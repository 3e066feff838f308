/**
 * The minimiser: a failing seed with as much as possible taken away. It tries one change of the plan
 * after the other and keeps what still breaks the same promise: fewer exchanges and instruments,
 * kinds of trouble switched off, one shard of everything, the plainest schedule, fewer steps. What a
 * change switches off draws nothing, and every concern has its own generator, so the rest of the
 * run stays much as it was.
 */
import { type ChangeOfPlan, changePlan, drawPlan, type Plan } from '#tests/sim/plan';
import { describeViolation, runSeed, type SimViolation } from '#tests/sim/run';

/** The whole search, whatever it finds. */
const SHRINK_MS_MAX = 60_000;

export interface Shrunk {
  readonly change: ChangeOfPlan;
  readonly violation: SimViolation;
  /** Runs it took. */
  readonly runs: number;
}

export async function shrink(
  seed: number,
  steps: number,
  change: ChangeOfPlan,
  violation: SimViolation,
  say: (line: string) => void,
  msMax = SHRINK_MS_MAX,
): Promise<Shrunk> {
  const endMs = performance.now() + msMax;
  let best: Shrunk = { change, violation, runs: 0 };
  let runs = 0;
  const isStillWrong = async (next: ChangeOfPlan): Promise<boolean> => {
    runs++;
    const { violation: found } = await runSeed(seed, steps, next);
    if (found?.invariant !== violation.invariant) return false;
    best = { change: next, violation: found, runs };
    return true;
  };
  for (let any = true; any && performance.now() < endMs; ) {
    any = false;
    const plan = changePlan(drawPlan(seed, steps), best.change);
    for (const next of candidates(plan)) {
      if (performance.now() >= endMs) break;
      if (await isStillWrong(merge(best.change, next))) {
        any = true;
        break; // the next candidates follow from what is left
      }
    }
  }
  say(`shrunk in ${runs} runs to`);
  say(describeViolation(best.violation));
  return { ...best, runs };
}

/** Smaller plans, the boldest first. */
function* candidates(plan: Plan): Generator<ChangeOfPlan> {
  if (plan.steps > 200) {
    yield { steps: Math.floor(plan.steps / 2) };
    yield { steps: Math.floor(plan.steps * 0.9) };
  }
  if (plan.exchanges > 1) yield { exchanges: plan.exchanges - 1 };
  if (plan.instruments > 1) yield { instruments: 1 };
  for (const part of ['process', 'disk', 'network', 'feed'] as const) {
    for (const [name, value] of Object.entries(plan[part])) {
      if (typeof value === 'number' && value > 0 && isRate(name)) yield { [part]: { [name]: 0 } };
    }
  }
  const { shape, pace } = plan;
  if (shape.parquet) yield { shape: { parquet: false } };
  if (shape.iceberg) yield { shape: { iceberg: false } };
  if (shape.maintenance) yield { shape: { maintenance: false } };
  for (const name of ['validationShards', 'goldShards', 'lakeThreads'] as const) {
    if (shape[name] > 1) yield { shape: { [name]: 1 } };
  }
  if (!pace.inOrder) yield { pace: { inOrder: true } };
  if (plan.network.framesPerTurnMax > 1) yield { network: { framesPerTurnMax: 1 } };
}

/** The other numbers of a part are sizes and times. */
function isRate(name: string): boolean {
  return !/Max$|^tickMs$|Window$|^replayTrades$/.test(name);
}

function merge(change: ChangeOfPlan, next: ChangeOfPlan): ChangeOfPlan {
  const merged: Record<string, unknown> = { ...change };
  for (const [key, value] of Object.entries(next)) {
    const before = merged[key];
    merged[key] =
      typeof value === 'object' && value !== null ? { ...(before as object), ...value } : value;
  }
  return merged as ChangeOfPlan;
}
