/**
 * A data directory made of the recorded captures by the command line, and what must be in its gold
 * table, worked out from what `bullion trades` prints.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

const READY_MS_MAX = 60_000;

export type Env = Readonly<Record<string, string>>;

interface Trade {
  readonly symbol: string;
  readonly timestamp: string;
  readonly price: string;
  readonly quantity: string;
}

export function bullion(env: Env, ...args: readonly string[]): string {
  return execFileSync(process.execPath, ['dist/cli.js', ...args], {
    env: { ...process.env, BULLION_LOG_LEVEL: 'error', ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
}

/** Imports the captures, one of them twice: duplicates must change nothing. Answers rows of silver. */
export function importCaptures(env: Env, captures: string): number {
  let silver = 0;
  for (const exchange of ['binance', 'coinbase', 'kraken', 'binance']) {
    const file = join(captures, `${exchange}-btc-eth-2026-07-07.ndjson`);
    const args = ['import', '--exchange', exchange.toUpperCase(), '--format', 'frames', '--json'];
    const figures = JSON.parse(bullion(env, ...args, file));
    silver += figures.trades + figures.duplicates;
  }
  return silver;
}

export function expectedFigures(env: Env, silver: number) {
  const trades = JSON.parse(bullion(env, 'trades', '--format', 'json')) as Trade[];
  const figures = figuresOf(trades, silver);
  assert.ok(figures.partitions.length > 1, 'one partition shows nothing about pruning');
  return figures;
}

/** A decimal with 8 places as an integer. */
function scaled(text: string): bigint {
  assert.match(text, /^\d+\.\d{8}$/);
  return BigInt(text.replace('.', ''));
}

function decimal(value: bigint, places: number): string {
  const digits = value.toString().padStart(places + 1, '0');
  return `${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

function sumOf(trades: readonly Trade[], value: (trade: Trade) => bigint): bigint {
  return trades.reduce((sum, trade) => sum + value(trade), 0n);
}

function countBy(trades: readonly Trade[], key: (trade: Trade) => string): Map<string, Trade[]> {
  const groups = new Map<string, Trade[]>();
  for (const trade of trades) groups.set(key(trade), [...(groups.get(key(trade)) ?? []), trade]);
  return groups;
}

function figuresOf(trades: readonly Trade[], silver: number) {
  const quantity = (some: readonly Trade[]): string =>
    decimal(
      sumOf(some, (trade) => scaled(trade.quantity)),
      8,
    );
  const quote = sumOf(trades, (trade) => scaled(trade.price) * scaled(trade.quantity));
  return {
    trades: trades.length,
    silver,
    price: decimal(
      sumOf(trades, (trade) => scaled(trade.price)),
      8,
    ),
    quantity: quantity(trades),
    quote: decimal(quote, 16),
    symbols: Object.fromEntries(
      Array.from(
        countBy(trades, ({ symbol }) => symbol),
        ([symbol, some]) => [symbol, some.length],
      ),
    ),
    partitions: Array.from(
      countBy(trades, ({ timestamp }) => timestamp.slice(0, 13)),
      ([hour, some]) => ({
        date: hour.slice(0, 10),
        hour: Number(hour.slice(11)),
        trades: some.length,
        quantity: quantity(some),
      }),
    ),
  };
}

/** Starts the process on a directory with one exchange that nobody answers for. */
export function startServer(dir: string, env: Env): ChildProcess {
  const configPath = join(dir, 'config.yaml');
  const nowhere = '{ enabled: true, ws_url: "ws://127.0.0.1:9/", rest_url: "http://127.0.0.1:9" }';
  const lines = [
    'http: { port: 0 }',
    'exchanges:',
    `  binance: ${nowhere}`,
    '  kraken: { enabled: false }',
    '  coinbase: { enabled: false }',
  ];
  writeFileSync(configPath, lines.join('\n'));
  const args = ['dist/supervisor.js', '--config', configPath];
  return spawn(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  });
}

/** The URL the process says it is ready at. */
export function urlOf(server: ChildProcess): Promise<string> {
  return new Promise<string>((done, fail) => {
    setTimeout(() => fail(new Error('the server was not ready in time')), READY_MS_MAX).unref();
    server.once('exit', (code) => fail(new Error(`the server ended with ${code}`)));
    createInterface(server.stderr as Readable).on('line', (line) => {
      if (!line.startsWith('{')) process.stderr.write(`${line}\n`);
      else {
        const entry = JSON.parse(line) as { msg: string; url?: string };
        if (entry.msg === 'ready' && entry.url !== undefined) done(entry.url);
      }
    });
  });
}
