/**
 * Bullion itself in this process, taking trades from exchanges somewhere else, watched for a while:
 * what it took in, how far behind it was, how long a frame took to its candle, and what it cost.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { EXCHANGES, exchangeKey } from '#schemas/exchange';
import { THIS_MACHINE_ONLY } from '#src/api/access';
import type { SystemStatus } from '#src/api/health';
import { systemClock } from '#src/base/clock';
import { newSecret } from '#src/base/secret';
import { systemTimers } from '#src/base/timers';
import { loadConfig } from '#src/config/load';
import { PACKAGE_ROOT } from '#src/config/package-root';
import { coresAllowed } from '#src/runtime/affinity';
import { settleEngine } from '#src/runtime/engine';
import { openDataDirectory } from '#src/supervision/data-directory';
import { planLayout } from '#src/supervision/layout';
import { openLog } from '#src/supervision/process-log';
import { SupervisorTree } from '#src/supervision/supervisor-tree';
import { threadWorkers } from '#src/supervision/workers';
import { IntervalSet } from '#src/trades/interval-set';
import { frameToCandleUs } from './frame-to-candle.js';
import { LiveWatch } from './live-watch.js';
import { answerParent, measureProcess, type Usage } from './pinned-child.js';
import { PushWatch } from './push-watch.js';
import { recordedInstruments } from './recording.js';

export interface LiveRequest {
  /** The configuration, as environment variables. */
  readonly env: Readonly<Record<string, string>>;
  /** How long it is watched, once trades flow. */
  readonly seconds: number;
  /** Instruments whose candles are watched, by symbol and exchange. */
  readonly watched: readonly { readonly exchange: string; readonly symbol: string }[];
  /** A candle with an id above this is of this run. */
  readonly idsAbove: number;
  /** Whether frames are followed to their candles; watching takes processor time of its own. */
  readonly latencies: boolean;
  /** Whether frames are followed to pushed candles instead, through a client of the stream. */
  readonly pushed?: boolean;
  /** Candle queries asked meanwhile, one after the other. */
  readonly queries: number;
}

export interface LiveAnswer {
  /** From the start of the process to a trade of this run in a live candle. */
  readonly firstCandleMs: number;
  /** While it was watched. */
  readonly usage: Usage;
  readonly rssMiB: number;
  readonly durableFrames: number;
  readonly trades: number;
  readonly candleTrades: number;
  /** Runs of trade ids that are missing between others once everything is stored: 0 if nothing was dropped. */
  readonly gaps: number;
  /** Frames received and not yet judged at the end. */
  readonly backlogFrames: number;
  /** Per trade of the watched instruments, ascending; empty when they were not asked for. */
  readonly frameToCandleUs: readonly number[];
  /** With `pushed`: messages the client got while it was watched, and their bytes. */
  readonly pushedMessages: number;
  readonly pushedBytes: number;
  /** Per query, ascending. */
  readonly queryMs: readonly number[];
}

function counted({ actors }: SystemStatus, kind: string, counter: string): number {
  return actors
    .filter(({ actor }) => actor.startsWith(kind))
    .reduce((sum, { counters }) => sum + (counters[counter] ?? 0), 0);
}

async function ask(port: number, queries: number): Promise<number[]> {
  const took: number[] = [];
  for (let i = 0; i < queries; i++) {
    const started = performance.now();
    const url = `http://127.0.0.1:${port}/v1/ohlcv/1m?symbol=BTCUSDT&exchange=BINANCE&limit=100`;
    const response = await fetch(url);
    await response.text();
    if (!response.ok) throw new Error(`${url}: ${response.status}`);
    took.push(performance.now() - started);
  }
  return took.sort((a, b) => a - b);
}

answerParent(async (request: LiveRequest): Promise<LiveAnswer> => {
  const { env, seconds, watched, idsAbove, latencies, queries, pushed = false } = request;
  const config = loadConfig({ env, cwd: PACKAGE_ROOT });
  const clock = systemClock();
  const data = await openDataDirectory({
    config,
    instruments: recordedInstruments(),
    clock,
    binanceStream: 'trade',
    purpose: 'a benchmark',
  });
  const { validation_shards: validationShards, gold_shards: goldShards } = config.layout;
  const exchanges = EXCHANGES.map(exchangeKey);
  const tree = new SupervisorTree({
    config,
    data,
    exchanges: EXCHANGES,
    layout: planLayout({ exchanges, validationShards, goldShards }, coresAllowed()),
    clock,
    runName: `b${clock.nowUs().toString(36)}`,
    timers: systemTimers,
    workers: threadWorkers(new URL('../actors/', import.meta.url)),
    log: openLog('error'),
    gateway: { access: THIS_MACHINE_ONLY, cursorSecret: newSecret() },
    giveUp: (_, reason) => {
      throw new Error(reason);
    },
  });
  const instruments = data.instruments.filter(({ exchange, symbol }) =>
    watched.some((one) => one.exchange === exchange && one.symbol === symbol),
  );
  const watch = new LiveWatch(
    tree.live,
    instruments.map(({ code }) => code),
  );
  const started = await tree.start();
  if (started === undefined) throw new Error('stopped while starting');
  settleEngine(); // as the server does
  const { port } = started;
  await watch.seen(idsAbove);
  const firstCandleMs = performance.now(); // since this process began
  if (!latencies || pushed) await watch.end();
  const client = pushed ? new PushWatch(port, instruments) : undefined;

  // The first second compiles; it is not watched.
  while ((await tree.status()).exchanges.some(({ state }) => state !== 'connected'))
    await pause(20);
  await pause(1_000);
  const taken = measureProcess();
  const before = await tree.status();
  const fromUs = clock.nowUs();
  const [queryMs] = await Promise.all([ask(port, queries), pause(seconds * 1_000)]);
  const after = await tree.status();
  const toUs = clock.nowUs();
  const usage = taken();
  const rssMiB = process.memoryUsage.rss() / 2 ** 20;
  const told = await client?.end();
  const sightings = told?.sightings ?? (latencies ? await watch.end() : []);
  await tree.stop();
  const gaps = data.store
    .intervalSets()
    .reduce((sum, { intervals }) => sum + IntervalSet.unpack(intervals).intervalCount - 1, 0);
  const passed = (kind: string, counter: string): number =>
    counted(after, kind, counter) - counted(before, kind, counter);
  const answer: LiveAnswer = {
    firstCandleMs,
    usage,
    rssMiB,
    durableFrames: passed('ingest', 'durable_frames'),
    trades: passed('validation', 'trades'),
    candleTrades: passed('candles', 'rows'),
    gaps,
    backlogFrames: after.exchanges.reduce((sum, { lag_frames }) => sum + lag_frames, 0),
    frameToCandleUs: latencies
      ? frameToCandleUs(data, config, instruments, sightings, fromUs, toUs)
      : [],
    pushedMessages: told?.messages ?? 0,
    pushedBytes: told?.bytes ?? 0,
    queryMs,
  };
  await data.close();
  return answer;
});
