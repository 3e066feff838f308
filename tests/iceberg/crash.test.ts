/**
 * A commit cut short anywhere: at every named step, at every single operation on the disk, and by a
 * power loss that keeps, drops or tears what was not synced. The next start finishes or undoes it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { COMMIT_STEPS } from '#src/iceberg/commit-steps';
import { seeTable } from '#tests/iceberg/independent-reader';
import {
  CANDLES,
  Crash,
  DAY,
  dataFile,
  FEW_SNAPSHOTS,
  GOLD,
  HOUR,
  LAKE,
  LakeModel,
} from '#tests/iceberg/lake-model';

/** A lake with some history, and one more epoch that is committed and not published. */
async function beforePublish(): Promise<LakeModel> {
  const model = new LakeModel(FEW_SNAPSHOTS);
  await model.makeHistory();
  return model;
}

async function paths(model: LakeModel, table: string): Promise<string[]> {
  return [...(await seeTable(model.disk, LAKE, table)).files.keys()].sort();
}

function livePaths(model: LakeModel, table: string): string[] {
  return model
    .filesOf(table)
    .map(({ path }) => path)
    .sort();
}

/** Both tables open and show either the epoch before or this one, whole. */
async function assertReadable(
  model: LakeModel,
  before: ReadonlyMap<string, string[]>,
): Promise<void> {
  for (const table of [GOLD, CANDLES]) {
    const seen = JSON.stringify(await paths(model, table));
    const either = [before.get(table), livePaths(model, table)].map((all) => JSON.stringify(all));
    assert.ok(either.includes(seen), `${table} shows ${seen}`);
  }
}

/** After the next start: this epoch, every file once, one snapshot for it, nothing left over. */
async function assertRecovered(model: LakeModel, expected: LakeModel): Promise<void> {
  await model.recover();
  for (const table of [GOLD, CANDLES]) {
    const seen = await seeTable(model.disk, LAKE, table);
    assert.deepEqual([...seen.files.keys()].sort(), livePaths(model, table));
    const wanted = await seeTable(expected.disk, LAKE, table);
    assert.deepEqual(seen.snapshots, wanted.snapshots);
    const names = (of: LakeModel): string[] => of.disk.readdir(`${LAKE}/${table}/metadata`).sort();
    const left = names(model).filter((name) => !name.endsWith('.tmp')); // recovery's walk takes those
    assert.deepEqual(left, names(expected));
  }
  // And life goes on.
  model.commit({ added: [dataFile(GOLD, HOUR, 'g10', 3), dataFile(CANDLES, DAY, 'c10', 3)] });
  await model.publish();
  for (const table of [GOLD, CANDLES]) {
    assert.deepEqual(await paths(model, table), livePaths(model, table));
  }
}

async function shown(model: LakeModel): Promise<Map<string, string[]>> {
  return new Map([
    [GOLD, await paths(model, GOLD)],
    [CANDLES, await paths(model, CANDLES)],
  ]);
}

async function published(): Promise<LakeModel> {
  const model = await beforePublish();
  await model.publish();
  return model;
}

for (const step of COMMIT_STEPS) {
  for (const table of [GOLD, CANDLES]) {
    test(`killed at ${step} of ${table}: the next start finishes it`, async () => {
      const model = await beforePublish();
      const before = await shown(model);
      await model.crashAt(step, table);
      await assertReadable(model, before);
      await assertRecovered(model, await published());
    });

    test(`power lost at ${step} of ${table}: the next start finishes it`, async () => {
      const expected = await published();
      await fc.assert(
        fc.asyncProperty(fc.infiniteStream(fc.double({ min: 0, max: 0.999 })), async (chances) => {
          const model = await beforePublish();
          model.step = (name, of) => {
            if (of === table && name === step) throw new Crash();
          };
          await assert.rejects(model.publish(), Crash);
          model.step = () => {};
          model.disk = model.disk.crash(() => chances.next().value as number);
          await assertRecovered(model, expected);
        }),
        { numRuns: 3 },
      );
    });
  }
}

test('a disk that fails at any operation of a commit, and the next start finishes it', async () => {
  const whole = await beforePublish();
  const first = whole.disk.operations;
  await whole.publish();
  const operations = whole.disk.operations - first;
  assert.ok(operations > 50, `${operations} operations`);
  for (let at = 0; at < operations; at++) {
    const model = await beforePublish();
    const start = model.disk.operations;
    const before = await shown(model);
    const between = model.disk.operations - start;
    model.disk.fault = (_operation, count) =>
      count === start + between + at ? { code: 'EIO' } : undefined;
    const outcome = await model.publish().then(
      () => undefined,
      (error: unknown) => error,
    );
    model.disk.fault = () => undefined;
    assert.ok(outcome instanceof Error, `operation ${at} was not missed`);
    assert.match(outcome.message, /^The metadata of table gold_\w+ cannot be written \(EIO\)/);
    assert.equal(model.disk.openFiles, 0);
    await assertReadable(model, before);
    await assertRecovered(model, whole);
  }
});

test('killed while recovering, at any step, and again: it still ends whole', async () => {
  const expected = await published();
  for (const step of COMMIT_STEPS) {
    const model = await beforePublish();
    for (const kill of [step, ...COMMIT_STEPS.slice(0, 5)]) {
      model.step = (name) => {
        if (name === kill) throw new Crash();
      };
      await model.recover().catch((error: unknown) => assert.ok(error instanceof Crash));
    }
    model.step = () => {};
    await assertRecovered(model, expected);
  }
});

test('somebody else commits the version first: the commit goes on top of theirs', async () => {
  const model = await beforePublish();
  let stolen = 0;
  model.step = (name, table) => {
    if (name !== 'after-metadata-tmp' || table !== GOLD || stolen === 2) return;
    stolen++;
    const folder = `${LAKE}/${GOLD}/metadata`;
    const version = Math.max(
      ...model.disk
        .readdir(folder)
        .map((file) => Number(/^v(\d+)\.metadata\.json$/.exec(file)?.[1] ?? 0)),
    );
    // The same table with another property: what a foreign client may do.
    const metadata = JSON.parse(
      model.disk.contents(`${folder}/v${version}.metadata.json`).toString(),
    );
    metadata.properties.note = `theirs ${stolen}`;
    const theirs = `${folder}/v${version + 1}.metadata.json`;
    model.disk.place(theirs, Buffer.from(JSON.stringify(metadata)));
  };
  await model.publish();
  assert.equal(stolen, 2);
  assert.deepEqual(await paths(model, GOLD), livePaths(model, GOLD));
  model.step = () => {};
  await model.recover();
  assert.deepEqual(await paths(model, GOLD), livePaths(model, GOLD));
});
