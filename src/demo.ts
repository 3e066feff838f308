#!/usr/bin/env node
/**
 * `npm run demo`: the whole product offline. Three simulated exchanges on loopback, in this process,
 * and Bullion itself as a child process that takes them for the real ones; figures once a second.
 *
 * The exchanges misbehave a little, as real ones do: duplicates, late and lost trades, garbage, cut
 * connections. When Bullion's process ends, however it does, the demo ends with it; the next demo
 * goes on in the same data directory.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Health } from '#src/api/health';
import { systemClock } from '#src/base/clock';
import { EXIT, UserError } from '#src/base/errors';
import { loadInstruments } from '#src/config/instruments';
import { loadConfig } from '#src/config/load';
import { simulatorAddresses } from '#src/simulator/addresses';
import type { FaultProfile } from '#src/simulator/faults';
import { type SimulatedInstrument, simulatedInstrument } from '#src/simulator/instrument';
import { Simulator } from '#src/simulator/server';

const SEED = 20260707;
const TRADES_PER_SECOND_PER_EXCHANGE = 300;
const FIGURES_MS = 1_000;
/** 2026-07-07, the day of the prices in src/simulator/instrument.ts. */
const IDS_FROM_SECONDS = 1_783_382_400;
/** No instrument makes more than its whole exchange does. */
const IDS_PER_SECOND = TRADES_PER_SECOND_PER_EXCHANGE;

const FAULTS: Partial<FaultProfile> = {
  duplicate: 0.01,
  reorder: 0.005,
  late: 0.0005,
  lateUs: [5_000_000, 60_000_000],
  drop: 0.0005,
  lose: 0.00002,
  invalid: 0.0002,
  garbage: 0.0002,
  control: 0.0005,
  disconnect: 0.00005,
};

/**
 * Ids go on from one demo to the next, as an exchange's do: further than the trades of the time in
 * between could have brought them. What was traded meanwhile is gone, and shows as a gap.
 */
function continued(instrument: SimulatedInstrument): SimulatedInstrument {
  const seconds = Math.floor(systemClock().nowUs() / 1_000_000) - IDS_FROM_SECONDS;
  return { ...instrument, startId: instrument.startId + IDS_PER_SECOND * seconds };
}

async function healthOf(url: string): Promise<Health | undefined> {
  try {
    const response = await fetch(`${url}/health`);
    return (await response.json()) as Health;
  } catch {
    return undefined; // not up yet, or down on purpose
  }
}

async function lastPrice(url: string): Promise<string> {
  try {
    const query = 'symbol=BTCUSDT&exchange=BINANCE&limit=1';
    const response = await fetch(`${url}/v1/ohlcv/1m?${query}`);
    const { candles } = (await response.json()) as { candles: { close: string; volume: string }[] };
    const candle = candles.at(-1);
    return candle === undefined ? '' : `BTCUSDT 1m close ${candle.close} volume ${candle.volume}`;
  } catch {
    return '';
  }
}

function sum({ actors }: Health, kind: string, counter: string): number {
  return actors
    .filter(({ actor }) => actor.startsWith(kind))
    .reduce((total, { counters }) => total + (counters[counter] ?? 0), 0);
}

/** One line of live figures. */
function figures(health: Health, trades: number, price: string): string {
  const connected = health.exchanges.filter(({ state }) => state === 'connected').length;
  const lagMs = Math.max(0, ...health.exchanges.map(({ lag_ms }) => lag_ms));
  return [
    `${connected}/${health.exchanges.length} exchanges`,
    `${String(trades).padStart(5)} trades/s`,
    `gold ${sum(health, 'gold', 'trades')}`,
    `duplicates ${sum(health, 'gold', 'duplicates')}`,
    `dead letters ${sum(health, 'validation', 'dead_letters')}`,
    `lag ${lagMs} ms`,
    `epoch ${health.last_epoch?.number ?? 0}`,
    price,
  ].join(' | ');
}

function print(line: string): void {
  process.stdout.write(process.stdout.isTTY ? `\x1b[2K\r${line}` : `${line}\n`);
}

async function main(): Promise<void> {
  const config = loadConfig({ env: process.env, cwd: process.cwd(), configPath: CONFIG });
  const instruments = loadInstruments({ cwd: process.cwd() });
  const simulator = await Simulator.start({
    seed: SEED,
    instruments: instruments.map((instrument) => continued(simulatedInstrument(instrument))),
    ratePerSecond: TRADES_PER_SECOND_PER_EXCHANGE,
    faults: FAULTS,
    binanceMicroseconds: true,
    keepTradesMax: 100_000,
  });
  const logPath = `${config.data_dir}.log`;
  mkdirSync(dirname(logPath), { recursive: true });
  const logFile = openSync(logPath, 'a', 0o600);
  const logStart = fstatSync(logFile).size;
  // A process group of its own: Ctrl-C reaches this process only, which passes it on once.
  const supervisor = spawn(
    process.execPath,
    [fileURLToPath(new URL('./supervisor.js', import.meta.url)), '--config', CONFIG],
    {
      env: { ...process.env, ...simulatorAddresses(simulator) },
      stdio: ['ignore', 'inherit', logFile],
      detached: true,
    },
  );
  closeSync(logFile);
  const url = `http://${config.http.host}:${config.http.port}`;
  process.stdout.write(`Three simulated exchanges are up; Bullion is starting.
  page       ${url}/
  candles    ${url}/v1/ohlcv/1m?symbol=BTCUSDT&exchange=BINANCE
  symbols    ${url}/v1/symbols
  health     ${url}/health
  data       ${config.data_dir}
  log        ${logPath}
Stop with Ctrl-C.
`);
  let stopping = false;
  const stop = (): void => {
    stopping = true;
    supervisor.kill('SIGTERM');
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const ticker = showFigures(url);
  const { code, signal } = await ended(supervisor);
  clearInterval(ticker);
  await simulator.stop();
  if (process.stdout.isTTY) process.stdout.write('\n');
  if (stopping && code === 0) {
    process.stdout.write('Stopped; everything received is in the tables.\n');
    process.exit(0);
  }
  const reason = readFileSync(logPath)
    .subarray(logStart)
    .toString()
    .match(/^bullion: (.+)/m)?.[1];
  process.stderr.write(
    `bullion: the server ended with ${signal ?? code}${reason ? `: ${reason}` : `; see ${logPath}`}\n`,
  );
  process.exit(code ?? 70);
}

function showFigures(url: string): NodeJS.Timeout {
  let before: { trades: number; atMs: number } | undefined;
  let announced = false;
  return setInterval(async () => {
    const health = await healthOf(url);
    if (health === undefined) return;
    if (health.ready && !announced) {
      announced = true;
      print(`All exchanges are connected; candles are live: open ${url}/`);
      process.stdout.write('\n');
    }
    const trades = sum(health, 'validation', 'trades');
    const atMs = performance.now();
    const rate =
      before === undefined ? 0 : (1000 * (trades - before.trades)) / (atMs - before.atMs);
    before = { trades, atMs };
    print(figures(health, Math.max(0, Math.round(rate)), await lastPrice(url)));
  }, FIGURES_MS);
}

function ended(child: ChildProcess): Promise<{ code: number | null; signal: string | null }> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

const CONFIG = 'configs/demo.yaml';

main().catch((error: unknown) => {
  process.stderr.write(`bullion: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof UserError ? error.exitCode : EXIT.internal);
});
