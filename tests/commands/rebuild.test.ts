/**
 * `bullion rebuild` where it is needed most: on a directory whose state or files are damaged, and
 * with another configuration at hand than the one the directory was made with.
 */
import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runFile } from '#tests/support/process/bullion-process';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const TRADES = 500;

/** One trade a second. */
function frames(): string {
  return Array.from({ length: TRADES }, (_, i) => {
    const timeMs = 1_741_046_400_000 + 1000 * i;
    return `{"e":"trade","E":${timeMs},"s":"BTCUSDT","t":${1000 + i},"p":"${60_000 + (i % 7)}.5","q":"0.25","T":${timeMs},"m":false,"M":true}\n`;
  }).join('');
}

function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] as number) ^ 8;
  writeFileSync(path, bytes);
}

function goldFile(dir: string): string {
  const data = join(dir, 'lake/gold_crypto_trades/data');
  const [path] = (readdirSync(data, { recursive: true }) as string[]).filter((name) =>
    name.endsWith('.parquet'),
  );
  return join(data, path as string);
}

test('rebuild: by the rules of the directory, and in the place of what is damaged', async (t) => {
  const cwd = temporaryDirectory(t);
  const run = (dir: string, ...args: string[]) =>
    runFile('cli.js', [...args, '--data-dir', join(cwd, dir), '--json'], { cwd, env: {} });
  writeFileSync(join(cwd, 'frames.ndjson'), frames());
  const lateness = { BULLION_CANDLES_ALLOWED_LATENESS_MS: '1500' };
  const imported = await runFile(
    'cli.js',
    [
      'import',
      '--data-dir',
      join(cwd, 'whole'),
      '--exchange',
      'binance',
      '--format',
      'frames',
      join(cwd, 'frames.ndjson'),
    ],
    { cwd, env: lateness },
  );
  assert.equal(imported.code, 0, imported.stderr);

  await t.test('another configuration makes no difference', async () => {
    const { code, stdout, stderr } = await run('whole', 'rebuild');
    assert.equal(code, 0, stderr);
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.ok(rows.length > 10 && rows.every(({ equal }) => equal === true), stdout);
  });

  const damages: Record<string, (dir: string) => void> = {
    'a flipped bit in a data file': (dir) => flipByte(goldFile(dir), 2000),
    'a lost data file': (dir) => rmSync(goldFile(dir)),
    'a state cut short': (dir) => {
      const path = join(dir, 'state/data.mdb');
      writeFileSync(path, readFileSync(path).subarray(0, 5000));
    },
  };
  for (const [name, damage] of Object.entries(damages)) {
    await t.test(name, async () => {
      const dir = join(cwd, 'damaged');
      cpSync(join(cwd, 'whole'), dir, { recursive: true });
      damage(dir);
      const { code, stderr } = await run('damaged', 'rebuild');
      assert.equal(code, 74, stderr);
      assert.match(
        stderr,
        /^bullion: .*damaged.*put its state and lake in the place of those in .*\n$/,
      );
      for (const part of ['state', 'lake']) {
        rmSync(join(dir, part), { recursive: true });
        renameSync(join(`${dir}.rebuilt`, part), join(dir, part));
      }
      rmSync(`${dir}.rebuilt`, { recursive: true });
      const again = await run(
        'damaged',
        'import',
        '--exchange',
        'binance',
        '--format',
        'frames',
        join(cwd, 'frames.ndjson'),
      );
      assert.equal(again.code, 0, again.stderr);
      const { trades, duplicates } = JSON.parse(again.stdout);
      assert.deepEqual({ trades, duplicates }, { trades: 0, duplicates: TRADES });
      rmSync(dir, { recursive: true });
    });
  }

  await t.test('a directory without data is refused, not made', async () => {
    const { code } = await run('nowhere', 'rebuild');
    assert.equal(code, 66);
    assert.equal(existsSync(join(cwd, 'nowhere')), false);
  });
});
