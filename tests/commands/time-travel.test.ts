/**
 * Time travel through the real command line: what `trades` and `candles` printed after each import
 * is what `--at` that moment's snapshot prints after all of them.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bullion as run } from '#tests/commands/cli';

const START_MS = 1_783_465_200_000; // 2026-07-07T23:00:00Z

/** Frames of ten trades a second apart; each import begins in the middle of the last one's minute. */
function frames(first: number): string {
  return Array.from({ length: 60 }, (_, i) => {
    const id = first + i;
    const time = START_MS + id * 1000;
    const price = `${60_000 + ((id * 7) % 50)}.12`;
    return `{"e":"trade","E":${time},"s":"BTCUSDT","t":${1000 + id},"p":"${price}","q":"0.5","T":${time},"m":${id % 3 === 0},"M":true}\n`;
  }).join('');
}

test('a table at a snapshot is the table as it was', { timeout: 120_000 }, () => {
  const root = mkdtempSync(join(tmpdir(), 'bullion-travel-'));
  const bullion = (...args: string[]): string => {
    const { status, stdout, stderr } = run(join(root, 'data'), ...args);
    assert.equal(status, 0, stderr);
    return stdout;
  };
  const candles = ['candles', '--exchange', 'binance', '--symbol', 'BTCUSDT'];
  const oneMinute = [...candles, '--timeframe', '1m', '--format', 'csv'];
  const trades = ['trades', '--json'];
  try {
    const seen: { trades: string; candles: string }[] = [];
    for (const first of [0, 30, 90]) {
      const file = join(root, `${first}.ndjson`);
      writeFileSync(file, frames(first));
      bullion('import', '--exchange', 'binance', '--format', 'frames', '--json', file);
      seen.push({ trades: bullion(...trades), candles: bullion(...oneMinute) });
    }
    assert.notEqual(seen[0]?.candles, seen[1]?.candles);
    const snapshotsOf = (table: string): { snapshot_id: number; committed_at: string }[] =>
      bullion('snapshots', table, '--json')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
    const gold = snapshotsOf('gold_crypto_trades');
    const minutes = snapshotsOf('gold_ohlcv_1m');
    assert.equal(gold.length, 3);
    assert.equal(minutes.length, 3);
    for (const [i, { trades: tradesThen, candles: candlesThen }] of seen.entries()) {
      const { snapshot_id, committed_at } = gold[i] as (typeof gold)[number];
      assert.equal(bullion(...trades, '--at', String(snapshot_id)), tradesThen);
      assert.equal(bullion(...trades, '--at', committed_at), tradesThen);
      const at = String(minutes[i]?.snapshot_id);
      assert.equal(bullion(...oneMinute, '--at', at), candlesThen);
    }
    assert.equal(run(join(root, 'data'), ...trades, '--at', '2020-01-01').status, 64);
    assert.equal(run(join(root, 'data'), 'snapshots', 'no_such_table').status, 64);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
