/**
 * Starting on a directory with a long history: from the start of the process to a new trade in a
 * live candle, exchanges connected and all.
 */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { coresAllowed } from '#src/runtime/affinity';
import { type BenchContext, type Benchmark, check, type Outcome } from './benchmark.js';
import { runLive } from './live.bench.js';
import { runPipeline } from './pipeline.bench.js';
import { recording } from './recording.js';

const STARTS = 3;
const TRADES_PER_SECOND = 3_000;

async function run(context: BenchContext): Promise<Outcome> {
  const { tiny, dir, say } = context;
  const recorded = recording(context);
  const dataDir = join(dir, 'data');
  cpSync(recorded.bronze, join(dataDir, 'bronze'), { recursive: true });
  say('making the history');
  const { digest } = await runPipeline(dataDir, recorded, coresAllowed().length);
  const took: number[] = [];
  for (let start = 0; start < (tiny ? 1 : STARTS); start++) {
    say(`start ${start + 1}`);
    const { firstCandleMs, trades: taken } = await runLive(dataDir, TRADES_PER_SECOND, 1, 0);
    check(taken > 0, 'no trades after the start');
    took.push(firstCandleMs);
  }
  return {
    figures: [
      {
        name: `start to first live candle, ${recorded.truth.trades.toLocaleString('en')} trades before it`,
        value: (took.sort((a, b) => a - b)[took.length >> 1] as number) / 1_000,
        unit: 's',
        target: { atMost: 2 },
      },
      { name: 'the slowest of the starts', value: Math.max(...took) / 1_000, unit: 's' },
    ],
    digest,
  };
}

export const recover: Benchmark = {
  name: 'recover',
  about: 'A start on a directory that holds a long history.',
  run,
};
