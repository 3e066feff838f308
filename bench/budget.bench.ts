/**
 * The six-core budget: what each stage takes of one core per trade, what follows for the layout of
 * six, and whether the same arithmetic foretells the runs on one core and on two.
 *
 * Every thread's processor time is taken in two runs of different length, on one core; the
 * difference is what trades cost, the rest what a start costs.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { coresAllowed } from '#src/runtime/affinity';
import type { BenchContext, Benchmark, Figure, Outcome } from './benchmark.js';
import { runPipeline } from './pipeline.bench.js';
import type { PipelineAnswer } from './pipeline-child.js';
import { recording } from './recording.js';
import { type Costs, planCores } from './six-cores.js';

/** Of the trades that the large benchmarks have. */
const SHORT = 1 / 20;
const LONG = 1 / 4;
const CORES = 6;

interface Slope {
  /** Of the clock. */
  readonly usPerTrade: number;
  readonly costs: Costs;
  /** Processor time that does not grow with the trades, ms. */
  readonly startMs: number;
}

async function measure(context: BenchContext, cores: number): Promise<Slope> {
  const { trades, dir, say } = context;
  const run = async (share: number): Promise<{ answer: PipelineAnswer; trades: number }> => {
    const recorded = recording({ ...context, trades: trades * share });
    say(`${recorded.truth.trades.toLocaleString('en')} trades on ${cores}`);
    const dataDir = join(dir, `budget-${cores}`);
    const answer = await runPipeline(dataDir, recorded, cores);
    rmSync(dataDir, { recursive: true });
    return { answer, trades: recorded.truth.trades };
  };
  const short = await run(SHORT);
  const long = await run(LONG);
  const perTrade = (longMs: number, shortMs: number): number =>
    (1_000 * (longMs - shortMs)) / Math.max(1, long.trades - short.trades); // tiny: of one size
  const costs: Record<string, number> = {};
  for (const [thread, ms] of Object.entries(long.answer.threads)) {
    const us = perTrade(ms, short.answer.threads[thread] ?? 0);
    if (us > 0) costs[thread === 'node' ? "V8's own" : thread] = us;
  }
  const { usage } = short.answer;
  const cpuUs = perTrade(long.answer.usage.cpuMs, usage.cpuMs);
  return {
    usPerTrade: perTrade(long.answer.usage.wallMs, usage.wallMs),
    costs,
    startMs: usage.cpuMs - (cpuUs * short.trades) / 1_000,
  };
}

async function run(context: BenchContext): Promise<Outcome> {
  const one = await measure(context, 1);
  const figures: Figure[] = Object.entries(one.costs).map(([thread, us]) => ({
    name: `${thread}, on one core`,
    value: us,
    unit: 'us per trade',
  }));
  const sum = Object.values(one.costs).reduce((total, us) => total + us, 0);
  figures.push(
    { name: 'all of them', value: sum, unit: 'us per trade' },
    { name: 'a start', value: one.startMs, unit: 'ms of processor time' },
  );
  const foretold = (cores: number): number => cores / sum;
  const compare = (cores: number, slope: Slope): void => {
    const on = cores === 1 ? '1 core' : `${cores} cores`;
    figures.push(
      { name: `${on}, foretold`, value: foretold(cores), unit: 'M trades/s' },
      { name: `${on}, measured`, value: 1 / slope.usPerTrade, unit: 'M trades/s' },
    );
  };
  const remarks = [
    "A thread's cost is the difference between two runs of different length on one pinned core. " +
      'Foretold is what these costs allow once the start is over and no core is ever idle: for ' +
      `${CORES} cores the dearest threads are placed first, each where there is most room, encoding is ` +
      'divided over as many lake threads as serve best, and the fullest core sets the rate. It is ' +
      'arithmetic, not a promise: disk and memory are taken to be those of this machine, and the ' +
      'sockets of ingest are not part of it.',
  ];
  if (!context.tiny) {
    compare(1, one);
    if (coresAllowed().length > 1) compare(2, await measure(context, 2));
    const plan = planCores(one.costs, CORES);
    figures.push({
      name: `${CORES} cores, foretold`,
      value: plan.tradesPerSecond / 1e6,
      unit: 'M trades/s',
    });
    const layout = plan.cores.map(
      ({ threads, busy }) => `${threads.join(' + ')} (${Math.round(100 * busy)} %)`,
    );
    remarks.push(`${CORES} cores: ${layout.join(' | ')}.`);
  }
  return { figures, digest: 'none: only times are taken', remarks };
}

export const budget: Benchmark = {
  name: 'budget',
  about: 'What each stage takes of a core, and what six cores carry by that.',
  run,
};
