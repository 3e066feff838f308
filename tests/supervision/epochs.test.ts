/** The epoch coordinator: the order of its steps, whatever the order of the reports. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NO_METRICS } from '#src/lake/staged-file';
import type { EpochReport, ExchangeProgress } from '#src/runtime/epoch-report';
import { EpochCoordinator, type EpochShare } from '#src/supervision/epochs';

const shape = { validationShards: 2, goldShards: 2 };
const file = (path: string) => ({
  table: 't',
  path,
  partition: 'p',
  rows: 1,
  bytes: 1,
  sha256: '',
  metrics: NO_METRICS,
});

function reports(epoch: number): EpochReport[] {
  const progress = (exchange: 'BINANCE' | 'KRAKEN', nextSequence: number) => ({
    exchange,
    nextSequence,
    watermarkUs: 1,
    frames: 1,
    control: 0,
    valid: 1,
    deadLetters: 0,
  });
  const counts = [{ exchange: 'BINANCE' as const, trades: 10 * epoch, duplicates: 1 }];
  return [
    {
      stage: 'validation',
      shard: 0,
      epoch,
      progress: [progress('BINANCE', 5)],
      files: [file('v0')],
    },
    {
      stage: 'validation',
      shard: 1,
      epoch,
      progress: [progress('KRAKEN', 6)],
      files: [file('v1')],
    },
    { stage: 'gold', shard: 0, epoch, instruments: [], files: [file('g0')], counts },
    { stage: 'gold', shard: 1, epoch, instruments: [], files: [], counts },
    { stage: 'candles', shard: 0, epoch, records: new Uint8Array(176), files: [file('c')] },
  ];
}

function coordinator(fail?: string) {
  const steps: string[] = [];
  const commits: EpochShare[] = [];
  const step = async (name: string): Promise<void> => {
    steps.push(name);
    if (name === fail) throw new Error(`${name} failed`);
  };
  const epochs = new EpochCoordinator(
    {
      barrier: (epoch) => steps.push(`barrier ${epoch}`),
      syncBronze: () => step('sync'),
      tableBronze: async (progress) => {
        await step('table');
        const [{ exchange, nextSequence }] = progress as [ExchangeProgress];
        return { files: [file('b')], bronze: [{ exchange, nextSequence }] };
      },
      commit: (commit) => {
        commits.push(commit);
        return step('commit');
      },
      publish: () => step('publish'),
    },
    shape,
    3,
    [{ exchange: 'BINANCE', trades: 100, duplicates: 50 }],
  );
  return { epochs, steps, commits };
}

test('barrier, sync, bronze tables, commit, publish, in this order, once every stage has reported', async () => {
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }), async (order) => {
      const { epochs, steps, commits } = coordinator();
      const done = epochs.run();
      for (const [i, which] of order.entries()) {
        assert.deepEqual(steps, ['barrier 4'], `after ${i} reports`);
        epochs.report(reports(4)[which] as EpochReport);
      }
      assert.equal(await done, 4);
      assert.deepEqual(steps, ['barrier 4', 'sync', 'table', 'commit', 'publish']);
      const commit = commits[0] as EpochShare;
      assert.deepEqual(commit.progress.map((p) => p.nextSequence).sort(), [5, 6]);
      assert.deepEqual(commit.files.map((f) => f.path).sort(), ['b', 'c', 'g0', 'v0', 'v1']);
      const { exchange, nextSequence } = commit.progress[0] as ExchangeProgress;
      assert.deepEqual(commit.bronze, [{ exchange, nextSequence }]);
      assert.deepEqual(
        commit.gold.find((total) => total.exchange === 'BINANCE'),
        { exchange: 'BINANCE', trades: 180, duplicates: 52 },
      );
      assert.equal(epochs.last, 4);
    }),
  );
});

test('a step that fails stops the epoch there: nothing later happens', async () => {
  for (const [failing, done] of [
    ['sync', ['barrier 4', 'sync']],
    ['table', ['barrier 4', 'sync', 'table']],
    ['commit', ['barrier 4', 'sync', 'table', 'commit']],
    ['publish', ['barrier 4', 'sync', 'table', 'commit', 'publish']],
  ] as const) {
    const { epochs, steps } = coordinator(failing);
    const run = epochs.run();
    for (const report of reports(4)) epochs.report(report);
    await assert.rejects(run, new RegExp(`${failing} failed`));
    assert.deepEqual(steps, done);
    assert.equal(epochs.last, failing === 'publish' ? 4 : 3);
  }
});

test('stopping abandons an epoch that waits for reports and refuses the next', async () => {
  const { epochs, steps } = coordinator();
  const run = epochs.run();
  epochs.report(reports(4)[0] as EpochReport);
  const rejected = assert.rejects(run, /going down/);
  await epochs.stop(new Error('going down'));
  await rejected;
  for (const report of reports(4)) epochs.report(report);
  assert.deepEqual(steps, ['barrier 4']);
  await assert.rejects(epochs.run(), /going down/);
});
