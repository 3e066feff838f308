import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { candleTable } from '#schemas/candle';
import { EXIT, UserError } from '#src/base/errors';
import { firstEpoch } from '#src/state/epoch-record';
import { nodeLakeDisk } from '#src/state/lake-disk';
import {
  decideRecovery,
  deleteRemoved,
  type RecoveryFacts,
  recoverLake,
} from '#src/state/recovery';
import { StateCorruptError } from '#src/state/state-errors';
import { StateStore } from '#src/state/store';
import { CREATED_US, epochCommit, stagedFile, temporaryDirectory } from '#tests/state/fixtures';

const [A, B, C] = ['a', 'b', 'c'].map((name) => `gold/data/day=1/${name}.parquet`) as [
  string,
  string,
  string,
];
const found = (...paths: string[]) => paths.map((path) => ({ path, modifiedUs: CREATED_US + 1 }));
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
  createdUs: CREATED_US,
  record: record(3, 3),
  found: [],
  live: new Set(),
  removed: [],
  ...changes,
});

const cases: [string, Partial<RecoveryFacts>, Partial<ReturnType<typeof decideRecovery>>][] = [
  ['nothing there', {}, {}],
  ['live files stay', { found: found(A, B), live: new Set([A, B]) }, {}],
  ['no epoch names it', { found: found(A, B), live: new Set([A]) }, { deleteFiles: [B] }],
  [
    'leftovers of a write',
    { found: found(A, `${B}.tmp`), live: new Set([A]) },
    { deleteFiles: [`${B}.tmp`] },
  ],
  [
    'removed and published without: goes and is forgotten',
    { found: found(A, B), live: new Set([A]), removed: [removed(B, 3)] },
    { deleteFiles: [B], forget: [B] },
  ],
  [
    'removed in an epoch that is not published: still shown, stays',
    { record: record(3, 2), found: found(A, B), live: new Set([A]), removed: [removed(B, 3)] },
    { finishPublish: true },
  ],
  [
    'of two removed files, the one that published tables do not show goes',
    { record: record(3, 2), found: found(B, C), removed: [removed(B, 3), removed(C, 2)] },
    { finishPublish: true, deleteFiles: [C], forget: [C] },
  ],
  [
    'removed and already gone: forgotten',
    { found: found(A), live: new Set([A]), removed: [removed(B, 2)] },
    { forget: [B] },
  ],
  ['a live file is gone', { found: found(A), live: new Set([A, B]) }, { missing: [B] }],
  [
    'staged before the first epoch: goes',
    { record: record(0, 0), found: found(A) },
    { deleteFiles: [A] },
  ],
  [
    'older than a state without an epoch: not ours',
    { record: record(0, 0), found: [{ path: A, modifiedUs: CREATED_US - 1 }] },
    { deleteFiles: [A], strangers: [A] },
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
      resumeFrom: [{ exchange: 'BINANCE', nextSequence: 10 * all.record.epoch }],
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
          found: found(...there),
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
  const lakeDirectory = join(directory, 'lake');
  const store = await StateStore.open(join(directory, 'state'), { createdUs: CREATED_US });
  const at = { disk: nodeLakeDisk, store, lakeDirectory };
  assert.deepEqual((await recoverLake(at)).deleteFiles, [], 'a lake that is not there yet');
  const table = candleTable('1m');
  const first = stagedFile(table, 'window_date=2026-11-23', 'c1');
  const second = stagedFile(table, 'window_date=2026-11-23', 'c2');
  const gold = stagedFile('gold_crypto_trades', 'exchange_date=1/exchange_hour=2', 'g1');
  await store.commitEpoch(epochCommit(1, { ...nothing, files: [first, gold] }));
  await store.markPublished(1);
  await store.commitEpoch(epochCommit(2, { ...nothing, files: [second] }));

  const outside = join(directory, 'outside');
  const keep = [
    ...[first, second, gold].map((file) => place(lakeDirectory, file.path)),
    place(lakeDirectory, 'gold_crypto_trades/metadata/v1.metadata.json'),
    place(lakeDirectory, 'gold_crypto_trades/metadata/part.parquet'),
    place(lakeDirectory, 'notes.txt'),
    place(outside, 'data/x.parquet'),
    place(outside, 'orphan.parquet'),
  ];
  const goes = [
    place(lakeDirectory, 'gold_crypto_trades/data/exchange_date=1/exchange_hour=2/g2.parquet'),
    place(lakeDirectory, 'silver_kraken_trades/data/exchange_date=1/exchange_hour=9/s.parquet'),
    place(lakeDirectory, 'gold_crypto_trades/data/exchange_date=1/g1.parquet.tmp'),
    place(lakeDirectory, 'gold_crypto_trades/metadata/v2.metadata.json.tmp'),
  ];
  symlinkSync(outside, join(lakeDirectory, 'linked_table'));
  symlinkSync(outside, join(lakeDirectory, 'gold_crypto_trades/data/linked'));
  symlinkSync(
    join(outside, 'orphan.parquet'),
    join(lakeDirectory, 'gold_crypto_trades/data/linked.parquet'),
  );

  const decision = await recoverLake(at);
  assert.equal(decision.finishPublish, true);
  assert.equal(decision.deleteFiles.length, goes.length);
  for (const path of goes) assert.equal(existsSync(path), false, path);
  for (const path of keep) assert.equal(existsSync(path), true, path);
  assert.ok(readdirSync(lakeDirectory).includes('linked_table'));
  assert.deepEqual((await recoverLake(at)).deleteFiles, [], 'the second time there is nothing');

  // Published without the replaced candle file: now it goes.
  await deleteRemoved(at);
  assert.equal(existsSync(join(lakeDirectory, first.path)), true);
  await store.markPublished(2);
  await deleteRemoved(at);
  assert.equal(existsSync(join(lakeDirectory, first.path)), false);
  assert.deepEqual(store.removedFiles(), []);
  for (const path of keep.slice(1)) assert.equal(existsSync(path), true, path);
  await store.close();
});

test('a lake without a file its state names, or with files of a lost state, is left alone', async (t) => {
  const directory = temporaryDirectory(t);
  const lakeDirectory = join(directory, 'lake');
  const store = await StateStore.open(join(directory, 'state'), { createdUs: CREATED_US });
  const at = { disk: nodeLakeDisk, store, lakeDirectory };
  const old = place(lakeDirectory, 'gold_crypto_trades/data/exchange_date=1/old.parquet');
  utimesSync(old, 1, 1);
  await assert.rejects(
    recoverLake(at),
    (error) => error instanceof UserError && error.exitCode === EXIT.config,
  );
  await store.commitEpoch(epochCommit(1, { ...nothing }));
  await assert.rejects(recoverLake(at), StateCorruptError);
  assert.equal(existsSync(old), true);
  await store.close();
});
