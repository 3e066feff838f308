import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { candleTable } from '#schemas/candle';
import { EXIT, UserError } from '#src/base/errors';
import { nodeDisk } from '#src/base/node-disk';
import { firstEpoch } from '#src/state/epoch-record';
import {
  decideRecovery,
  deleteRemoved,
  type RecoveryFacts,
  recoverLake,
} from '#src/state/recovery';
import { StateCorruptError } from '#src/state/state-errors';
import { StateStore } from '#src/state/store';
import { DiskWarehouse } from '#src/warehouse/disk-warehouse';
import { CREATED_US, epochCommit, stagedFile } from '#tests/state/fixtures';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const [A, B, C] = ['a', 'b', 'c'].map((name) => `gold/data/day=1/${name}.parquet`) as [
  string,
  string,
  string,
];
const removed = (path: string, removedEpoch: number) => ({
  ...stagedFile('gold', 'day=1', 'x'),
  path,
  epoch: 1,
  removedEpoch,
});
const record = (epoch: number, publishedEpoch: number) => ({
  ...firstEpoch(CREATED_US),
  epoch,
  publishedEpoch,
  progress: epochCommit(epoch).progress,
});
const facts = (changes: Partial<RecoveryFacts>): RecoveryFacts => ({
  record: record(3, 3),
  found: [],
  live: new Set(),
  removed: [],
  shownEpochs: () => [],
  adopted: true,
  ...changes,
});

/** Tables that show nothing but the last epoch, and tell when they are brought in line. */
function tablesOf(epochs: number[]) {
  return {
    reconcile: async (last: { epoch: number }): Promise<void> => {
      epochs.push(last.epoch);
    },
    shownEpochs: async () => () => [],
  };
}

const cases: [string, Partial<RecoveryFacts>, Partial<ReturnType<typeof decideRecovery>>][] = [
  ['nothing there', {}, {}],
  ['live files stay', { found: [A, B], live: new Set([A, B]) }, {}],
  ['no epoch names it', { found: [A, B], live: new Set([A]) }, { deleteFiles: [B] }],
  [
    'leftovers of a write',
    { found: [A, `${B}.tmp`], live: new Set([A]) },
    { deleteFiles: [`${B}.tmp`] },
  ],
  [
    'removed and published without: goes and is forgotten',
    { found: [A, B], live: new Set([A]), removed: [removed(B, 3)] },
    { deleteFiles: [B], forget: [B] },
  ],
  [
    'removed in an epoch that is not published: still shown, stays',
    { record: record(3, 2), found: [A, B], live: new Set([A]), removed: [removed(B, 3)] },
    { finishPublish: true },
  ],
  [
    'of two removed files, the one that published tables do not show goes',
    { record: record(3, 2), found: [B, C], removed: [removed(B, 3), removed(C, 2)] },
    { finishPublish: true, deleteFiles: [C], forget: [C] },
  ],
  [
    'removed and already gone: forgotten',
    { found: [A], live: new Set([A]), removed: [removed(B, 2)] },
    { forget: [B] },
  ],
  [
    'removed, but a snapshot of an epoch it was part of is kept: stays',
    { found: [A, B], live: new Set([A]), removed: [removed(B, 3)], shownEpochs: () => [2, 3] },
    {},
  ],
  [
    'removed, and the snapshots kept are all from before or after its time: goes',
    { found: [B], removed: [removed(B, 2)], shownEpochs: () => [0, 2, 3] },
    { deleteFiles: [B], forget: [B] },
  ],
  ['a live file is gone', { found: [A], live: new Set([A, B]) }, { missing: [B] }],
  [
    'staged before the first epoch: goes',
    { record: record(0, 0), found: [A] },
    { deleteFiles: [A] },
  ],
  [
    'there before the state: not ours',
    { record: record(0, 0), found: [A, `${A}.tmp`], adopted: false },
    { deleteFiles: [A, `${A}.tmp`], strangers: [A] },
  ],
];

for (const [name, given, expected] of cases) {
  test(`recovery decides: ${name}`, () => {
    const all = facts(given);
    assert.deepEqual(decideRecovery(all), {
      deleteFiles: [],
      forget: [],
      missing: [],
      strangers: [],
      finishPublish: false,
      ...expected,
    });
  });
}

test('no live or still shown file is ever deleted, every other one is', () => {
  const paths = fc.subarray(['a', 'b', 'c', 'd', 'e'].map((n) => `gold/data/p/${n}.parquet`));
  fc.assert(
    fc.property(
      paths,
      paths,
      paths,
      fc.nat(3),
      fc.nat(3),
      (there, live, gone, epoch, published) => {
        const all = facts({
          record: record(epoch, Math.min(epoch, published)),
          found: there,
          live: new Set(live),
          removed: gone.filter((p) => !live.includes(p)).map((p, i) => removed(p, i + 1)),
        });
        const { deleteFiles } = decideRecovery(all);
        const shown = all.removed.filter((f) => f.removedEpoch > all.record.publishedEpoch);
        const kept = new Set([...live, ...shown.map((f) => f.path)]);
        assert.deepEqual(new Set(deleteFiles), new Set(there.filter((path) => !kept.has(path))));
      },
    ),
  );
});

function place(directory: string, path: string): string {
  const full = join(directory, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, path);
  return full;
}

const nothing = { instruments: [], candles: new Uint8Array(0) };

test('recovery deletes what no epoch names, below the lake and nowhere else', async (t) => {
  const directory = temporaryDirectory(t);
  const lakeDir = join(directory, 'lake');
  const store = await StateStore.open(join(directory, 'state'), { createdUs: CREATED_US });
  const published: number[] = [];
  const warehouse = new DiskWarehouse(nodeDisk(), lakeDir);
  const at = { warehouse, store, tables: tablesOf(published) };
  await recoverLake(at); // a lake that is not there yet
  published.length = 0;
  const table = candleTable('1m');
  const first = stagedFile(table, 'window_date=2026-11-23', 'c1');
  const second = stagedFile(table, 'window_date=2026-11-23', 'c2');
  const third = stagedFile(table, 'window_date=2026-11-23', 'c3');
  const gold = stagedFile('gold_crypto_trades', 'exchange_date=1/exchange_hour=2', 'g1');
  await store.commitEpoch(epochCommit(1, { ...nothing, files: [first, gold] }));
  await store.markPublished(1);
  await store.commitEpoch(epochCommit(2, { ...nothing, files: [second] }));

  const outside = join(directory, 'outside');
  const keep = [
    ...[second, gold].map((file) => place(lakeDir, file.path)),
    place(lakeDir, 'gold_crypto_trades/metadata/v1.metadata.json'),
    place(lakeDir, 'gold_crypto_trades/metadata/part.parquet'),
    place(lakeDir, 'notes.txt'),
    place(outside, 'data/x.parquet'),
    place(outside, 'orphan.parquet'),
  ];
  const goes = [
    place(lakeDir, first.path),
    place(lakeDir, 'gold_crypto_trades/data/exchange_date=1/exchange_hour=2/g2.parquet'),
    place(lakeDir, 'silver_kraken_trades/data/exchange_date=1/exchange_hour=9/s.parquet'),
    place(lakeDir, 'gold_crypto_trades/data/exchange_date=1/g1.parquet.tmp'),
    place(lakeDir, 'gold_crypto_trades/metadata/v2.metadata.json.tmp'),
  ];
  symlinkSync(outside, join(lakeDir, 'linked_table'));
  symlinkSync(outside, join(lakeDir, 'gold_crypto_trades/data/linked'));
  symlinkSync(join(outside, 'orphan.parquet'), join(lakeDir, 'gold_crypto_trades/data/l.parquet'));

  // A publish that fails leaves everything as it was.
  const reconcile = () => Promise.reject(new Error('catalog down'));
  const failing = { ...at, tables: { ...at.tables, reconcile } };
  await assert.rejects(recoverLake(failing), /catalog down/);
  for (const path of [...goes, ...keep]) assert.equal(existsSync(path), true, path);
  const tables = {
    ...at.tables,
    reconcile: async (last: { epoch: number }): Promise<void> => {
      assert.equal(existsSync(goes[0]!), true, 'the file is there as long as tables show it');
      published.push(last.epoch);
    },
  };
  await recoverLake({ ...at, tables });
  await recoverLake(at);
  assert.deepEqual(published, [2, 2]);
  assert.equal(store.epoch().publishedEpoch, 2);
  assert.deepEqual(store.removedFiles(), []);
  for (const path of goes) assert.equal(existsSync(path), false, path);
  for (const path of keep) assert.equal(existsSync(path), true, path);
  assert.ok(readdirSync(lakeDir).includes('linked_table'));

  await store.commitEpoch(epochCommit(3, { ...nothing, files: [third] }));
  place(lakeDir, third.path);
  await deleteRemoved(at, async () => () => []);
  assert.equal(existsSync(join(lakeDir, second.path)), true, 'not published without it yet');
  await store.markPublished(3);
  await deleteRemoved(at, async () => (name) => (name === table ? [2] : []));
  assert.equal(existsSync(join(lakeDir, second.path)), true, 'a snapshot of epoch 2 shows it');
  await deleteRemoved(at, async () => () => [1, 3]);
  await deleteRemoved(at, async () => () => [1, 3]);
  assert.equal(existsSync(join(lakeDir, second.path)), false);
  assert.deepEqual(store.removedFiles(), []);
  for (const path of keep.slice(1)) assert.equal(existsSync(path), true, path);
  await store.close();
});

test('a removed file behind a link is forgotten, its target stays', async (t) => {
  const directory = temporaryDirectory(t);
  const lakeDir = join(directory, 'lake');
  const store = await StateStore.open(join(directory, 'state'), { createdUs: CREATED_US });
  const file = stagedFile('gold_crypto_trades', 'exchange_date=1', 'g1');
  await store.commitEpoch(epochCommit(1, { ...nothing, files: [file] }));
  await store.commitEpoch(epochCommit(2, { ...nothing, files: [], retired: [file.path] }));
  await store.markPublished(2);
  const target = place(join(directory, 'outside'), 'g1.parquet');
  mkdirSync(join(lakeDir, 'gold_crypto_trades/data'), { recursive: true });
  symlinkSync(dirname(target), join(lakeDir, 'gold_crypto_trades/data/exchange_date=1'));
  const warehouse = new DiskWarehouse(nodeDisk(), lakeDir);
  await deleteRemoved({ warehouse, store }, async () => () => []);
  assert.equal(existsSync(target), true);
  assert.deepEqual(store.removedFiles(), []);
  await store.close();
});

test('a lake without a file its state names, or older than its state, is left alone', async (t) => {
  const directory = temporaryDirectory(t);
  const lakeDir = join(directory, 'lake');
  const store = await StateStore.open(join(directory, 'state'), { createdUs: CREATED_US });
  const warehouse = new DiskWarehouse(nodeDisk(), lakeDir);
  const at = { warehouse, store, tables: tablesOf([]) };
  const old = place(lakeDir, 'gold_crypto_trades/data/exchange_date=1/old.parquet');
  const isRefused = (error: unknown): boolean =>
    error instanceof UserError && error.exitCode === EXIT.config && error.message.includes(lakeDir);
  await assert.rejects(recoverLake(at), isRefused);
  await assert.rejects(recoverLake(at), isRefused, 'and again at the next start');
  await store.commitEpoch(epochCommit(1, { ...nothing }));
  await assert.rejects(recoverLake(at), StateCorruptError);
  assert.equal(existsSync(old), true);
  await store.close();
});
