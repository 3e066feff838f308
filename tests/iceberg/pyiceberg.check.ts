/**
 * Not part of `npm test`: needs a Python with pyiceberg and pyarrow, and the recorded captures.
 *
 *   python3 -m venv V && V/bin/pip install pyiceberg pyarrow
 *   npm run build && node dist/tests/iceberg/pyiceberg.check.js V/bin/python
 *
 * Imports the real captures (one of them twice: duplicates must change nothing), has `bullion trades`
 * say what is in gold, starts the process on that directory, and lets PyIceberg compare.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

const READY_MS_MAX = 60_000;

const captures = [join(process.cwd(), '../shared/data'), process.env.BULLION_SHARED_DATA ?? '']
  .map((data) => join(data, 'captures'))
  .find((folder) => existsSync(folder));

interface Trade {
  readonly symbol: string;
  readonly timestamp: string;
  readonly price: string;
  readonly quantity: string;
}

function bullion(dataDir: string, args: readonly string[]): string {
  const env = { ...process.env, BULLION_DATA_DIR: dataDir, BULLION_LOG_LEVEL: 'error' };
  const options = { env, encoding: 'utf8', maxBuffer: 1 << 28 } as const;
  return execFileSync(process.execPath, ['dist/cli.js', ...args], options);
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

/** Starts the process with one exchange that nobody answers for. */
function startServer(dir: string): ChildProcess {
  const configPath = join(dir, 'config.yaml');
  const nowhere = '{ enabled: true, ws_url: "ws://127.0.0.1:9/", rest_url: "http://127.0.0.1:9" }';
  const lines = [
    `data_dir: ${JSON.stringify(join(dir, 'data'))}`,
    'http: { port: 0 }',
    'exchanges:',
    `  binance: ${nowhere}`,
    '  kraken: { enabled: false }',
    '  coinbase: { enabled: false }',
  ];
  writeFileSync(configPath, lines.join('\n'));
  const args = ['dist/supervisor.js', '--config', configPath];
  return spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** The URL the process says it is ready at. */
function urlOf(server: ChildProcess): Promise<string> {
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

async function main(python: string): Promise<void> {
  if (captures === undefined) {
    console.log('skipped: the recorded captures are not here; BULLION_SHARED_DATA says where');
    return;
  }
  const dir = mkdtempSync(join(tmpdir(), 'bullion-pyiceberg-'));
  const dataDir = join(dir, 'data');
  let server: ChildProcess | undefined;
  try {
    let silver = 0;
    for (const exchange of ['binance', 'coinbase', 'kraken', 'binance']) {
      const file = join(captures, `${exchange}-btc-eth-2026-07-07.ndjson`);
      const args = ['import', '--exchange', exchange.toUpperCase(), '--format', 'frames', '--json'];
      const figures = JSON.parse(bullion(dataDir, [...args, file]));
      silver += figures.trades + figures.duplicates;
    }
    const trades = JSON.parse(bullion(dataDir, ['trades', '--format', 'json'])) as Trade[];
    const expected = figuresOf(trades, silver);
    assert.ok(expected.partitions.length > 1, 'one partition shows nothing about pruning');
    writeFileSync(join(dir, 'expected.json'), JSON.stringify(expected));
    server = startServer(dir);
    const url = await urlOf(server);
    const script = resolve('tests/iceberg/pyiceberg_check.py');
    const args = [join(dataDir, 'lake'), `${url}/iceberg`, join(dir, 'expected.json')];
    execFileSync(python, [script, ...args], { stdio: 'inherit' });
    const ended = once(server, 'exit');
    server.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null]);
  } finally {
    server?.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
}

const [python] = process.argv.slice(2);
assert.ok(python, 'usage: node dist/tests/iceberg/pyiceberg.check.js PYTHON');
await main(python);
