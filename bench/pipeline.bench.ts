/**
 * The whole pipeline on recorded frames, on one core and on two, and the peers on the same frames
 * and cores in the same run.
 *
 * Bullion starts from bronze logs and its time includes everything until the tables are durable and
 * published; the peers start from the same frames as JSON lines and hold nothing durable. Bronze
 * tables are left to later epochs, as they are whenever the pipeline is behind its logs: the log is
 * there already, and no peer stores it.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { coresAllowed } from '#src/runtime/affinity';
import {
  type BenchContext,
  type Benchmark,
  check,
  type Figure,
  type Outcome,
} from './benchmark.js';
import type { Job, PeerAnswer, PeerRequest } from './peers/peer.js';
import type { TardisAnswer } from './peers/tardis-child.js';
import { askChild } from './pinned-child.js';
import type { PipelineAnswer, PipelineRequest } from './pipeline-child.js';
import { type Recording, recording, type Truth } from './recording.js';
import { type Repeats, repeat } from './repeats.js';
import { type StoredGold, storedGold } from './stored-gold.js';

/** Peers judge a trade's validity more simply; one in 10,000 is invalid. */
const PEER_TOLERANCE = 0.0005;

export async function runPipeline(
  dataDir: string,
  { bronze, truth }: Recording,
  cores: number,
): Promise<PipelineAnswer & Pick<StoredGold, 'sequences'>> {
  const request: PipelineRequest = { dataDir, bronze, lakeThreads: cores };
  const child = new URL('./pipeline-child.js', import.meta.url);
  const answer = await askChild<PipelineAnswer>(child, request, { cores });
  for (const [what, found, expected] of [
    ['frames', answer.frames, truth.frames],
    ['silver rows', answer.silver, truth.trades],
    ['gold rows', answer.gold, truth.gold],
    ['duplicates', answer.duplicates, truth.trades - truth.gold],
    ['dead letters', answer.deadLetters, truth.deadLetters],
    ['trades in daily candles', answer.candleTrades, truth.gold],
  ] as const) {
    check(found === expected, `${found} ${what}, ${expected} were sent`);
  }
  check(answer.candleVolume === truth.volume, `volume ${answer.candleVolume}, not ${truth.volume}`);
  const stored = await storedGold(dataDir);
  check(stored.rows === truth.gold, `${stored.rows} rows in gold's files`);
  check(stored.volume === truth.volume, `a volume of ${stored.volume} in gold's files`);
  return { ...answer, sequences: stored.sequences };
}

function bullionFigures(answer: PipelineAnswer, truth: Truth, cores: number): Figure[] {
  const { usage, lakeBytes } = answer;
  const on = cores === 1 ? '1 core' : `${cores} cores`;
  const rate: Figure = {
    name: `Bullion, ${on}`,
    value: truth.trades / usage.wallMs / 1_000,
    unit: 'M trades/s',
    ...(cores === 2 && { target: { atLeast: 0.8 } }),
  };
  return [
    rate,
    {
      name: `Bullion, ${on}, processor time`,
      value: (usage.cpuMs * 1_000) / truth.trades,
      unit: 'us per trade',
    },
    {
      name: `Bullion, ${on}, largest resident set`,
      value: usage.rssMiB,
      unit: 'MiB',
      target: { atMost: 1_024 },
    },
    {
      name: `Bullion, ${on}, silver and gold on disk`,
      value: lakeBytes / (truth.trades + truth.gold),
      unit: 'bytes a row',
    },
  ];
}

async function runPeer(
  peer: 'duckdb' | 'clickhouse',
  job: Job,
  { lines, truth }: Recording,
  cores: number,
  dir: string,
  sequences: string,
): Promise<Figure[]> {
  mkdirSync(dir);
  const request: PeerRequest = { job, threads: cores, lines, dir };
  const child = new URL(`./peers/${peer}-child.js`, import.meta.url);
  const answer = await askChild<PeerAnswer>(child, request, { cores });
  rmSync(dir, { recursive: true });
  const off = Math.abs(answer.gold - truth.gold) / truth.gold;
  check(
    off <= PEER_TOLERANCE,
    `${peer} has ${answer.gold} trades in gold, ${truth.gold} were sent`,
  );
  check(
    answer.candleTrades === answer.gold,
    `${peer}'s candles hold ${answer.candleTrades} trades`,
  );
  if (answer.gold === truth.gold) {
    check(answer.volume === truth.volume, `${peer}'s volume differs`);
    const same = job === 'little' || answer.sequences === sequences;
    check(same, `${peer} kept other copies of some trades`);
  }
  const name = `${peer === 'duckdb' ? 'DuckDB' : 'ClickHouse'}, ${PEER_JOBS[job]}`;
  const { usage } = answer;
  return [
    { name, value: truth.trades / usage.wallMs / 1_000, unit: 'M trades/s' },
    {
      name: `${name}, processor time`,
      value: (usage.cpuMs * 1_000) / truth.trades,
      unit: 'us per trade',
    },
    { name: `${name}, largest resident set`, value: usage.rssMiB, unit: 'MiB' },
  ];
}

const PEER_JOBS: Readonly<Record<Job, string>> = {
  whole: 'the same outputs',
  little: 'parse, distinct, 6 columns, 1m candles',
};

/** ClickHouse in process has libraries for Linux and macOS only. */
function isMissingLibrary(error: unknown): boolean {
  return /MODULE_NOT_FOUND|Cannot find (module|package)/.test(String(error));
}

async function runTardis({ lines }: Recording, dir: string): Promise<Figure> {
  const request: PeerRequest = { job: 'little', threads: 1, lines, dir };
  const child = new URL('./peers/tardis-child.js', import.meta.url);
  const { usage, trades } = await askChild<TardisAnswer>(child, request, { cores: 1 });
  check(trades > 0, 'tardis-dev found no trades');
  return {
    name: 'tardis-dev, parse, normalise, 1m bars of two exchanges, 1 core',
    value: trades / usage.wallMs / 1_000,
    unit: 'M trades/s',
  };
}

async function run(context: BenchContext): Promise<Outcome> {
  const { tiny, dir, say } = context;
  const recorded = recording(context);
  const { truth } = recorded;
  const cores = Math.min(2, coresAllowed().length);
  const repeats = tiny ? 1 : context.runs;
  const figures: Figure[] = [];
  const peers: Figure[] = [];
  const remarks: string[] = [];
  const tell = (who: string, runs: readonly number[]): void => {
    if (runs.length < 2) return;
    remarks.push(
      `${who}, all runs, M trades/s: ${runs.map((rate) => rate.toFixed(3)).join(', ')}.`,
    );
  };
  const rates = new Map<number, number>();
  const digests = new Set<string>();
  let threads: PipelineAnswer['threads'] = {};
  let sequences = '';
  for (const count of tiny ? [cores] : [cores, 1]) {
    const rate = ({ usage }: PipelineAnswer): number => truth.trades / usage.wallMs / 1_000;
    const { median, runs }: Repeats<PipelineAnswer> = await repeat(repeats, rate, async (time) => {
      say(`Bullion on ${count}, run ${time + 1}`);
      const dataDir = join(dir, `bullion-${count}`);
      const answer = await runPipeline(dataDir, recorded, count);
      rmSync(dataDir, { recursive: true });
      digests.add(answer.digest);
      sequences = answer.sequences;
      return answer;
    });
    figures.push(...bullionFigures(median, truth, count));
    rates.set(count, rate(median));
    tell(`Bullion on ${count}`, runs.map(rate));
    if (count === cores) threads = median.threads;
  }
  check(digests.size === 1, `candles depend on the number of cores: ${[...digests].join(', ')}`);
  const jobs = tiny ? (['whole'] as const) : (['whole', 'little'] as const);
  for (const job of jobs) {
    for (const peer of ['duckdb', 'clickhouse'] as const) {
      try {
        const times = peer === 'duckdb' ? repeats : 1;
        const { median, runs } = await repeat(times, peerRate, (time) => {
          say(`${peer}, ${PEER_JOBS[job]}, run ${time + 1}`);
          return runPeer(peer, job, recorded, cores, join(dir, `${peer}-${job}`), sequences);
        });
        peers.push(...median);
        tell(`DuckDB, ${PEER_JOBS[job]}`, runs.map(peerRate));
      } catch (error) {
        if (!isMissingLibrary(error)) throw error;
        say(`${peer} is not available here`);
      }
    }
  }
  peers.push(await runTardis(recorded, dir));
  const ours = rates.get(cores) as number;
  const rateOf = (name: string): number => peers.find((peer) => peer.name === name)?.value ?? 0;
  const ratio = (name: string, value: number, atLeast: number): Figure[] =>
    Number.isFinite(value) ? [{ name, value, unit: 'x', target: { atLeast } }] : [];
  return {
    figures: [
      ...figures,
      ...ratio('two cores over one', ours / (rates.get(1) ?? 0), 1.7),
      ...ratio('over DuckDB, the same outputs', ours / rateOf(`DuckDB, ${PEER_JOBS.whole}`), 4),
      ...ratio('over DuckDB doing little', ours / rateOf(`DuckDB, ${PEER_JOBS.little}`), 1),
      ...peers,
    ],
    digest: [...digests].join(''),
    remarks: [
      `${truth.trades.toLocaleString('en')} trades in ${truth.frames.toLocaleString('en')} frames, ` +
        `${truth.gold.toLocaleString('en')} distinct, ${truth.deadLetters} dead letters.`,
      `Bullion and DuckDB: the median of ${repeats} runs; ClickHouse and tardis-dev: one run.`,
      ...remarks,
      `Processor time by thread on ${cores}, ms: ${list(threads)}.`,
    ],
  };
}

/** A peer's first figure is its rate. */
function peerRate(figures: readonly Figure[]): number {
  return (figures[0] as Figure).value;
}

function list(times: Readonly<Record<string, number>>): string {
  return Object.entries(times)
    .filter(([, ms]) => ms > 0)
    .map(([name, ms]) => `${name} ${ms.toLocaleString('en')}`)
    .join(', ');
}

export const pipeline: Benchmark = {
  name: 'pipeline',
  about: 'Bronze on disk to silver, gold, dead letters, gap ledger and six candle tables.',
  run,
};
