/**
 * The command line over tables in a bucket, beside a directory that has them in itself: the same imports,
 * compactions and expiries, and every command prints the same.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { S3Server, SECRET_KEY } from '#tests/support/s3-server';

const CLI = fileURLToPath(new URL('../../cli.js', import.meta.url));
const START_MS = 1_783_465_200_000; // 2026-07-07T23:00:00Z
const PREFIX = 'market/lake';

const server = new S3Server();
server.pageSize = 10;
const root = mkdtempSync(join(tmpdir(), 'bullion-s3-'));
before(() => server.listen());
after(async () => {
  rmSync(root, { recursive: true, force: true });
  await server.close();
});

/** The moments of the two imports are not the same. */
const RECEIVED = /("(?:ingestion|error)_timestamp":)"[^"]*"/g;

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Not spawnSync: the bucket is in this process. */
async function run(env: Record<string, string>, ...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...process.env, BULLION_LOG_LEVEL: 'error', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const [status] = await once(child, 'close');
  return { status, stdout: stdout.replace(RECEIVED, '$1'), stderr };
}

const here = { BULLION_DATA_DIR: join(root, 'here') };
const there = (): Record<string, string> => ({
  BULLION_DATA_DIR: join(root, 'there'),
  ...server.environment(PREFIX),
});

/** Both print the same and end well; answers what they print. */
async function both(...args: string[]): Promise<string> {
  const [a, b] = await Promise.all([run(here, ...args), run(there(), ...args)]);
  assert.equal(a.status, 0, a.stderr);
  assert.equal(b.status, 0, b.stderr);
  assert.equal(b.stdout, a.stdout, args.join(' '));
  return a.stdout;
}

/** Trades a second apart, over the end of an hour; one in twenty is no trade at all. */
function frames(first: number): string {
  return Array.from({ length: 80 }, (_, i) => {
    const id = first + i;
    const time = START_MS + id * 30_000;
    const price = id % 20 === 0 ? '"no price"' : `"${60_000 + ((id * 7) % 50)}.12"`;
    return `{"e":"trade","E":${time},"s":"BTCUSDT","t":${1000 + id},"p":${price},"q":"0.5","T":${time},"m":${id % 3 === 0},"M":true}\n`;
  }).join('');
}

async function importBoth(first: number): Promise<void> {
  const file = join(root, `${first}.ndjson`);
  writeFileSync(file, frames(first));
  const args = ['import', '--exchange', 'binance', '--format', 'frames', '--json', file];
  for (const env of [here, there()]) {
    const { status, stderr } = await run(env, ...args);
    assert.equal(status, 0, stderr);
  }
}

const COUNTS = `select 'gold' as t, count(*) as n, sum(quantity)::varchar as q from gold_crypto_trades
  union all select '1h', count(*), sum(volume)::varchar from gold_ohlcv_1h
  union all select 'dead', count(*), '' from silver_dlq_trades order by t`;

test('every command does the same over a bucket', { timeout: 300_000 }, async () => {
  const seen: { trades: string; sql: string; candles: string }[] = [];
  const candles = ['candles', '--exchange', 'binance', '--symbol', 'BTCUSDT', '--timeframe', '1h'];
  for (const first of [0, 60, 140]) {
    await importBoth(first);
    seen.push({
      trades: await both('trades', '--json'),
      candles: await both(...candles, '--format', 'csv'),
      sql: await both('sql', COUNTS, '--format', 'csv'),
    });
  }
  assert.equal(new Set(seen.map(({ sql }) => sql)).size, 3);
  assert.match(seen[2]?.sql as string, /gold,209,104\.5/); // 220 frames, 11 without a price
  await both('dlq', 'list', '--json');
  await both('gaps', '--json');

  // Time travel, by the snapshot of one table or by a moment, for one table and for all.
  const snapshots = (await run(there(), 'snapshots', 'gold_crypto_trades', '--json')).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { snapshot_id: number; committed_at: string });
  assert.equal(snapshots.length, 3);
  for (const [i, then] of seen.entries()) {
    const { snapshot_id, committed_at } = snapshots[i] as (typeof snapshots)[number];
    for (const at of [String(snapshot_id), committed_at]) {
      const past = async (...args: string[]): Promise<string> => {
        const { status, stdout, stderr } = await run(there(), ...args, '--at', at);
        assert.equal(status, 0, stderr);
        return stdout;
      };
      assert.equal(await past('trades', '--json'), then.trades);
      assert.equal(await past('sql', COUNTS, '--format', 'csv'), then.sql);
    }
  }
  const early = await run(
    there(),
    'sql',
    COUNTS,
    '--format',
    'csv',
    '--at',
    '2020-01-01T00:00:00Z',
  );
  assert.match(early.stdout, /dead,0,\n.*gold,0,|1h,0,/);

  // The secret is in no file and in no argument; nothing of the tables is in the directory.
  const files = readdirSync(join(root, 'there'), { recursive: true, withFileTypes: true });
  for (const file of files.filter((entry) => entry.isFile())) {
    assert.ok(!file.name.endsWith('.parquet'), file.name);
    const bytes = readFileSync(join(file.parentPath, file.name));
    assert.ok(!bytes.includes(SECRET_KEY), file.name);
  }
  assert.ok(!existsSync(join(root, 'there/lake')));

  const dataFiles = (): string[] =>
    [...server.objects.keys()].filter((key) => key.includes('gold_crypto_trades/data/'));
  const before = dataFiles();
  const jobs = async (name: string, env: Record<string, string> = {}): Promise<unknown> => {
    const [a, b] = await Promise.all(
      [here, there()].map(async (place) => {
        const ended = await run({ ...place, ...env }, 'jobs', 'run', name, '--json');
        assert.equal(ended.status, 0, ended.stderr);
        const { outcome, files_in, files_out, rows_in, rows_out, detail } = JSON.parse(
          ended.stdout,
        );
        return { outcome, files_in, files_out, rows_in, rows_out, detail };
      }),
    );
    assert.deepEqual(b, a, name);
    return a;
  };
  assert.equal(((await jobs('compaction')) as { outcome: string }).outcome, 'done');
  assert.equal(await both('trades', '--json'), seen[2]?.trades);
  await jobs('manifests');
  const current = {
    BULLION_MAINTENANCE_SNAPSHOTS_KEEP_MIN: '1',
    BULLION_MAINTENANCE_SNAPSHOTS_KEEP_MAX: '1',
    BULLION_MAINTENANCE_SNAPSHOTS_AGE_HOURS: '0',
  };
  await jobs('snapshots', current);
  assert.ok(
    before.every((key) => !server.objects.has(key)),
    'replaced files are gone',
  );
  const left = `${PREFIX}/gold_crypto_trades/data/exchange_date=2026-07-07/exchange_hour=23/left.parquet`;
  server.objects.set(left, Buffer.alloc(3));
  // The start sweeps it before the job can.
  const swept = await run(there(), 'jobs', 'run', 'orphans', '--json');
  assert.equal(swept.status, 0, swept.stderr);
  assert.ok(!server.objects.has(left));
  await jobs('retention', { ...current, BULLION_MAINTENANCE_RETENTION_DAYS_SILVER: '1' });
  assert.deepEqual(
    [...server.objects.keys()].filter((key) => key.includes('silver_binance_trades/data/')),
    [],
  );
  const audited = await run(there(), 'jobs', 'run', 'audit', '--json');
  assert.equal(JSON.parse(audited.stdout).outcome, 'done', audited.stdout);
  assert.equal(await both('trades', '--json'), seen[2]?.trades);

  // A file that is not what was committed is found, and refused by every reader.
  const [key = ''] = dataFiles();
  const whole = server.objects.get(key) as Buffer;
  const damaged = Buffer.from(whole);
  damaged[100]! ^= 1;
  server.objects.set(key, damaged);
  assert.match((await run(there(), 'jobs', 'run', 'audit')).stderr, /is damaged/);
  for (const args of [['trades'], ['sql', 'from gold_crypto_trades']]) {
    const { status, stderr } = await run(there(), ...args);
    assert.equal(status, 74);
    assert.match(stderr, /is damaged \(its SHA-256 is not the one committed\)/);
  }
  server.objects.set(key, whole);
});

test('rebuild compares a bucket with its log, and puts the copy into a folder', async () => {
  const { BULLION_DATA_DIR, ...bucket } = there();
  const env = {
    ...bucket,
    BULLION_DATA_DIR: join(root, 'rebuilt'),
    BULLION_WAREHOUSE: 's3://warehouse/r',
  };
  const args = ['import', '--exchange', 'binance', '--format', 'frames', join(root, '0.ndjson')];
  assert.equal((await run(env, ...args)).status, 0);
  const { status, stdout, stderr } = await run(env, 'rebuild', '--json');
  assert.equal(status, 0, stderr);
  assert.ok(stdout.split('\n').filter((line) => line.includes('"equal":true')).length > 8, stdout);
  assert.ok(existsSync(join(root, 'rebuilt.rebuilt/lake/gold_crypto_trades/data')));
});

test('a table the query does not name is not fetched, and says so when it is read all the same', async () => {
  const hidden = `select count(*) from query_table('gold_crypto' || '_trades')`;
  const { status, stderr } = await run(there(), 'sql', hidden);
  assert.equal(status, 65);
  assert.match(stderr, /the files of gold_crypto_trades were not fetched/);
});

test('a bucket that is not there, and credentials that are wrong, are one sentence', async () => {
  for (const [key, value, code] of [
    ['BULLION_WAREHOUSE', 's3://nowhere/x', 'NoSuchBucket'],
    ['AWS_SECRET_ACCESS_KEY', 'not it', 'SignatureDoesNotMatch'],
  ] as const) {
    const env = { ...there(), BULLION_DATA_DIR: join(root, 'fresh'), [key]: value };
    const { status, stderr } = await run(
      env,
      'import',
      '--exchange',
      'binance',
      '--format',
      'frames',
      join(root, '0.ndjson'),
    );
    assert.equal(status, 74, stderr);
    assert.match(stderr, new RegExp(`^bullion: s3://.* cannot be reached \\(40[34] ${code}`));
    assert.equal(stderr.trim().split('\n').length, 1);
    assert.ok(!stderr.includes('not it'));
  }
});
