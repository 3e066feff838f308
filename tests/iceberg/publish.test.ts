/**
 * The whole way on a real disk: epochs in the state store, tables published from them, files deleted
 * when the last snapshot that shows them is gone, and starts after an end at the wrong moment.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nodeDisk } from '#src/base/node-disk';
import { COMMIT_STEPS } from '#src/iceberg/commit-steps';
import { icebergTables } from '#src/iceberg/publication';
import { type DataDirectory, publishEpoch } from '#src/supervision/data-directory';
import { type SeenTable, seeTable } from '#tests/iceberg/independent-reader';
import { CANDLES, GOLD } from '#tests/iceberg/lake-model';
import { commitEpoch, DAY, epochFiles, openDirectory } from '#tests/iceberg/real-lake';
import { temporaryDirectory } from '#tests/support/temporary-directory';

async function shownBy(data: DataDirectory, table: string): Promise<string[]> {
  const seen = await seeTable(nodeDisk(), data.paths.lake, table);
  return [...seen.files.keys()]
    .map((path) => path.replace(/.*\//, '').replace('.parquet', ''))
    .sort();
}

test('replaced files stay as long as a snapshot shows them, and then go', async (t) => {
  const opened = await openDirectory(temporaryDirectory(t, 'iceberg'));
  const retention = { snapshotsMin: 1, snapshotsMax: 2, ageMsMax: 86_400_000 };
  const tables = { ...opened.tables, retention };
  const data = { ...opened, tables, publication: icebergTables(tables) };
  const isThere = (n: number): boolean =>
    existsSync(join(data.paths.lake, CANDLES, 'data', DAY, `c${n}.parquet`));
  for (let n = 1; n <= 4; n++) {
    const files = epochFiles(n);
    await publishEpoch(data, await commitEpoch(data, files), files);
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

test('kill -9 at every step of publishing: the tables open, the next start finishes', async (t) => {
  const dir = temporaryDirectory(t, 'iceberg');
  const first = await openDirectory(dir);
  const before = epochFiles(1);
  await publishEpoch(first, await commitEpoch(first, before), before);
  await first.close();
  const victim = fileURLToPath(new URL('kill-victim.js', import.meta.url));
  // Every step, in turn of a table that adds up and one whose file is replaced.
  const kills = COMMIT_STEPS.map((step, i) => ({ step, table: i % 2 === 0 ? GOLD : CANDLES }));
  for (const [i, { step, table }] of kills.entries()) {
    const at = `${step} of ${table}`;
    const epoch = i + 2;
    const { signal, stderr } = spawnSync(process.execPath, [victim, dir, `${epoch}`, step, table]);
    assert.equal(signal, 'SIGKILL', `${at}: ${stderr}`);
    // Whoever reads meanwhile sees this epoch or the one before, whole.
    const lake = join(dir, 'data/lake');
    const gold = (await seeTable(nodeDisk(), lake, GOLD)).files.size;
    assert.ok(gold === epoch - 1 || gold === epoch, at);
    const candles = [...(await seeTable(nodeDisk(), lake, CANDLES)).files.keys()];
    assert.equal(candles.length, 1);
    assert.match(candles[0] as string, new RegExp(`/c(${epoch - 1}|${epoch})\\.parquet$`), at);

    const next = await openDirectory(dir);
    assert.equal(next.store.epoch().publishedEpoch, epoch, at);
    assert.deepEqual(await shownBy(next, CANDLES), [`c${epoch}`], at);
    const seen = await seeTable(nodeDisk(), lake, GOLD);
    assert.deepEqual(
      new Set(seen.files.keys()),
      new Set(Array.from(next.store.files(GOLD), (f) => f.path)),
    );
    assert.deepEqual(
      seen.snapshots.map((snapshot) => snapshot.epoch),
      Array.from({ length: epoch }, (_, k) => k + 1),
      'one snapshot an epoch',
    );
    for (const path of seen.files.keys()) assert.ok(existsSync(join(lake, path)));
    await next.close();
  }
});

test('a directory that was moved, twice, keeps the history of its tables', async (t) => {
  const [from, to, back] = [
    temporaryDirectory(t, 'iceberg'),
    temporaryDirectory(t, 'iceberg'),
    temporaryDirectory(t, 'iceberg'),
  ];
  const first = await openDirectory(from);
  for (const n of [1, 2, 3]) {
    const files = epochFiles(n);
    await publishEpoch(first, await commitEpoch(first, files), files);
  }
  const before = await seeTable(nodeDisk(), first.paths.lake, CANDLES);
  await first.close();
  const move = async (source: string, target: string): Promise<DataDirectory> => {
    cpSync(join(source, 'data'), join(target, 'data'), { recursive: true });
    rmSync(join(source, 'data'), { recursive: true });
    return openDirectory(target);
  };
  const assertWhole = async (data: DataDirectory): Promise<void> => {
    const { lake } = data.paths;
    const now = await seeTable(nodeDisk(), lake, CANDLES);
    // The lists are written anew, so their digests are others.
    const told = ({ snapshots }: SeenTable) =>
      snapshots.map(({ summary: { 'bullion.manifest-list-sha256': _, ...summary }, ...rest }) => ({
        ...rest,
        summary,
      }));
    assert.deepEqual(told(now), told(before));
    for (const [i, { id, epoch }] of now.snapshots.entries()) {
      const { files } = await seeTable(nodeDisk(), lake, CANDLES, id);
      assert.deepEqual(
        Array.from(files.keys(), (path) => path.replace(/.*\//, '')),
        [`c${i + 1}.parquet`],
        `epoch ${epoch}`,
      );
      for (const path of files.keys()) assert.ok(existsSync(join(lake, path)), path);
    }
    assert.deepEqual(await shownBy(data, GOLD), ['g1', 'g2', 'g3']);
    const lists = readdirSync(join(lake, CANDLES, 'metadata')).filter((name) => /^snap/.test(name));
    assert.equal(lists.length, 3, `${lists}`);
  };
  const moved = await move(from, to);
  await assertWhole(moved);
  await moved.close();
  const again = await move(to, back);
  await assertWhole(again);
  const files = epochFiles(4);
  await publishEpoch(again, await commitEpoch(again, files), files);
  assert.deepEqual(await shownBy(again, GOLD), ['g1', 'g2', 'g3', 'g4']);
  await again.close();
});

test('a directory that was moved without a part of its history still has its rows', async (t) => {
  const [from, to] = [temporaryDirectory(t, 'iceberg'), temporaryDirectory(t, 'iceberg')];
  const first = await openDirectory(from);
  const files = epochFiles(1);
  await publishEpoch(first, await commitEpoch(first, files), files);
  const folder = join(first.paths.lake, GOLD, 'metadata');
  const manifest = readdirSync(folder).find((name) => name.startsWith('manifest-')) as string;
  rmSync(join(folder, manifest));
  await first.close();
  cpSync(join(from, 'data'), join(to, 'data'), { recursive: true });
  rmSync(join(from, 'data'), { recursive: true });
  const moved = await openDirectory(to);
  assert.deepEqual(await shownBy(moved, GOLD), ['g1']);
  const { files: seen, snapshots } = await seeTable(nodeDisk(), moved.paths.lake, GOLD);
  assert.equal(snapshots.length, 1);
  for (const path of seen.keys()) assert.ok(existsSync(join(moved.paths.lake, path)), path);
  await moved.close();
});
