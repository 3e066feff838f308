/**
 * The simulated market that the large benchmarks share: trades of 34 instruments on three exchanges
 * with 1 % duplicates, 0.1 % late and 0.01 % invalid ones, as bronze logs and, for the peers, as the
 * same frames one per line.
 *
 * Made once per size in the system's folder for temporary files and kept: 500 MB a million trades.
 * `truth` comes from the simulator's journal, not from anything that is measured.
 */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXCHANGES, type Exchange, exchangeKey } from '#schemas/exchange';
import { parseScaled } from '#src/base/decimal';
import { nodeDisk } from '#src/base/node-disk';
import { type ConfiguredInstrument, loadInstruments } from '#src/config/instruments';
import { PACKAGE_ROOT } from '#src/config/package-root';
import { LogHead } from '#src/log/log-head';
import { LogWriter } from '#src/log/log-writer';
import { FEED_EXCHANGE } from '#src/simulator/frame-format';
import { simulatedInstrument } from '#src/simulator/instrument';
import { OfflineSimulation } from '#src/simulator/offline';
import type { BenchContext } from './benchmark.js';
import { LineFile } from './line-file.js';

const SEED = 20_260_707;
const START_US = Date.UTC(2026, 6, 7) * 1_000;
/** Of each exchange: 20 million trades are then two hours, a very busy day's. */
const TRADES_PER_SECOND = 1_000;
const FAULTS = { duplicate: 0.01, late: 0.001, invalid: 0.0001 };
const TINY_TRADES = 3_000;
/** Raised with every change of what is recorded: an old recording is not taken for a new one. */
const VERSION = 3;
/** Frames appended between two flushes, as in a busy event-loop turn of ingest. */
const FRAMES_PER_FLUSH = 500;

export interface Truth {
  readonly frames: number;
  /** Valid trades, duplicates included. */
  readonly trades: number;
  /** Distinct ones. */
  readonly gold: number;
  readonly deadLetters: number;
  /** Exact sum of all distinct quantities x 10^8, as text. */
  readonly volume: string;
}

export interface Recording {
  /** Holds `<exchange>/` bronze logs. */
  readonly bronze: string;
  /** By exchange: its frames one per line, with receive time `r` and sequence `n` put in front. */
  readonly lines: Readonly<Record<Exchange, string>>;
  readonly truth: Truth;
}

const ROOT = join(tmpdir(), 'bullion-bench-recordings');

/** The configured instruments but TRXUSDT, which is there for a recorded day. */
export function recordedInstruments(): ConfiguredInstrument[] {
  const all = loadInstruments({ cwd: PACKAGE_ROOT });
  return all.filter(({ nativeSymbol }) => nativeSymbol !== 'TRXUSDT');
}

export function forgetRecordings(): void {
  fs.rmSync(ROOT, { recursive: true, force: true });
}

/** The recording of the context's size, made first when it is not there. */
export function recording(context: BenchContext): Recording {
  const { tiny, say } = context;
  const trades = tiny ? TINY_TRADES : context.trades;
  const dir = join(tiny ? context.dir : ROOT, `recording-v${VERSION}-${trades}`);
  const truthFile = join(dir, 'truth.json');
  if (!fs.existsSync(truthFile)) {
    fs.rmSync(dir, { recursive: true, force: true });
    say(`making ${trades.toLocaleString('en')} trades in ${dir}`);
    fs.mkdirSync(dir, { recursive: true });
    const truth = record(dir, trades);
    fs.writeFileSync(truthFile, JSON.stringify(truth)); // last: it says that the rest is whole
  }
  return {
    bronze: join(dir, 'bronze'),
    lines: Object.fromEntries(
      EXCHANGES.map((exchange) => [exchange, linesFile(dir, exchange)]),
    ) as Record<Exchange, string>,
    truth: JSON.parse(fs.readFileSync(truthFile, 'utf8')) as Truth,
  };
}

function linesFile(dir: string, exchange: Exchange): string {
  return join(dir, `${exchangeKey(exchange)}.ndjson`);
}

function record(dir: string, trades: number): Truth {
  const seconds = trades / (EXCHANGES.length * TRADES_PER_SECOND);
  const total = { frames: 0, trades: 0, gold: 0, deadLetters: 0, volume: 0n };
  for (const exchange of EXCHANGES) {
    const simulation = new OfflineSimulation({
      seed: SEED,
      instruments: recordedInstruments()
        .filter((instrument) => instrument.exchange === exchange)
        .map((instrument) => simulatedInstrument(instrument)),
      startUs: START_US,
      durationUs: seconds * 1e6,
      ratePerSecond: TRADES_PER_SECOND,
      faults: FAULTS,
    });
    const feed = simulation.feeds.find((name) => FEED_EXCHANGE[name] === exchange)!;
    total.frames += writeFrames(dir, exchange, simulation.frames(feed));
    total.trades += simulation.journal.sends(feed);
    total.deadLetters += simulation.journal.deadLetters(feed).length;
    for (const { sends, quantity } of simulation.journal.trades(feed)) {
      if (sends === 0) continue;
      total.gold++;
      total.volume += parseScaled(quantity, 8) as bigint;
    }
  }
  return { ...total, volume: String(total.volume) };
}

function writeFrames(
  dir: string,
  exchange: Exchange,
  frames: ReturnType<OfflineSimulation['frames']>,
): number {
  const logDir = join(dir, 'bronze', exchangeKey(exchange));
  fs.mkdirSync(logDir, { recursive: true });
  const head = new LogHead(new SharedArrayBuffer(LogHead.byteSize), 0);
  const log = LogWriter.open({ disk: nodeDisk(), dir: logDir, exchange, head });
  const lines = new LineFile(linesFile(dir, exchange));
  let count = 0;
  for (const { bytes, kind, connection, receiveTimeUs } of frames) {
    const sequence = log.append(bytes, kind, connection, receiveTimeUs);
    lines.add(receiveTimeUs, sequence, bytes);
    if (++count % FRAMES_PER_FLUSH === 0) log.flush();
  }
  lines.close();
  void log.close();
  return count;
}
