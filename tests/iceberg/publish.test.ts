/**
 * The whole way on a real disk: epochs in the state store, tables published from them, files deleted
 * when the last snapshot that shows them is gone, and starts after an end at the wrong moment.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '#src/base/clock';
import { nodeDisk } from '#src/base/node-disk';
import { loadConfig } from '#src/config/load';
import { COMMIT_STEPS, type StepHook } from '#src/iceberg/commit-steps';
import type { StagedFile } from '#src/lake/staged-file';
import {
  type DataDirectory,
  openDataDirectory,
  publishEpoch,
} from '#src/supervision/data-directory';
import { seeTable } from '#tests/iceberg/independent-reader';
import { CANDLES, dataFile, GOLD } from '#tests/iceberg/lake-model';

const HOUR = 'exchange_date=2026-11-23/exchange_hour=07';
const DAY = 'window_date=2026-11-23';

function temporary(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'bullion-iceberg-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function open(dir: string, step?: StepHook): Promise<DataDirectory> {
  return openDataDirectory({
    config: { ...loadConfig({ env: {}, cwd: dir }), data_dir: join(dir, 'data') },
    instruments: [],
    clock: systemClock(),
    binanceStream: undefined,
    purpose: 'a test',
    ...(step && { step }),
  });
}

/** Writes the files and commits the epoch; the tables do not know of it yet. */
async function commit(data: DataDirectory, files: readonly StagedFile[]): Promise<number> {
  for (const { path, bytes } of files) {
    const full = join(data.paths.lake, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, Buffer.alloc(bytes));
  }
  const epoch = data.store.epoch().epoch + 1;
  await data.store.commitEpoch({
    epoch,
    committedUs: systemClock().nowUs(),
    progress: [],
    gold: [],
    bronze: [],
    instruments: [],
    candles: new Uint8Array(0),
    files,
  });
  return epoch;
}

function epochFiles(n: number): StagedFile[] {
  return [dataFile(GOLD, HOUR, `g${n}`, n), dataFile(CANDLES, DAY, `c${n}`, n)];
}

async function shownBy(data: DataDirectory, table: string): Promise<string[]> {
  const seen = await seeTable(nodeDisk(), data.tables.lakeDir, table);
  return [...seen.files.keys()]
    .map((path) => path.replace(/.*\//, '').replace('.parquet', ''))
    .sort();
}

test('replaced files stay as long as a snapshot shows them, and then go', async (t) => {
  const opened = await open(temporary(t));
  const retention = { snapshotsMin: 1, snapshotsMax: 2, ageMsMax: 86_400_000 };
  const data = { ...opened, tables: { ...opened.tables, retention } };
  const isThere = (n: number): boolean =>
    existsSync(join(data.paths.lake, CANDLES, 'data', DAY, `c${n}.parquet`));
  for (let n = 1; n <= 4; n++) {
    const files = epochFiles(n);
    await publishEpoch(data, await commit(data, files), files);
    // Two snapshots are kept: the current one and the one before.
    assert.deepEqual(
      [1, 2, 3, 4].filter(isThere),
      [n - 1, n].filter((k) => k > 0),
    );
    assert.deepEqual(await shownBy(data, CANDLES), [`c${n}`]);
    assert.equal(data.store.epoch().publishedEpoch, n);
  }
  assert.deepEqual(await shownBy(data, GOLD), ['g1', 'g2', 'g3', 'g4']);
  assert.equal(data.store.removedFiles().length, 1);
  await data.close();
});

test('ended between the commit and any step of publishing: the next start publishes', async (t) => {
  const dir = temporary(t);
  const first = await open(dir);
  const before = epochFiles(1);
  await publishEpoch(first, await commit(first, before), before);
  await first.close();
  for (const [i, at] of ['nothing', ...COMMIT_STEPS].entries()) {
    const ended = await open(dir, (step) => {
      if (step === at) throw new Error('ended here');
    });
    const files = epochFiles(i + 2);
    const epoch = await commit(ended, files);
    if (at !== 'nothing') await assert.rejects(publishEpoch(ended, epoch, files), /ended here/);
    assert.equal(ended.store.epoch().publishedEpoch, epoch - 1);
    await ended.close();
    const next = await open(dir);
    assert.equal(next.store.epoch().publishedEpoch, epoch);
    assert.deepEqual(await shownBy(next, CANDLES), [`c${i + 2}`], at);
    assert.equal((await shownBy(next, GOLD)).length, i + 2, at);
    for (const uri of (await seeTable(nodeDisk(), next.tables.lakeDir, GOLD)).files.keys()) {
      assert.ok(existsSync(join(next.tables.lakeDir, uri)));
    }
    await next.close();
  }
});

test('a directory that was copied elsewhere gets tables that name its own files', async (t) => {
  const [from, to] = [temporary(t), temporary(t)];
  const first = await open(from);
  const files = epochFiles(1);
  await publishEpoch(first, await commit(first, files), files);
  await first.close();
  cpSync(join(from, 'data'), join(to, 'data'), { recursive: true });
  rmSync(join(from, 'data'), { recursive: true });
  const moved = await open(to);
  assert.deepEqual(await shownBy(moved, GOLD), ['g1']);
  const { files: seen, snapshots } = await seeTable(nodeDisk(), moved.tables.lakeDir, GOLD);
  assert.equal(snapshots.length, 1);
  for (const path of seen.keys()) assert.ok(existsSync(join(moved.tables.lakeDir, path)), path);
  await moved.close();
});
