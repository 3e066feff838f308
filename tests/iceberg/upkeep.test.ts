/**
 * Maintenance and new rows in one epoch: two snapshots, and a crash anywhere between them leaves
 * tables that open and a start that finishes. Expiry and the merging of manifests by themselves.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMIT_STEPS } from '#src/iceberg/commit-steps';
import { expireTables, mergeTableManifests, publishChange } from '#src/iceberg/publication';
import type { StagedFile } from '#src/lake/staged-file';
import { seeTable } from '#tests/iceberg/independent-reader';
import { Crash, dataFile, GOLD, HOUR, LAKE, LakeModel } from '#tests/iceberg/lake-model';

const LATER = 'exchange_date=2026-11-23/exchange_hour=08';

/** Four epochs of one file each, and a fifth that compacts them and adds a file of its own. */
async function beforePublish(): Promise<{ model: LakeModel; publish: () => Promise<void> }> {
  const model = new LakeModel();
  await model.recover();
  for (let i = 0; i < 4; i++) {
    model.commit({ added: [dataFile(GOLD, HOUR, `g${i}`, 1 + i)] });
    await model.publish();
  }
  const gone = model.filesOf(GOLD);
  const compacted = dataFile(GOLD, HOUR, 'c', 10);
  const rows: StagedFile[] = [dataFile(GOLD, LATER, 'g4', 7)];
  model.commit({ added: [compacted, ...rows], retired: gone.map(({ path }) => path) });
  const upkeep = { added: [compacted], removed: gone };
  const publish = (): Promise<void> =>
    publishChange(model.lake, { ...model.stamp, added: rows, removed: [], upkeep });
  return { model, publish };
}

const rowsSeen = async (model: LakeModel): Promise<number> => {
  const { files } = await seeTable(model.disk, LAKE, GOLD);
  return [...files.values()].reduce((sum, { rows }) => sum + rows, 0);
};

test('a replace before the append, and done again it changes nothing', async () => {
  const { model, publish } = await beforePublish();
  await publish();
  const seen = await seeTable(model.disk, LAKE, GOLD);
  assert.deepEqual(
    seen.snapshots.slice(-2).map(({ operation, epoch }) => [operation, epoch]),
    [
      ['replace', 4],
      ['append', 5],
    ],
  );
  assert.deepEqual(
    [...seen.files.keys()].sort(),
    model
      .filesOf(GOLD)
      .map(({ path }) => path)
      .sort(),
  );
  await publish();
  assert.deepEqual(await seeTable(model.disk, LAKE, GOLD), seen);
});

for (const step of COMMIT_STEPS) {
  for (const which of [1, 2]) {
    test(`killed at ${step} of snapshot ${which}: readable, and the next start finishes it`, async () => {
      const { model, publish } = await beforePublish();
      let passed = 0;
      model.step = (name) => {
        if (name === step && ++passed === which) throw new Crash();
      };
      await assert.rejects(publish(), Crash);
      model.step = () => {};
      assert.ok([10, 17].includes(await rowsSeen(model)), 'all rows before, or all after');
      await model.recover();
      const { files } = await seeTable(model.disk, LAKE, GOLD);
      const live = model.filesOf(GOLD).map(({ path }) => path);
      assert.deepEqual([...files.keys()].sort(), live.sort());
      assert.equal(await rowsSeen(model), 17);
    });
  }
}

test('manifests are merged without a change of rows, and old snapshots leave a quiet table', async () => {
  const model = new LakeModel({ snapshotsMin: 1, snapshotsMax: 100, ageMsMax: 1000 * 86_400 });
  await model.recover();
  for (let i = 0; i < 30; i++) {
    model.commit({ added: [dataFile(GOLD, HOUR, `g${i}`, 1)] });
    await model.publish();
  }
  const before = await seeTable(model.disk, LAKE, GOLD);
  assert.equal(before.manifests, 30);
  const nowMs = Math.floor(model.stamp.committedUs / 1000) + 1;
  assert.deepEqual(await mergeTableManifests(model.lake, nowMs, 30), { before: 0, after: 0 });
  assert.deepEqual(await mergeTableManifests(model.lake, nowMs, 29), { before: 30, after: 1 });
  const after = await seeTable(model.disk, LAKE, GOLD);
  assert.equal(after.manifests, 1);
  assert.deepEqual([...after.files.keys()].sort(), [...before.files.keys()].sort());
  assert.equal(after.snapshots.at(-1)?.operation, 'replace');
  assert.equal(after.snapshots.at(-1)?.epoch, 30);

  assert.equal(await expireTables(model.lake, nowMs), 0);
  assert.equal(await expireTables(model.lake, nowMs + 1000 * 86_400 + 1), 30);
  const kept = await seeTable(model.disk, LAKE, GOLD);
  assert.deepEqual([...kept.files.keys()].sort(), [...before.files.keys()].sort());
  assert.equal(kept.snapshots.length, 1);
  const names = model.disk.readdir(`${LAKE}/${GOLD}/metadata`);
  assert.equal(names.filter((name) => name.endsWith('.avro')).length, 2); // one list, one manifest
  model.commit({ added: [dataFile(GOLD, HOUR, 'next', 1)] });
  await model.publish();
  assert.equal(await rowsSeen(model), 31);
});
