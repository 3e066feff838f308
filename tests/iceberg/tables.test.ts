/** Sequences of epochs, read back by somebody else's reader: exactly the files there should be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TABLES } from '#src/iceberg/table-definition';
import { PREVIOUS_VERSIONS_MAX } from '#src/iceberg/table-metadata';
import { type SeenTable, seeTable } from '#tests/iceberg/independent-reader';
import {
  CANDLES,
  type Change,
  dataFile,
  GOLD,
  LAKE,
  LakeModel,
  MONTHS,
} from '#tests/iceberg/lake-model';

const TESTED = [GOLD, CANDLES, MONTHS];

function pathsOf(seen: SeenTable): string[] {
  return [...seen.files.keys()].sort();
}

/** Every table shows what the model says; totals, metadata and deletions agree with it. */
async function assertInLine(model: LakeModel): Promise<void> {
  const unseen = await model.unseen();
  const kept = new Set([
    ...model.live.keys(),
    ...model.removed.map(({ path }) => path).filter((path) => !unseen.has(path)),
  ]);
  const reachable = new Set<string>();
  for (const table of TESTED) {
    const seen = await seeTable(model.disk, LAKE, table);
    const files = model.filesOf(table);
    assert.deepEqual(pathsOf(seen), files.map(({ path }) => path).sort(), table);
    const last = seen.snapshots.at(-1);
    if (last !== undefined) {
      const rows = files.reduce((sum, file) => sum + file.rows, 0);
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      assert.equal(last.summary['total-data-files'], String(files.length));
      assert.equal(last.summary['total-records'], String(rows));
      assert.equal(last.summary['total-files-size'], String(bytes));
    }
    for (const { id } of seen.snapshots) {
      for (const path of (await seeTable(model.disk, LAKE, table, id)).files.keys()) {
        reachable.add(path);
      }
    }
    assert.ok(seen.metadataFiles.length <= PREVIOUS_VERSIONS_MAX);
    for (const uri of seen.metadataFiles) {
      assert.ok(model.disk.stat(uri.replace('file://', '')), `${uri} is in the log and not there`);
    }
  }
  const missing = [...reachable].filter((path) => !kept.has(path));
  assert.deepEqual(missing, [], 'a snapshot shows a file that may be deleted');
  // No metadata file is left that nothing names.
  const before = filesUnder(model);
  await model.recover();
  assert.deepEqual(filesUnder(model), before);
}

function filesUnder(model: LakeModel): string[] {
  return TESTED.flatMap((table) =>
    model.disk.readdir(`${LAKE}/${table}/metadata`).map((name) => `${table}/${name}`),
  ).sort();
}

type Action = { table: string; partition: number; files: number; retire: boolean };

const actions = fc.array(
  fc.record({
    table: fc.constantFrom(...TESTED),
    partition: fc.nat(3),
    files: fc.integer({ min: 0, max: 3 }),
    retire: fc.boolean(),
  }),
  { minLength: 1, maxLength: 4 },
);

/** An epoch out of small numbers. */
function changeOf(model: LakeModel, epoch: readonly Action[]): Change {
  const added = new Map<string, ReturnType<typeof dataFile>>();
  const retired = new Set<string>();
  for (const [i, { table, partition, files, retire }] of epoch.entries()) {
    const day = `2026-11-2${partition}`;
    const name = `${model.epoch + 1}-${i}`;
    if (table === GOLD) {
      const folder = `exchange_date=${day}/exchange_hour=0${partition}`;
      for (let k = 0; k < files; k++) {
        const file = dataFile(GOLD, folder, `${name}-${k}`, 1 + k);
        added.set(file.path, file);
      }
      const oldest = model.filesOf(GOLD)[0];
      if (retire && oldest !== undefined) retired.add(oldest.path);
    } else {
      const folder =
        table === MONTHS ? `window_month=2026-1${partition % 2}` : `window_date=${day}`;
      added.set(`${table} ${folder}`, dataFile(table, folder, name, 1 + files));
    }
  }
  return { added: [...added.values()], retired: [...retired] };
}

test('any sequence of appends, overwrites and expiries shows exactly the live files', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(actions, { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 4 }),
      async (epochs, snapshotsMax) => {
        const model = new LakeModel({ snapshotsMin: 1, snapshotsMax, ageMsMax: 900_000 });
        await model.recover();
        for (const epoch of epochs) {
          model.commit(changeOf(model, epoch));
          await model.publish();
        }
        await assertInLine(model);
      },
    ),
    { numRuns: 30 },
  );
});

test('an epoch published twice is published once', async () => {
  const model = new LakeModel();
  await model.recover();
  model.commit({ added: [dataFile(GOLD, 'exchange_date=2026-11-23/exchange_hour=07', 'a', 5)] });
  await model.publish();
  const before = filesUnder(model);
  await model.publish();
  await model.recover();
  assert.deepEqual(filesUnder(model), before);
  const { snapshots, files } = await seeTable(model.disk, LAKE, GOLD);
  assert.deepEqual(
    snapshots.map(({ epoch, operation }) => [epoch, operation]),
    [[1, 'append']],
  );
  assert.deepEqual(
    [...files.values()].map(({ partition, rows }) => [partition, rows]),
    [[{ exchange_date: new Date('2026-11-23'), exchange_hour: 7 }, 5]],
  );
});

test('the operation says what kind of change it was', async () => {
  const model = new LakeModel();
  await model.recover();
  const hour = 'exchange_date=2026-11-23/exchange_hour=07';
  const [a, b, ab] = [
    dataFile(GOLD, hour, 'a', 5),
    dataFile(GOLD, hour, 'b', 6),
    dataFile(GOLD, hour, 'ab', 11),
  ];
  const candles = (name: string) => dataFile(CANDLES, 'window_date=2026-11-23', name, 1);
  model.commit({ added: [a, b, candles('c1')] });
  await model.publish();
  model.commit({ added: [ab, candles('c2')], retired: [a.path, b.path] });
  await model.publish();
  model.commit({ added: [], retired: [ab.path] });
  await model.publish();
  const operations = async (table: string): Promise<string[]> =>
    (await seeTable(model.disk, LAKE, table)).snapshots.map(({ operation }) => operation);
  assert.deepEqual(await operations(GOLD), ['append', 'replace', 'delete']);
  assert.deepEqual(await operations(CANDLES), ['append', 'overwrite']);
  await assertInLine(model);
});

test('a month of epochs leaves a bounded number of files, manifests and snapshots', async () => {
  const retention = { snapshotsMin: 4, snapshotsMax: 8, ageMsMax: 86_400_000 };
  const model = new LakeModel(retention);
  await model.recover();
  const epochs = 280;
  for (let i = 0; i < epochs; i++) {
    const day = `2026-11-${String(1 + Math.floor(i / 10)).padStart(2, '0')}`;
    const late =
      i > 60 && i % 30 === 0 ? [dataFile(CANDLES, 'window_date=2026-11-01', `l${i}`, 2)] : [];
    model.commit({
      added: [
        dataFile(GOLD, `exchange_date=${day}/exchange_hour=0${i % 10}`, `g${i}`, 1),
        dataFile(CANDLES, `window_date=${day}`, `c${i}`, 1),
        ...late,
      ],
    });
    await model.publish();
  }
  await assertInLine(model);
  const gold = await seeTable(model.disk, LAKE, GOLD);
  assert.equal(gold.files.size, epochs);
  assert.equal(gold.snapshots.length, retention.snapshotsMax);
  assert.ok(gold.manifests <= 101, `${gold.manifests} manifests`);
  const candles = await seeTable(model.disk, LAKE, CANDLES);
  assert.ok(candles.manifests <= 101, `${candles.manifests} manifests`);
  // Per table: the metadata log and its newest, a list and at most three manifests per snapshot,
  // the manifests the oldest of them carries, and the hint.
  const bound = PREVIOUS_VERSIONS_MAX + 1 + 4 * retention.snapshotsMax + 101 + 1;
  for (const table of TESTED) {
    const names = model.disk.readdir(`${LAKE}/${table}/metadata`);
    assert.ok(names.length <= bound, `${table}: ${names.length} metadata files`);
  }
});

test('tables that are gone, damaged, moved or of another state are made anew', async () => {
  const model = new LakeModel();
  await model.recover();
  for (let i = 0; i < 4; i++) {
    model.commit({
      added: [
        dataFile(GOLD, 'exchange_date=2026-11-23/exchange_hour=07', `g${i}`, 1),
        dataFile(CANDLES, 'window_date=2026-11-23', `c${i}`, 1),
      ],
    });
    await model.publish();
  }
  const folder = `${LAKE}/${GOLD}/metadata`;
  const remove = (pattern: RegExp) => (): void => {
    for (const name of model.disk.readdir(folder)) {
      if (pattern.test(name)) model.disk.unlink(`${folder}/${name}`);
    }
  };
  const cut = (pattern: RegExp, bytes: number) => (): void => {
    for (const name of model.disk.readdir(folder)) {
      if (!pattern.test(name)) continue;
      const whole = model.disk.contents(`${folder}/${name}`);
      model.disk.place(`${folder}/${name}`, whole.subarray(0, Math.min(bytes, whole.length - 1)));
    }
  };
  const damages: [string, () => void][] = [
    ['all of it', remove(/./)],
    ['the hint', remove(/hint/)],
    [
      'the hint is nonsense',
      () => model.disk.place(`${folder}/version-hint.text`, Buffer.from('x')),
    ],
    ['the hint is ahead', () => model.disk.place(`${folder}/version-hint.text`, Buffer.from('99'))],
    ['the manifests', remove(/^manifest/)],
    ['the manifest lists', remove(/^snap/)],
    ['manifests end early', cut(/^manifest/, 1e9)],
    ['manifest lists end early', cut(/^snap/, 900)],
    ['metadata ends early', cut(/^v\d/, 300)],
  ];
  for (const [what, damage] of damages) {
    damage();
    await model.recover();
    const seen = await seeTable(model.disk, LAKE, GOLD);
    assert.deepEqual(
      pathsOf(seen),
      model.filesOf(GOLD).map(({ path }) => path),
      what,
    );
    await assertInLine(model);
  }
  // A state that is behind its tables is not their state.
  model.epoch = 1;
  await model.recover();
  const { snapshots } = await seeTable(model.disk, LAKE, GOLD);
  assert.deepEqual(
    snapshots.map(({ epoch }) => epoch),
    [1],
  );
  await assertInLine(model);
});

test('a new lake has every table, empty and readable', async () => {
  const model = new LakeModel();
  await model.recover();
  for (const table of TABLES.keys()) {
    const seen = await seeTable(model.disk, LAKE, table);
    assert.equal(seen.files.size, 0, table);
    assert.deepEqual(seen.snapshots, []);
  }
});
