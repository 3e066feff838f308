/**
 * A compaction cut short after every step it has: written, committed, at each step of publishing, in
 * the middle of deleting. The next start leaves tables with every row once and no file too many, and
 * the audit agrees. Then the other jobs, over the same directory.
 */
import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { GOLD_TRADES } from '#schemas/trade';
import { type Clock, systemClock } from '#src/base/clock';
import { nodeDisk } from '#src/base/node-disk';
import { COMMIT_STEPS } from '#src/iceberg/commit-steps';
import { DAY_US } from '#src/lake/partition';
import { KIND_WS } from '#src/log/frame';
import { LogHead } from '#src/log/log-head';
import { LogWriter } from '#src/log/log-writer';
import { listSegments } from '#src/log/segment-files';
import { audit } from '#src/maintenance/audit';
import type { JobName } from '#src/maintenance/job-names';
import { JOB_WORK, type JobPlace, type JobReport } from '#src/maintenance/jobs';
import { OrphanSightings } from '#src/maintenance/orphan-sightings';
import type { UpkeepChange } from '#src/maintenance/upkeep-queue';
import type { Steps } from '#src/maintenance/upkeep-steps';
import { runWorkerJob } from '#src/maintenance/worker-job';
import { findOrphans } from '#src/state/recovery';
import { type DataDirectory, openDataDirectory } from '#src/supervision/data-directory';
import { commitUpkeep } from '#src/supervision/epoch-commit';
import { maintenanceOf } from '#src/supervision/maintenance-of';
import { threadWorkers } from '#src/supervision/workers';
import { seeTable } from '#tests/iceberg/independent-reader';
import { query } from '#tests/lake/duckdb';
import { configOf, INSTRUMENTS, temporaryDirectory, withPipeline } from '#tests/pipeline/pipeline';

class Crash extends Error {}

const ROUNDS = 4;
const TRADES_PER_ROUND = 250;
/** Several sealed segments in every round. */
const SEGMENT_BYTES_MAX = 16_384;
const SHAPE = { validationShards: 1, goldShards: 1 } as const;
const HOUR_US = 3_600_000_000;
/** The start of the hour before the last one. */
const hourUs = Math.floor(systemClock().nowUs() / HOUR_US) * HOUR_US - 2 * HOUR_US;

const folder = temporaryDirectory();
test.after(() => folder.remove());
const dir = join(folder.path, 'data');
const template = join(folder.path, 'template');

/** Trades of one hour, in four epochs; in each some that were there before, and one that is none. */
async function makeTemplate(): Promise<void> {
  const frame = (text: string, receiveTimeUs: number) => ({
    bytes: Buffer.from(text),
    receiveTimeUs,
  });
  let receiveUs = hourUs;
  for (let round = 0; round < ROUNDS; round++) {
    const frames: ReturnType<typeof frame>[] = [];
    const first = Math.max(0, round * TRADES_PER_ROUND - 10);
    for (let id = first; id < (round + 1) * TRADES_PER_ROUND; id++) {
      const timeUs = hourUs + id * 3_000_000;
      receiveUs = Math.max(receiveUs + 1, timeUs + 1000);
      const data = `"e":"trade","E":${timeUs},"s":"BTCUSDT","t":${id + 1},"p":"9.5","q":"0.${id + 1}","T":${timeUs},"m":${id % 2 === 0},"M":true`;
      frames.push(frame(`{"stream":"btcusdt@trade","data":{${data}}}`, receiveUs));
    }
    frames.push(frame('not json', receiveUs));
    const writer = LogWriter.open({
      disk: nodeDisk(),
      dir: join(template, 'bronze', 'binance'),
      exchange: 'BINANCE',
      head: new LogHead(new SharedArrayBuffer(LogHead.byteSize), 0),
      segmentBytesMax: SEGMENT_BYTES_MAX,
    });
    for (const { bytes, receiveTimeUs } of frames) {
      writer.append(bytes, KIND_WS, 1, receiveTimeUs);
      writer.flush();
    }
    await writer.close();
    await withPipeline(
      template,
      SHAPE,
      ({ run }) => run.finish(() => {}).then(() => {}),
      async () => {},
    );
  }
}

const prepared = makeTemplate();

/** A fresh copy of the template, where it has always been. */
async function copyTemplate(): Promise<void> {
  await prepared;
  rmSync(dir, { recursive: true, force: true });
  cpSync(template, dir, { recursive: true });
  await withDirectory({}, async () => {}); // the tables are where they were not: made again
}

interface Faults {
  readonly step?: Steps;
  readonly clock?: Clock;
  readonly commit?: (data: DataDirectory, change: UpkeepChange) => Promise<void>;
}

type RunJob = (name: JobName) => Promise<JobReport>;

async function withDirectory<T>(
  faults: Faults,
  work: (data: DataDirectory, run: RunJob) => Promise<T>,
): Promise<T> {
  const base = configOf(dir, SHAPE);
  const { maintenance } = base;
  // Only the current snapshot stays, so that replaced files are deleted at once.
  const snapshots = { keep_min: 1, keep_max: 1, age_hours: 0 };
  const config = { ...base, maintenance: { ...maintenance, snapshots } };
  const clock = faults.clock ?? systemClock();
  const data = await openDataDirectory({
    config,
    instruments: INSTRUMENTS,
    clock,
    purpose: 'a test',
    binanceStream: 'trade',
    ...(faults.step && { step: faults.step }),
  });
  const { store, disk, tables, turns, paths } = data;
  let names = 0;
  const place: JobPlace = {
    config: config.maintenance,
    store,
    disk,
    tables,
    turns,
    clock,
    bronzeDir: paths.bronze,
    step: data.step,
    isAlone: true,
    isInFlight: () => false,
    sightings: new OrphanSightings(),
    nextName: () => `m${clock.nowUs()}-${names++}`,
    work: (job) =>
      runWorkerJob(
        {
          disk,
          warehouse: data.warehouse,
          catalog: config.catalog,
          stateDir: paths.state,
        },
        job,
      ) as never,
    commit: (change) =>
      faults.commit ? faults.commit(data, change) : commitUpkeep(data, clock, change),
  };
  try {
    return await work(data, (name) => JOB_WORK[name](place, undefined));
  } finally {
    await data.close();
  }
}

async function goldRows(data: DataDirectory): Promise<string> {
  const paths = [...data.store.files(GOLD_TRADES)].map(
    ({ path }) => `'${join(data.paths.lake, path)}'`,
  );
  const [row] = await query(
    `SELECT count(*)::INT AS n, count(DISTINCT message_id)::INT AS d, sum(quantity)::VARCHAR AS q,
       bit_xor(hash(message_id, price, quantity, timestamp, platform_sequence))::VARCHAR AS x
     FROM read_parquet([${paths}], hive_partitioning=false)`,
  );
  return JSON.stringify(row);
}

/** The tables show the catalog, the audit agrees, nothing lies about that nothing names. */
async function assertWhole(data: DataDirectory, rows: string): Promise<void> {
  const { store, disk, tables, paths } = data;
  const { warehouse } = tables;
  assert.equal(await goldRows(data), rows);
  for (const table of [GOLD_TRADES, 'silver_binance_trades', 'silver_dlq_trades']) {
    const seen = await seeTable(disk, paths.lake, table);
    const live = [...store.files(table)].map(({ path }) => path);
    assert.deepEqual([...seen.files.keys()].sort(), live.sort());
  }
  assert.deepEqual(await findOrphans({ warehouse, store }), []);
  assert.deepEqual((await audit({ store, tables }, { path: '', day: '' }, 1000)).problems, []);
  store.verify();
}

const goldFiles = ({ store }: DataDirectory): number => [...store.files(GOLD_TRADES)].length;

const CUTS: readonly (readonly [string, () => Faults])[] = [
  [
    'after the files are written',
    () => ({
      commit: async () => {
        throw new Crash();
      },
    }),
  ],
  [
    'after the epoch is committed',
    () => ({
      commit: (data, change) =>
        commitUpkeep(
          { ...data, turns: { take: () => Promise.reject(new Crash()) } as never },
          systemClock(),
          change,
        ),
    }),
  ],
  ...COMMIT_STEPS.map((cut): readonly [string, () => Faults] => [
    `at ${cut} of gold`,
    () => ({
      step: (step, table) => {
        if (armed && step === cut && table === GOLD_TRADES) throw new Crash();
      },
    }),
  ]),
  [
    'in the middle of deleting replaced files',
    () => ({
      commit: async (data, change) => {
        const { unlink } = data.disk;
        let left = 3;
        data.disk.unlink = (path) => {
          if (path.endsWith('.parquet') && left-- === 0) throw new Crash();
          unlink.call(data.disk, path);
        };
        await commitUpkeep(data, systemClock(), change);
      },
    }),
  ],
];

/** Steps crash only while a job runs, not while the directory is opened. */
let armed = false;

for (const [where, faults] of CUTS) {
  test(`a compaction cut short ${where}`, async () => {
    await copyTemplate();
    const rows = await withDirectory(faults(), async (data, run) => {
      const before = await goldRows(data);
      assert.equal(goldFiles(data), ROUNDS);
      armed = true;
      await assert.rejects(run('compaction'), Crash);
      armed = false;
      return before;
    });
    assert.match(
      rows,
      new RegExp(`"n":${ROUNDS * TRADES_PER_ROUND},"d":${ROUNDS * TRADES_PER_ROUND}`),
    );
    await withDirectory({}, async (data, run) => {
      await assertWhole(data, rows);
      // Either nothing of it happened, or all.
      const isUndone = where === 'after the files are written';
      assert.equal(goldFiles(data), isUndone ? ROUNDS : 1);
      await run('compaction');
      assert.equal(goldFiles(data), 1);
      await assertWhole(data, rows);
      const { snapshots } = await seeTable(data.disk, data.paths.lake, GOLD_TRADES);
      assert.equal(snapshots.at(-1)?.operation, 'replace');
    });
  });
}

test('retention, with the log, the candles and the audit after it; a damaged file is found', async () => {
  await copyTemplate();
  const clock = (days: number): Clock => {
    const machine = systemClock();
    return { ...machine, nowUs: () => machine.nowUs() + days * DAY_US };
  };
  await withDirectory({ clock: clock(95) }, async (data, run) => {
    const rows = await goldRows(data);
    const tabled = data.store.epoch().bronze[0]?.nextSequence ?? 0;
    assert.ok(tabled > TRADES_PER_ROUND, `${tabled} frames are in the bronze table`);
    const segments = (): number =>
      listSegments(data.disk, join(data.paths.bronze, 'binance')).length;
    const before = segments();
    const files = (table: string): number => [...data.store.files(table)].length;
    const report = await run('retention');
    assert.equal(report.outcome, 'done');
    assert.deepEqual(
      ['silver_binance_trades', 'bronze_binance_trades', 'gold_ohlcv_1m'].map(files),
      [0, 0, 0],
    );
    assert.ok(files('gold_ohlcv_5m') > 0 && files('silver_dlq_trades') > 0);
    assert.deepEqual([...data.store.candles(0, 0, 0, Number.MAX_SAFE_INTEGER)], []);
    // Segments that the table has are gone; the newest stays whatever its age.
    assert.ok(segments() < before && segments() >= 1, `${before} segments, now ${segments()}`);
    await assertWhole(data, rows);
    assert.equal((await run('retention')).outcome, 'idle');
  });
  await withDirectory({}, async (data, run) => {
    const [file] = [...data.store.files(GOLD_TRADES)];
    const path = join(data.paths.lake, (file as { path: string }).path);
    const fd = data.disk.open(path, 'update');
    data.disk.write(fd, Buffer.from([1]), 0, 1, 100);
    data.disk.close(fd);
    const report = await run('audit');
    assert.equal(report.outcome, 'failed');
    assert.match(report.detail, /^gold_crypto_trades.*is damaged: its SHA-256/);
  });
});

test('on its own thread: a run is remembered, and one that is suspended leaves nothing', async () => {
  await copyTemplate();
  await withDirectory({}, async (data) => {
    const rows = await goldRows(data);
    const clock = systemClock();
    const request = {
      config: configOf(dir, SHAPE),
      data,
      clock,
      jobThread: threadWorkers(new URL('.', import.meta.resolve('#actors/maintenance-worker')))
        .maintenance,
      isAlone: true,
      isInFlight: () => false,
      log: () => {},
    };
    const never = maintenanceOf({ ...request, commit: () => Promise.reject(new Crash('no')) });
    const cut = never.run('compaction');
    await never.suspend();
    assert.equal((await cut).outcome, 'abandoned');
    await data.recover();
    await assertWhole(data, rows);
    const maintenance = maintenanceOf({
      ...request,
      commit: (change) => commitUpkeep(data, clock, change),
    });
    const run = await maintenance.run('compaction');
    assert.equal(run.outcome, 'done');
    assert.equal(run.rowsIn, run.rowsOut);
    assert.equal((await maintenance.run('audit')).outcome, 'done');
    await maintenance.suspend();
    assert.deepEqual(
      data.store.jobRuns().map(({ job, outcome }) => `${job} ${outcome}`),
      ['audit done', 'compaction abandoned', 'compaction done'],
    );
    await assertWhole(data, rows);
  });
});
