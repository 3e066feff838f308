/**
 * Days of five-minute epochs leave a bounded number of files, and every row. Three days by default:
 * everything but the files of closed hours has stopped growing after the first. SIMULATED_DAYS=30
 * runs a month, two and a half minutes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '#src/config/load';
import { DAY_US } from '#src/lake/partition';
import { seeTable } from '#tests/iceberg/independent-reader';
import { Month, START_US, type TableCounts } from '#tests/maintenance/month';

const DAYS = Number(process.env.SIMULATED_DAYS ?? 3);
const EPOCHS_PER_DAY = 288;
const GOLD = 'gold_crypto_trades';
const CANDLES = 'gold_ohlcv_1m';
const { maintenance } = loadConfig({ env: {}, cwd: '/' });

test(`${DAYS} days: a file an hour, and metadata that stops growing after a day`, async (t) => {
  const month = new Month(maintenance, [GOLD, CANDLES]);
  await month.start();
  for (let day = 0; day < DAYS; day++) await month.day(day);
  for (const table of [GOLD, CANDLES]) {
    const counts: TableCounts = month.counts(table);
    t.diagnostic(`${table} after ${DAYS} days: ${JSON.stringify(counts)}`);
    // A day of snapshots, those of maintenance among them, and what they show.
    assert.ok(counts.removed <= EPOCHS_PER_DAY + 30, `${counts.removed} replaced files`);
    assert.ok(counts.snapshots <= maintenance.snapshots.keep_max, `${counts.snapshots} snapshots`);
    // A list and a manifest each, and what the oldest of them shows of before.
    const manifestsMax = 2 * counts.snapshots + maintenance.manifests_max;
    assert.ok(counts.manifests <= manifestsMax, `${counts.manifests} manifests`);
    assert.ok(counts.metadataFiles <= 21, `${counts.metadataFiles} metadata files`);
    const seen = await seeTable(month.disk, '/lake', table);
    assert.deepEqual([...seen.files.keys()].sort(), month.livePaths(table));
    const most = maintenance.manifests_max + 13; // an hour's epochs between two merges
    assert.ok(seen.manifests <= most, `${seen.manifests} manifests in the snapshot`);
  }
  const gold = month.counts(GOLD);
  assert.equal(gold.rows, DAYS * EPOCHS_PER_DAY * 1000);
  // A file for each closed hour, and those of the last two hours.
  assert.ok(gold.live <= DAYS * 24 + 30, `${gold.live} data files`);
  assert.equal(month.counts(CANDLES).live, DAYS);
  // Planning a query of an hour: of the first, of one a day ago, of the last.
  const lastUs = START_US + DAYS * DAY_US - 1;
  for (const [which, timeUs, files, read] of [
    ['the first hour', START_US, 1, 2],
    ['an hour of a day ago', lastUs - DAY_US, 1, 2],
    ['the last hour', lastUs, 12, maintenance.manifests_max + 13],
  ] as const) {
    const plan = await month.planHour(timeUs);
    t.diagnostic(`planning ${which} of gold: ${JSON.stringify(plan)}`);
    assert.ok(plan.read <= read, `${plan.read} manifests read for ${which}`);
    assert.ok(plan.files > 0 && plan.files <= files, `${plan.files} files for ${which}`);
  }
  const { snapshots } = await seeTable(month.disk, '/lake', GOLD);
  const operations = new Set(snapshots.map(({ operation }) => operation));
  assert.deepEqual(operations, new Set(['append', 'replace']));
});
