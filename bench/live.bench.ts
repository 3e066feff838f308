/**
 * Bullion live: simulated exchanges over real WebSockets at fixed rates, each for a while, until one
 * is too much. Taken in means durable in bronze and folded into the live candles. The exchanges run
 * in this process and Bullion in another; they share the machine's cores.
 */
import { join } from 'node:path';
import {
  type BenchContext,
  type Benchmark,
  check,
  type Figure,
  type Outcome,
} from './benchmark.js';
import type { LiveAnswer, LiveRequest } from './live-child.js';
import { askChild } from './pinned-child.js';
import { repeat } from './repeats.js';
import { IDS_ABOVE, startExchanges } from './simulated-exchanges.js';
import { stopwatch } from './stopwatch.js';

/** Rates, and how often and for what share of the time each is held. */
const STEPS = [
  { rate: 50_000, times: 3, share: 1 / 3 },
  { rate: 200_000, times: 1, share: 1 / 3 },
  { rate: 400_000, times: 1, share: 1 },
  { rate: 500_000, times: 1, share: 1 / 3 },
  { rate: 600_000, times: 1, share: 1 / 3 },
] as const;
const TINY_STEPS = [{ rate: 300, times: 1, share: 1 }] as const;
/** The rate whose latencies have targets. */
const LATENCY_RATE = 50_000;
const QUERIES = 500;
/** The simulated market's orders come at random: a little less than asked for is no loss. */
const KEPT_SHARE = 0.97;

export const WATCHED = [
  { exchange: 'BINANCE', symbol: 'BTCUSDT' },
  { exchange: 'KRAKEN', symbol: 'BTCUSD' },
  { exchange: 'COINBASE', symbol: 'BTCUSD' },
] as const;

export interface LiveRun extends LiveAnswer {
  /** Processor time of the simulated exchanges meanwhile, from connection to end. */
  readonly exchangesCpuMs: number;
}

export interface LiveOptions {
  /** Follows frames to their candles; so does asking queries. */
  readonly latencies?: boolean;
  /** Follows frames to candles that a client of the stream is pushed. */
  readonly pushed?: boolean;
  /** Over the configuration. */
  readonly env?: Readonly<Record<string, string>>;
}

export async function runLive(
  dataDir: string,
  tradesPerSecond: number,
  seconds: number,
  queries: number,
  { latencies = queries > 0, pushed = false, env: more = {} }: LiveOptions = {},
): Promise<LiveRun> {
  const { simulator, env } = await startExchanges(tradesPerSecond, dataDir);
  const elapsed = stopwatch();
  try {
    const request: LiveRequest = {
      env: { ...env, BULLION_LOG_LEVEL: 'error', ...more },
      seconds,
      watched: WATCHED,
      idsAbove: IDS_ABOVE,
      latencies: pushed || latencies,
      pushed,
      queries,
    };
    const child = new URL('./live-child.js', import.meta.url);
    const answer = await askChild<LiveAnswer>(child, request);
    return { ...answer, exchangesCpuMs: elapsed().cpuMs };
  } finally {
    await simulator.stop();
  }
}

export function percentile(ascending: readonly number[], share: number): number {
  return (
    ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? Number.NaN
  );
}

async function run({ tiny, seconds, dir, say }: BenchContext): Promise<Outcome> {
  const figures: Figure[] = [];
  let sustained = 0;
  for (const { rate, times, share } of tiny ? TINY_STEPS : STEPS) {
    const hasLatencies = tiny || rate === LATENCY_RATE;
    const queries = tiny ? 3 : hasLatencies ? QUERIES : 0;
    const p99 = (run: LiveRun): number => percentile(run.frameToCandleUs, 0.99);
    const { median: live, runs } = await repeat(times, p99, (time) => {
      say(`${rate} trades/s, run ${time + 1}`);
      return runLive(join(dir, `${rate}-${time}`), rate, tiny ? 1 : seconds * share, queries);
    });
    const gaps = runs.reduce((sum, run) => sum + run.gaps, 0);
    const perSecond = (live.trades * 1_000) / live.usage.wallMs;
    const kept = perSecond >= KEPT_SHARE * rate && live.backlogFrames < rate && gaps === 0;
    const at = `${rate.toLocaleString('en')}/s for ${Math.round(live.usage.wallMs / 1_000)} s`;
    figures.push(
      { name: `${at}: taken in`, value: perSecond, unit: 'trades/s' },
      { name: `${at}: waiting at the end`, value: live.backlogFrames, unit: 'frames' },
      { name: `${at}: stretches of ids missing afterwards`, value: gaps, unit: '' },
      {
        name: `${at}: processor time`,
        value: (live.usage.cpuMs * 1_000) / live.trades,
        unit: 'us per trade',
      },
    );
    check(live.candleTrades > 0 && live.durableFrames > 0, `nothing came through at ${rate}/s`);
    if (hasLatencies) figures.push(...latencies(live));
    if (!kept) break;
    sustained = rate;
  }
  figures.push({
    name: 'sustained, sockets to durable bronze and live candles',
    value: sustained,
    unit: 'trades/s',
    target: { atLeast: 400_000 },
  });
  const remarks = [
    'The simulated exchanges take their processor time from the same cores.',
    'Latencies: the run with the median p99 of three.',
  ];
  return { figures, digest: 'none: what is received depends on the clock', remarks };
}

function latencies({ frameToCandleUs, queryMs }: LiveRun): Figure[] {
  check(frameToCandleUs.length > 0, 'no trade was seen in a live candle');
  const seen = (share: number): number => percentile(frameToCandleUs, share) / 1_000;
  return [
    {
      name: 'frame to visible candle, median',
      value: seen(0.5),
      unit: 'ms',
      target: { atMost: 1 },
    },
    { name: 'frame to visible candle, p99', value: seen(0.99), unit: 'ms', target: { atMost: 5 } },
    { name: 'frame to visible candle, p99.9', value: seen(0.999), unit: 'ms' },
    {
      name: 'candle query over HTTP, p99',
      value: percentile(queryMs, 0.99),
      unit: 'ms',
      target: { atMost: 100 },
    },
  ];
}

export const live: Benchmark = {
  name: 'live',
  about: 'Simulated exchanges over WebSockets to durable bronze and live candles, rate by rate.',
  run,
};
