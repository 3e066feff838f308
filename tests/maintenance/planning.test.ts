/** What is due, and what is past its time: the boundaries, and properties over any files. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TIMEFRAMES } from '#schemas/timeframe';
import { loadConfig } from '#src/config/load';
import { DAY_US, HOUR_US, hourPartition } from '#src/lake/partition';
import { JOBS } from '#src/maintenance/job-names';
import { OrphanSightings } from '#src/maintenance/orphan-sightings';
import { planCompaction } from '#src/maintenance/plan-compaction';
import {
  PARTITIONS_PER_RUN_MAX,
  planRetention,
  retentionByTable,
} from '#src/maintenance/plan-retention';
import { dueJob, scheduleOf } from '#src/maintenance/schedule';
import { UpkeepAbandoned, UpkeepQueue } from '#src/maintenance/upkeep-queue';
import type { DataFile } from '#src/state/file-catalog';
import type { JobRun } from '#src/state/job-run';
import { dataFile } from '#tests/iceberg/lake-model';

const { maintenance } = loadConfig({ env: {}, cwd: '/' });
const RULES = { settleUs: 900_000_000, rowsMax: 1000, bytesMax: 100_000, filesMax: 10 };
const GOLD = 'gold_crypto_trades';
const HOUR = Math.floor((Date.UTC(2026, 10, 23) * 1000) / HOUR_US);
const END_US = (HOUR + 1) * HOUR_US;

function file(name: string, rows: number, addedUs = 0, hour = HOUR): DataFile {
  return {
    ...dataFile(GOLD, hourPartition(hour), name, rows),
    bytes: 10 * rows,
    epoch: 1,
    addedUs,
  };
}

test('an hour is compacted once it is closed and quiet, and not before', () => {
  const due = (nowUs: number, addedUs: number): boolean =>
    planCompaction([file('a', 1, addedUs), file('b', 1)], nowUs, RULES).length > 0;
  assert.equal(due(END_US + RULES.settleUs - 1, 0), false);
  assert.equal(due(END_US + RULES.settleUs, 0), true);
  assert.equal(due(END_US + RULES.settleUs, END_US + 1), false); // a late file came
  assert.equal(due(END_US + RULES.settleUs + 1, END_US + 1), true);
  assert.deepEqual(planCompaction([file('a', 1)], END_US + HOUR_US, RULES), []);
  // Too many files are compacted in an open hour, too.
  const many = Array.from({ length: 11 }, (_, i) => file(`f${i}`, 1, END_US));
  assert.equal(planCompaction(many.slice(1), END_US - 1, RULES).length, 0);
  assert.equal(planCompaction(many, END_US - 1, RULES)[0]?.inputs.length, 11);
});

test('whatever the files: no output is too large, no file is taken twice, and it comes to an end', () => {
  const anyFile = fc.record({ rows: fc.integer({ min: 1, max: 1500 }), hour: fc.nat({ max: 2 }) });
  fc.assert(
    fc.property(fc.array(anyFile, { maxLength: 40 }), (all) => {
      let files = all.map(({ rows, hour }, i) => file(`f${i}`, rows, 0, HOUR + hour));
      const rowsBefore = files.reduce((sum, { rows }) => sum + rows, 0);
      const nowUs = END_US + DAY_US;
      for (let round = 0; ; round++) {
        const tasks = planCompaction(files, nowUs, RULES);
        if (tasks.length === 0) break;
        assert.ok(round < 10, 'it goes on for ever');
        const taken = tasks.flatMap(({ inputs }) => inputs.map(({ path }) => path));
        assert.equal(new Set(taken).size, taken.length);
        const made = tasks.map(({ inputs, partition }, k) => {
          const rows = inputs.reduce((sum, input) => sum + input.rows, 0);
          assert.ok(rows <= RULES.rowsMax && inputs.length > 1);
          assert.ok(inputs.every((input) => input.partition === partition));
          return { ...file(`r${round}-${k}`, rows), partition };
        });
        files = [...files.filter(({ path }) => !taken.includes(path)), ...made];
      }
      assert.equal(
        files.reduce((sum, { rows }) => sum + rows, 0),
        rowsBefore,
      );
      // What is left of an hour is at least half full, but for one file.
      for (const partition of new Set(files.map((f) => f.partition))) {
        const small = files.filter((f) => f.partition === partition && f.rows <= 500);
        assert.ok(small.length < 2, `${small.length} small files are left`);
      }
    }),
  );
});

test('a partition leaves when all of it is older than its table keeps, to the microsecond', () => {
  const days = maintenance.retention_days;
  const kept = Object.fromEntries(retentionByTable(days));
  assert.deepEqual(
    [kept.silver_kraken_trades, kept.bronze_binance_trades, kept.gold_ohlcv_1m, kept.gold_ohlcv_5m],
    [30, 7, 90, 180],
  );
  assert.deepEqual(
    [kept.gold_ohlcv_15m, kept.gold_ohlcv_30m, kept.gold_ohlcv_1h, kept.gold_ohlcv_1d],
    [365, 365, 365, 1095],
  );
  assert.equal(kept[GOLD], undefined);
  assert.equal(kept.silver_dlq_trades, undefined);
  const partitions: Record<string, [string, number]> = {
    silver_kraken_trades: [hourPartition(HOUR), END_US],
    bronze_binance_trades: ['receive_date=2026-11-23', Date.UTC(2026, 10, 24) * 1000],
    gold_ohlcv_1m: ['window_date=2026-11-23', Date.UTC(2026, 10, 24) * 1000],
    gold_ohlcv_1d: ['window_month=2026-11', Date.UTC(2026, 11, 1) * 1000],
    [GOLD]: [hourPartition(HOUR), END_US],
  };
  for (const [table, [partition, endUs]] of Object.entries(partitions)) {
    const one = { ...dataFile(table, partition, 'f', 1), epoch: 1, addedUs: 0 };
    const plan = (nowUs: number) =>
      planRetention((name) => (name === table ? [one] : []), [0, 0, 0, 0, 0, 0], nowUs, days);
    const goneUs = endUs + (kept[table] ?? 36_500) * DAY_US;
    assert.deepEqual(plan(goneUs - 1).expired, [], table);
    const { expired, candlesFromUs } = plan(goneUs);
    assert.equal(expired.length, table === GOLD ? 0 : 1, table);
    const timeframe = TIMEFRAMES.findIndex((name) => table === `gold_ohlcv_${name}`);
    const horizon = TIMEFRAMES.map((_, k) => (k === timeframe ? endUs : 0));
    assert.deepEqual(candlesFromUs, horizon, table);
  }
});

test('retention switched off keeps everything; catching up takes the oldest first', () => {
  const off = Object.fromEntries(Object.keys(maintenance.retention_days).map((key) => [key, 0]));
  assert.equal(retentionByTable(off as typeof maintenance.retention_days).size, 0);
  const all = Array.from({ length: 9 }, (_, day) => ({
    ...dataFile('gold_ohlcv_1m', `window_date=2020-01-0${9 - day}`, 'f', 1),
    epoch: 1,
    addedUs: 0,
  }));
  const { expired, candlesFromUs } = planRetention(
    (table) => (table === 'gold_ohlcv_1m' ? all : []),
    [0, 0, 0, 0, 0, 0],
    END_US,
    maintenance.retention_days,
  );
  assert.deepEqual(
    expired.map(({ partition }) => partition),
    Array.from({ length: PARTITIONS_PER_RUN_MAX }, (_, i) => `window_date=2020-01-0${i + 1}`),
  );
  assert.equal(candlesFromUs[0], Date.UTC(2020, 0, 5) * 1000);
});

test('every job gets its turn, the one that waits longest for its interval first', () => {
  const runs: JobRun[] = [];
  const started = new Map<string, number[]>();
  for (let nowUs = 0; nowUs < DAY_US; nowUs += 60_000_000) {
    const job = dueJob(scheduleOf(maintenance, runs, 0), nowUs);
    if (job === undefined) continue;
    started.set(job, [...(started.get(job) ?? []), nowUs]);
    runs.push({ job, startedUs: nowUs } as JobRun);
  }
  for (const { name } of JOBS) {
    const times = started.get(name) ?? [];
    const expected = 1440 / maintenance.every_minutes[name];
    assert.ok(times.length >= 0.8 * expected - 1, `${name} ran ${times.length} times`);
    assert.ok(times.length <= expected, `${name} ran ${times.length} times`);
  }
  const off = { ...maintenance.every_minutes, audit: 0 };
  const [, , , , , audit] = scheduleOf({ ...maintenance, every_minutes: off }, [], 0);
  assert.equal(audit?.dueUs, undefined);
});

test('an orphan is deleted only when two sweeps far enough apart have seen it', () => {
  const sightings = new OrphanSightings();
  assert.deepEqual(sightings.see(['a', 'b'], 0, 100), []);
  assert.deepEqual(sightings.see(['a', 'b'], 99, 100), []);
  assert.deepEqual(sightings.see(['b', 'c'], 100, 100), ['b']);
  assert.deepEqual(sightings.see(['a', 'c'], 150, 100), []); // `a` was away: it starts anew
  assert.deepEqual(sightings.see(['a', 'c'], 200, 100), ['c']);
  assert.deepEqual(new OrphanSightings().see(['x'], 5, 0), ['x']);
});

test('a change goes with exactly one epoch, or with none', async () => {
  const change = { added: [], retired: ['f'], expired: [] };
  const queue = new UpkeepQueue();
  assert.equal(
    queue.take(() => true),
    undefined,
  );
  const done = queue.offer(change);
  assert.equal(
    queue.take(() => true),
    change,
  );
  queue.committed();
  assert.throws(() => queue.take(() => true));
  queue.published();
  await done;
  assert.equal(
    queue.take(() => true),
    undefined,
  );

  const gone = queue.offer(change);
  assert.equal(
    queue.take(() => false),
    undefined,
  );
  await assert.rejects(gone, UpkeepAbandoned);

  const failed = queue.offer(change);
  queue.take(() => true); // and the commit fails
  queue.abandon('a failure');
  await assert.rejects(failed, UpkeepAbandoned);

  const durable = queue.offer(change);
  queue.take(() => true);
  queue.committed(); // and the publication fails: recovery does it
  queue.abandon('a failure');
  await durable;
});
