/** Resident memory: in a steady state at 1,000 trades a second. The large run's is in `pipeline`. */
import { join } from 'node:path';
import { type BenchContext, type Benchmark, check, type Outcome } from './benchmark.js';
import { runLive } from './live.bench.js';

const TRADES_PER_SECOND = 1_000;
/** A quiet minute has no epoch by default; the encoder that one starts stays in memory. */
const env = { BULLION_EPOCHS_INTERVAL_MS: '10000' };

async function run({ tiny, seconds, dir, say }: BenchContext): Promise<Outcome> {
  say(`${TRADES_PER_SECOND} trades/s`);
  const live = await runLive(join(dir, 'data'), TRADES_PER_SECOND, tiny ? 1 : seconds, 0, {
    env,
  });
  check(live.trades > 0, 'no trades were taken in');
  return {
    figures: [
      {
        name: 'resident at 1,000 trades/s, an epoch every 10 s',
        value: live.rssMiB,
        unit: 'MiB',
        target: { atMost: 400 },
      },
      {
        name: 'processor time at 1,000 trades/s',
        value: live.usage.cpuMs / live.usage.wallMs,
        unit: 'cores',
      },
    ],
    digest: 'none: what is received depends on the clock',
  };
}

export const memory: Benchmark = {
  name: 'memory',
  about: 'What a quiet day takes.',
  run,
};
