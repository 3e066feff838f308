/** The key of cursors: one for a data directory's whole life, for its owner's eyes only. */
import assert from 'node:assert/strict';
import { lstatSync, readdirSync, readFileSync, statSync, symlinkSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeDisk } from '#src/base/node-disk';
import { cursorSecret } from '#src/supervision/cursor-secret';
import { importMarketDay } from '#tests/api/served';
import { Bullion } from '#tests/support/process/bullion-process';
import { temporaryDirectory } from '#tests/support/temporary-directory';

test('the key is made once, and others cannot read it', (t) => {
  const dir = temporaryDirectory(t);
  const disk = nodeDisk();
  const made = Uint8Array.from(cursorSecret(disk, dir));
  assert.equal(made.length, 32);
  assert.deepEqual(Uint8Array.from(cursorSecret(disk, dir)), made);
  assert.deepEqual(readdirSync(dir), ['cursor.key']);
  assert.equal(statSync(join(dir, 'cursor.key')).mode & 0o777, 0o600);
  const other = temporaryDirectory(t);
  assert.notDeepEqual(Uint8Array.from(cursorSecret(disk, other)), made);
});

test('one that was cut is replaced, and a link is not followed', (t) => {
  const dir = temporaryDirectory(t);
  const disk = nodeDisk();
  const made = Uint8Array.from(cursorSecret(disk, dir));
  truncateSync(join(dir, 'cursor.key'), 31);
  const again = Uint8Array.from(cursorSecret(disk, dir));
  assert.equal(again.length, 32);
  assert.notDeepEqual(again, made);
  assert.deepEqual(Uint8Array.from(readFileSync(join(dir, 'cursor.key'))), again);

  const lured = temporaryDirectory(t);
  const link = join(lured, 'cursor.key');
  symlinkSync(join(dir, 'cursor.key'), link);
  assert.notDeepEqual(Uint8Array.from(cursorSecret(disk, lured)), again);
  assert.ok(lstatSync(link).isFile(), 'its place is taken by a file of our own');
  assert.deepEqual(Uint8Array.from(readFileSync(join(dir, 'cursor.key'))), again);
});

test('whoever pages through history goes on after a kill and a start', async (t) => {
  const lake = importMarketDay();
  t.after(() => lake.remove());
  const cwd = temporaryDirectory(t);
  const nowhere = ['BINANCE', 'KRAKEN', 'COINBASE'].flatMap((exchange) => [
    [`BULLION_EXCHANGES_${exchange}_WS_URL`, 'ws://127.0.0.1:9'],
    [`BULLION_EXCHANGES_${exchange}_REST_URL`, 'http://127.0.0.1:9'],
  ]);
  const env = {
    ...Object.fromEntries(nowhere),
    BULLION_DATA_DIR: lake.dataDir,
    BULLION_HTTP_PORT: '0',
    BULLION_HTTP_QUERIES_TIMEOUT_MS: '60000',
  };
  const replay = async (url: string, more: object) => {
    const response = await fetch(`${url}/v1/replay`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ fields: ['trade_id', 'symbol'], ...more }),
    });
    assert.equal(response.status, 200);
    return (await response.json()) as { trades: object[]; next_cursor: string };
  };
  const day = { start: '2026-07-07', end: '2026-07-08' };
  const before = Bullion.start(t, { cwd, env });
  const url = await before.url();
  const whole = await replay(url, { ...day, limit: 30 });
  const first = await replay(url, { ...day, limit: 10 });
  await before.end('SIGKILL');

  const after = Bullion.start(t, { cwd, env });
  const second = await replay(await after.url(), { limit: 20, cursor: first.next_cursor });
  assert.deepEqual([...first.trades, ...second.trades], whole.trades);
  const { code } = await after.end('SIGTERM');
  assert.equal(code, 0);
});
