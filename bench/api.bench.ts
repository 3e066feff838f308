/**
 * The API beside the pipeline at 50,000 trades/s on the same cores: how long an hour of 5m candles
 * takes over HTTP, and what a storm of idle sockets, slow readers and bad requests does to the lag and
 * the memory of the pipeline. For the storm the limits of connections are raised, so that all of it gets in:
 * by default the first 32 idle sockets would keep the rest out.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ClientAnswer, ClientRequest } from './api-client.js';
import type { StormAnswer, StormRequest } from './api-storm.js';
import {
  type BenchContext,
  type Benchmark,
  check,
  type Figure,
  type Outcome,
} from './benchmark.js';
import { type LiveRun, percentile, runLive } from './live.bench.js';
import { askChild } from './pinned-child.js';

const RATE = 50_000;
const QUERIES_PER_SECOND = 100;
const PATH = '/v1/ohlcv/5m?symbol=BTCUSDT&exchange=BINANCE&limit=12';
const STORM = { idleSockets: 1_000, slowReaders: 50, badPerSecond: 200 };
const TINY_STORM = { idleSockets: 20, slowReaders: 2, badPerSecond: 20 };
const HISTORY_MINUTES = 70;
/** Runs of each kind, quiet and in the storm; each gets its share of the time. */
const ROUNDS = 3;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Every socket of the storm is let in. */
const OPEN_DOORS = {
  BULLION_HTTP_CONNECTIONS: '4096',
  BULLION_HTTP_CONNECTIONS_PER_ADDRESS: '4096',
};

/** An hour of trades before now, imported as a person would, so that there are 12 candles to give. */
function importHistory(dataDir: string, dir: string): void {
  const toMs = Math.floor(Date.now() / 1_000) * 1_000;
  const lines = Array.from({ length: HISTORY_MINUTES * 60 }, (_, i) => {
    const time = toMs - (HISTORY_MINUTES * 60 - i) * 1_000;
    return `{"e":"trade","E":${time},"s":"BTCUSDT","t":${i + 1},"p":"60000.${10 + (i % 90)}","q":"0.5","T":${time},"m":${i % 2 === 0},"M":true}\n`;
  });
  mkdirSync(dir, { recursive: true });
  const file = join(dir, 'history.ndjson');
  writeFileSync(file, lines.join(''));
  const cli = fileURLToPath(new URL('../cli.js', import.meta.url));
  const args = [cli, 'import', '--exchange', 'binance', '--format', 'frames', '--json', file];
  const env = { ...process.env, BULLION_DATA_DIR: dataDir, BULLION_LOG_LEVEL: 'error' };
  const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
  check(status === 0, `the import of the history ended with ${status}: ${stderr}`);
}

/** Waits until trades flow into candles. */
async function flowing(port: number): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/v1/status`);
      const { exchanges } = (await response.json()) as { exchanges: { state: string }[] };
      if (exchanges.length > 0 && exchanges.every(({ state }) => state === 'connected')) {
        await pause(2_000); // the first second compiles
        return;
      }
    } catch {
      // not there yet
    }
    await pause(100);
  }
  throw new Error('no trades flowed within a minute');
}

async function underLoad<T>(
  { tiny, seconds, dir }: BenchContext,
  name: string,
  env: Readonly<Record<string, string>>,
  load: (port: number) => Promise<T>,
): Promise<{ live: LiveRun; loaded: T }> {
  const dataDir = join(dir, name);
  importHistory(dataDir, join(dir, `${name}-history`));
  const port = await freePort();
  const more = { ...env, BULLION_HTTP_PORT: String(port) };
  // What loads it waits two seconds and more before it begins, and is to end before it does.
  const running = runLive(dataDir, tiny ? 300 : RATE, tiny ? 5 : seconds, 0, {
    latencies: true,
    env: more,
  });
  const loading = flowing(port).then(() => load(port));
  const [live, loaded] = await Promise.all([running, loading]);
  check(live.frameToCandleUs.length > 0, 'no trade was seen in a live candle');
  return { live, loaded };
}

async function run(context: BenchContext): Promise<Outcome> {
  const { tiny, say } = context;
  const seconds = tiny ? 1 : context.seconds - 2;
  say('candle queries');
  const asked = await underLoad(
    context,
    'queries',
    { BULLION_HTTP_REQUESTS_PER_SECOND: '100000' },
    (port) => {
      const client = new URL('./api-client.js', import.meta.url);
      const perSecond = tiny ? 20 : QUERIES_PER_SECOND;
      const request: ClientRequest = { port, path: PATH, perSecond, seconds };
      return askChild<ClientAnswer>(client, request);
    },
  );
  const { tookMs, last, bytes } = asked.loaded;
  const { candles } = JSON.parse(last) as { candles: unknown[] };
  check(candles.length === 12, `an hour of 5m candles is 12, not ${candles.length}`);
  say(
    `median ${percentile(tookMs, 0.5).toFixed(2)} ms, p99 ${percentile(tookMs, 0.99).toFixed(2)} ms`,
  );
  // In turn and more than once: what else the machine does changes over minutes by more than a storm.
  const shared = { ...context, seconds: Math.ceil(context.seconds / ROUNDS) };
  const quiets: LiveRun[] = [];
  const stormies: LiveRun[] = [];
  let connected = 0;
  let answered = 0;
  for (let round = 1; round <= (tiny ? 1 : ROUNDS); round++) {
    say(`quiet, round ${round}`);
    quiets.push((await underLoad(shared, `quiet-${round}`, OPEN_DOORS, async () => {})).live);
    say(`storm, round ${round}`);
    const { live, loaded } = await underLoad(shared, `storm-${round}`, OPEN_DOORS, (port) => {
      const lasts = tiny ? seconds : shared.seconds - 2;
      const request: StormRequest = { port, seconds: lasts, ...(tiny ? TINY_STORM : STORM) };
      return askChild<StormAnswer>(new URL('./api-storm.js', import.meta.url), request);
    });
    check(loaded.connected > 0 && loaded.answered > 0, 'the storm never reached the server');
    stormies.push(live);
    connected += loaded.connected;
    answered += loaded.answered;
  }
  const medianOf = (runs: readonly LiveRun[], of: (run: LiveRun) => number): number =>
    percentile(
      runs.map(of).sort((a, b) => a - b),
      0.5,
    );
  const lag = (runs: readonly LiveRun[], share: number): number =>
    medianOf(runs, ({ frameToCandleUs }) => percentile(frameToCandleUs, share) / 1_000);
  const rss = (runs: readonly LiveRun[]): number => medianOf(runs, ({ rssMiB }) => rssMiB);
  const figures: Figure[] = [
    { name: 'taken in, with queries', value: rate(asked.live), unit: 'trades/s' },
    {
      name: 'an hour of 5m candles, median',
      value: percentile(tookMs, 0.5),
      unit: 'ms',
      target: { atMost: 1 },
    },
    {
      name: 'an hour of 5m candles, p99',
      value: percentile(tookMs, 0.99),
      unit: 'ms',
      target: { atMost: 10 },
    },
    { name: 'an hour of 5m candles, p99.9', value: percentile(tookMs, 0.999), unit: 'ms' },
    { name: 'its answer', value: bytes, unit: 'bytes' },
    ...[0.5, 0.99].flatMap((share): Figure[] => {
      const of = share === 0.5 ? 'median' : 'p99';
      return [
        { name: `frame to candle, quiet, ${of}`, value: lag(quiets, share), unit: 'ms' },
        { name: `frame to candle, in the storm, ${of}`, value: lag(stormies, share), unit: 'ms' },
        {
          name: `the storm's share of it, ${of}`,
          value: lag(stormies, share) / lag(quiets, share),
          unit: 'x quiet',
          target: { atMost: 1.1 },
        },
      ];
    }),
    { name: 'taken in, quiet', value: medianOf(quiets, rate), unit: 'trades/s' },
    { name: 'taken in, in the storm', value: medianOf(stormies, rate), unit: 'trades/s' },
    {
      name: 'waiting at the end of the storm, worst',
      value: Math.max(...stormies.map(({ backlogFrames }) => backlogFrames)),
      unit: 'frames',
    },
    { name: 'memory, quiet', value: rss(quiets), unit: 'MiB' },
    { name: 'memory, in the storm', value: rss(stormies), unit: 'MiB' },
    {
      name: "the storm's share of memory",
      value: rss(stormies) / rss(quiets),
      unit: 'x quiet',
      target: { atMost: 1.1 },
    },
    { name: 'connections the storm was given', value: connected, unit: 'connections' },
    { name: 'bad requests answered', value: answered, unit: 'requests' },
  ];
  return {
    figures,
    digest: 'none: what is received depends on the clock',
    remarks: [
      'The simulated exchanges and the client take their processor time from the same cores.',
      `The storm: ${STORM.idleSockets} idle sockets that come again a second after they were closed, ${STORM.slowReaders} slow readers, ${STORM.badPerSecond} bad requests/s; its process has the lowest priority.`,
      `Quiet and storm in turn, ${ROUNDS} times ${shared.seconds} s each; of each figure the median of its runs.`,
    ],
  };
}

function rate({ trades, usage }: LiveRun): number {
  return (trades * 1_000) / usage.wallMs;
}

export const api: Benchmark = {
  name: 'api',
  about:
    'Candle queries over HTTP, and a storm on the API, beside the pipeline at 50,000 trades/s.',
  run,
};
