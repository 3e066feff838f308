/**
 * Live push under load: how long after a frame's arrival a subscribed client holds a candle with its
 * trade, while the pipeline takes in 50,000 trades/s from simulated exchanges on the same cores.
 * Three 1m candles are subscribed to, one per exchange, over one WebSocket; the client parses what it
 * gets on a thread of its own.
 */
import { join } from 'node:path';
import { type BenchContext, type Benchmark, check, type Outcome } from './benchmark.js';
import { percentile, runLive } from './live.bench.js';

const RATE = 50_000;

async function run({ tiny, seconds, dir }: BenchContext): Promise<Outcome> {
  const rate = tiny ? 300 : RATE;
  const watched = tiny ? 1 : seconds;
  const live = await runLive(join(dir, 'push'), rate, watched, 0, { pushed: true });
  const { frameToCandleUs, pushedMessages, pushedBytes, usage, trades } = live;
  check(frameToCandleUs.length > 0, 'no trade was seen in a pushed candle');
  const seen = (share: number): number => percentile(frameToCandleUs, share) / 1_000;
  const perSecond = (count: number): number => (count * 1_000) / usage.wallMs;
  return {
    figures: [
      { name: 'taken in', value: perSecond(trades), unit: 'trades/s' },
      {
        name: 'frame to pushed candle, median',
        value: seen(0.5),
        unit: 'ms',
        target: { atMost: 2 },
      },
      {
        name: 'frame to pushed candle, p99',
        value: seen(0.99),
        unit: 'ms',
        target: { atMost: 20 },
      },
      { name: 'frame to pushed candle, p99.9', value: seen(0.999), unit: 'ms' },
      { name: 'pushed', value: perSecond(pushedMessages), unit: 'messages/s' },
      { name: 'pushed, payload', value: perSecond(pushedBytes) / 1_000, unit: 'kB/s' },
      {
        name: 'processor time, all of it',
        value: (usage.cpuMs * 1_000) / trades,
        unit: 'us per trade',
      },
    ],
    digest: 'none: what is received depends on the clock',
    remarks: [
      'The simulated exchanges and the client take their processor time from the same cores.',
      'Rounds of push get at most a quarter of the gateway: a candle is told by its newest state.',
    ],
  };
}

export const push: Benchmark = {
  name: 'push',
  about: 'From a frame to the candle a subscribed WebSocket client holds, at 50,000 trades/s.',
  run,
};
