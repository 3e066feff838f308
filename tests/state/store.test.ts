import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import fc from 'fast-check';
import { candleTable } from '#schemas/candle';
import { EXIT, UserError } from '#src/base/errors';
import type { Databases } from '#src/base/key-value';
import { JOB_RUNS_KEPT } from '#src/state/job-run';
import { StateCorruptError } from '#src/state/state-errors';
import { StateStore } from '#src/state/store';
import {
  CREATED_US,
  candleRecord,
  concatenate,
  epochCommit,
  INSTRUMENTS,
  MINUTE_US,
  stagedFile,
} from '#tests/state/fixtures';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const open = (directory: string) => StateStore.open(directory, { createdUs: CREATED_US });

function userError(exitCode: number, ...words: string[]) {
  return (error: unknown) =>
    error instanceof UserError &&
    error.exitCode === exitCode &&
    words.every((word) => error.message.includes(word));
}

if (isMainThread) {
  test('a new store holds epoch 0 and survives reopening', async (t) => {
    const directory = join(temporaryDirectory(t), 'state');
    const store = await open(directory);
    assert.deepEqual(store.epoch(), {
      epoch: 0,
      committedUs: CREATED_US,
      publishedEpoch: 0,
      progress: [],
      gold: [],
      bronze: [],
      candlesFromUs: [0, 0, 0, 0, 0, 0],
      expiredRows: {},
    });
    await store.close();
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    assert.equal(statSync(join(directory, 'data.mdb')).mode & 0o777, 0o600);
    const again = await StateStore.open(directory, { createdUs: 1 });
    assert.equal(again.identity.createdUs, CREATED_US);
    again.verify();
    await again.close();
  });

  test('two commits read back, before and after reopening', async (t) => {
    const directory = join(temporaryDirectory(t), 'state');
    const store = await open(directory);
    await store.registerInstruments(INSTRUMENTS);
    await store.commitEpoch(epochCommit(1));
    const kraken = {
      exchange: 'KRAKEN' as const,
      nextSequence: 5,
      watermarkUs: 6,
      frames: 5,
      control: 0,
      valid: 5,
      deadLetters: 0,
    };
    // Binance is not in the second epoch: it keeps what it had.
    await store.commitEpoch(
      epochCommit(2, { progress: [kraken], gold: [], bronze: [], instruments: [], files: [] }),
    );
    const check = (from: StateStore): void => {
      const record = from.epoch();
      assert.equal(record.epoch, 2);
      assert.deepEqual(record.progress, [epochCommit(1).progress[0], kraken]);
      assert.deepEqual(record.gold, epochCommit(1).gold);
      assert.deepEqual(record.bronze, epochCommit(1).bronze);
      assert.deepEqual(from.intervals(INSTRUMENTS[0]!), epochIntervals(1));
      assert.equal(from.intervals(INSTRUMENTS[1]!), undefined);
      assert.deepEqual(
        from.intervalSets().map((i) => i.instrument),
        [0],
      );
      assert.deepEqual([...from.candles(0, 0, 0, 10 * MINUTE_US)].map(windowAndCount), [
        [0, 1],
        [1, 2],
        [2, 2],
      ]);
      from.verify();
    };
    check(store);
    await store.close();
    const again = await open(directory);
    check(again);
    await again.close();
  });

  test('an epoch out of turn, or a figure that falls, writes nothing', async (t) => {
    const store = await open(join(temporaryDirectory(t), 'state'));
    await store.registerInstruments(INSTRUMENTS);
    await store.commitEpoch(epochCommit(1));
    await assert.rejects(store.commitEpoch(epochCommit(3)), /epoch 3 cannot follow 1/);
    await assert.rejects(store.commitEpoch(epochCommit(1)), /epoch 1 cannot follow 1/);
    const fallen = epochCommit(2, { gold: [{ exchange: 'BINANCE', trades: 6, duplicates: 2 }] });
    await assert.rejects(store.commitEpoch(fallen), /trades fell from 7 to 6/);
    const unknown = { instrument: 9, intervals: new Uint8Array(4) };
    await assert.rejects(store.commitEpoch(epochCommit(2, { instruments: [unknown] })), /code 9/);
    await assert.rejects(store.markPublished(2), /not committed/);
    assert.equal(store.epoch().epoch, 1);
    assert.equal(store.intervals(INSTRUMENTS[0]!)!.length, 16);
    await store.commitEpoch(epochCommit(2));
    await store.markPublished(2);
    assert.equal(store.epoch().publishedEpoch, 2);
    store.verify();
    await store.close();
  });

  test('commits that are not awaited one by one keep their order', async (t) => {
    const store = await open(join(temporaryDirectory(t), 'state'));
    await store.registerInstruments(INSTRUMENTS);
    await Promise.all([1, 2, 3, 4].map((n) => store.commitEpoch(epochCommit(n))));
    assert.equal(store.epoch().epoch, 4);
    store.verify();
    await store.close();
  });

  test('large interval sets read back', async (t) => {
    const directory = join(temporaryDirectory(t), 'state');
    const store = await open(directory);
    await store.registerInstruments(INSTRUMENTS);
    for (let n = 1; n <= 5; n++) {
      const intervals = Uint8Array.from({ length: 300_000 * n }, (_, i) => i * n);
      await store.commitEpoch(epochCommit(n, { instruments: [{ instrument: 1, intervals }] }));
      assert.deepEqual(Buffer.from(store.intervals(INSTRUMENTS[1]!)!), Buffer.from(intervals));
    }
    await store.close();
    const again = await open(directory);
    again.verify();
    assert.equal(again.intervals(INSTRUMENTS[1]!)!.length, 1_500_000);
    await again.close();
  });

  test('one kind of Binance stream per data directory', async (t) => {
    const directory = join(temporaryDirectory(t), 'state');
    const store = await open(directory);
    assert.equal(store.identity.binanceStream, undefined);
    await store.fixBinanceStream('trade');
    await store.fixBinanceStream('trade');
    await assert.rejects(
      store.fixBinanceStream('aggTrade'),
      userError(EXIT.config, 'trade', 'aggTrade', directory),
    );
    await store.close();
    const again = await open(directory);
    assert.equal(again.identity.binanceStream, 'trade');
    await again.close();
  });

  test('the pending index is the candles that are not final and complete', async (t) => {
    const candle = fc.record({
      timeframe: fc.nat(2),
      instrument: fc.nat(2),
      minute: fc.nat(5),
      flags: fc.nat(3),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(candle, { maxLength: 12 }), { maxLength: 4 }),
        async (epochs) => {
          const store = await open(join(temporaryDirectory(t), 'state'));
          const model = new Map<string, number>();
          for (const [i, candles] of epochs.entries()) {
            const records = candles.map((c) =>
              candleRecord(c.timeframe, c.instrument, c.minute * MINUTE_US, c.flags),
            );
            for (const c of candles) {
              model.set([c.timeframe, c.instrument, c.minute].join(), c.flags);
            }
            const candlesOfEpoch = concatenate(records);
            await store.commitEpoch(
              epochCommit(i + 1, { instruments: [], candles: candlesOfEpoch }),
            );
          }
          const expected = [...model].filter(([, flags]) => flags !== 3).map(([key]) => key);
          const pending = [...store.pendingCandles()].map((record) => {
            const view = new DataView(record.buffer, record.byteOffset);
            const minute = Number(view.getBigInt64(8, true)) / MINUTE_US;
            return [record[4], view.getInt32(0, true), minute].join();
          });
          assert.deepEqual(pending, expected.sort());
          store.verify();
          await store.close();
        },
      ),
      { numRuns: 15 },
    );
  });

  test('candle ranges and latest candles are those of a sorted list', async (t) => {
    const store = await open(join(temporaryDirectory(t), 'state'));
    const minutes = [0, 1, 2, 5, 300, 28_000_000];
    const keys = [0, 1, 5].flatMap((timeframe) =>
      [0, 1, 255, 256].flatMap((instrument) =>
        minutes.map((minute) => ({ timeframe, instrument, minute })),
      ),
    );
    const records = keys.map((k) =>
      candleRecord(k.timeframe, k.instrument, k.minute * MINUTE_US, 3),
    );
    await store.commitEpoch(epochCommit(1, { instruments: [], candles: concatenate(records) }));
    const minuteOf = (record: Uint8Array): number => windowAndCount(record)[0]!;
    fc.assert(
      fc.property(
        fc.constantFrom(0, 1, 5),
        fc.constantFrom(0, 1, 255, 256),
        fc.integer({ min: -10, max: 28_000_010 * 60 }),
        fc.oneof(fc.nat(20_000), fc.nat(28_000_010 * 60)),
        fc.nat(8),
        (timeframe, instrument, fromSecond, seconds, limit) => {
          const fromUs = fromSecond * 1e6;
          const toUs = fromUs + seconds * 1e6;
          const found = [...store.candles(timeframe, instrument, fromUs, toUs)].map(minuteOf);
          const inRange = minutes.filter((m) => m * MINUTE_US >= fromUs && m * MINUTE_US < toUs);
          assert.deepEqual(found, inRange);
          const latest = [...store.latestCandles(timeframe, instrument, limit)].map(minuteOf);
          assert.deepEqual(latest, limit === 0 ? [] : minutes.slice(-limit).reverse());
        },
      ),
      { numRuns: 200 },
    );
    assert.equal(store.candle(0, 255, 5 * MINUTE_US)!.length, 176);
    assert.equal(store.candle(0, 255, 6 * MINUTE_US), undefined);
    assert.equal(store.candle(2, 255, 5 * MINUTE_US), undefined);
    await store.close();
  });

  test('retention takes candles, their files and their pending marks in one commit', async (t) => {
    const store = await open(join(temporaryDirectory(t), 'state'));
    await store.registerInstruments(INSTRUMENTS);
    const nothing = { instruments: [], candles: new Uint8Array(0), files: [] };
    const minutes = [0, 1, 2, 3, 4];
    const candles = concatenate(
      [0, 1].flatMap((code) =>
        minutes.flatMap((m) => [0, 1].map((k) => candleRecord(k, code, m * MINUTE_US, m % 2))),
      ),
    );
    const old = stagedFile(candleTable('1m'), 'window_date=1970-01-01', 'old');
    const silver = { ...stagedFile('silver_kraken_trades', 'exchange_date=1', 's'), rows: 7 };
    await store.commitEpoch(epochCommit(1, { ...nothing, candles, files: [old, silver] }));
    const left = (timeframe: number, code: number): number =>
      [...store.candles(timeframe, code, 0, 10 * MINUTE_US)].length;
    await store.commitEpoch(
      epochCommit(2, {
        ...nothing,
        // A late trade's candle in the very epoch that ends its window's time.
        candles: concatenate([
          candleRecord(0, 1, MINUTE_US, 0),
          candleRecord(0, 1, 9 * MINUTE_US, 0),
        ]),
        candlesFromUs: [3 * MINUTE_US, 0, 0, 0, 0, 0],
        expired: [old.path, silver.path],
      }),
    );
    assert.deepEqual([left(0, 0), left(0, 1), left(1, 0), left(1, 1)], [2, 3, 5, 5]);
    assert.deepEqual(store.epoch().candlesFromUs, [3 * MINUTE_US, 0, 0, 0, 0, 0]);
    assert.deepEqual(store.epoch().expiredRows, { gold_ohlcv_1m: 1, silver_kraken_trades: 7 });
    assert.equal(store.allLivePaths().size, 0);
    store.verify();
    // And one that comes later still.
    await store.commitEpoch(epochCommit(3, { ...nothing, candles: candleRecord(0, 0, 0, 0) }));
    assert.equal(left(0, 0), 2);
    assert.deepEqual(store.epoch().candlesFromUs, [3 * MINUTE_US, 0, 0, 0, 0, 0]);
    store.verify();
    await store.close();
  });

  test('of each job the newest runs are remembered', async (t) => {
    const directory = join(temporaryDirectory(t), 'state');
    const store = await open(directory);
    const counts = { filesIn: 1, filesOut: 1, rowsIn: 2, rowsOut: 2, bytesIn: 3, bytesOut: 3 };
    const run = (job: string, startedUs: number) =>
      ({ job, startedUs, tookMs: 5, outcome: 'done', ...counts, detail: '' }) as const;
    for (let i = 0; i < JOB_RUNS_KEPT + 3; i++) await store.recordJobRun(run('audit', i));
    await store.recordJobRun(run('orphans', 7));
    await store.close();
    const again = await StateStore.open(directory, { readOnly: true });
    const starts = again.jobRuns().map(({ job, startedUs }) => `${job} ${startedUs}`);
    const kept = Array.from({ length: JOB_RUNS_KEPT }, (_, i) => `audit ${i + 3}`);
    assert.deepEqual(starts, [...kept, 'orphans 7']);
    await again.close();
  });

  test('a candle file replaces the earlier one of its partition, other files add up', async (t) => {
    const directory = join(temporaryDirectory(t), 'state');
    const store = await open(directory);
    const table = candleTable('1h');
    const first = stagedFile(table, 'window_date=2026-11-22', 'c1');
    const other = stagedFile(table, 'window_date=2026-11-23', 'c2');
    const gold = ['a', 'b'].map((name) =>
      stagedFile('gold_crypto_trades', 'exchange_date=1', name),
    );
    const nothing = { instruments: [], candles: new Uint8Array(0) };
    await store.commitEpoch(epochCommit(1, { ...nothing, files: [first, other, gold[0]!] }));
    const second = stagedFile(table, 'window_date=2026-11-22', 'c3');
    await store.commitEpoch(epochCommit(2, { ...nothing, files: [second, gold[1]!] }));
    assert.deepEqual(
      [...store.files(table)],
      [
        { ...second, epoch: 2, addedUs: CREATED_US + 2 },
        { ...other, epoch: 1, addedUs: CREATED_US + 1 },
      ],
    );
    assert.deepEqual(
      [...store.files(table, { partition: 'window_date=2026-11-23' })],
      [{ ...other, epoch: 1, addedUs: CREATED_US + 1 }],
    );
    // No prefix of a partition's name is the partition.
    assert.deepEqual([...store.files(table, { partition: 'window_date=2026-11-2' })], []);
    assert.equal([...store.files('gold_crypto_trades')].length, 2);
    const { metrics: _, ...gone } = first;
    assert.deepEqual(store.removedFiles(), [{ ...gone, epoch: 1, removedEpoch: 2 }]);
    assert.deepEqual(
      store.allLivePaths(),
      new Set([second.path, other.path, gold[0]!.path, gold[1]!.path]),
    );
    await assert.rejects(
      store.commitEpoch(epochCommit(3, { ...nothing, files: [second] })),
      /in the catalog already/,
    );
    await store.commitEpoch(epochCommit(3, { ...nothing, files: [], retired: [gold[0]!.path] }));
    assert.deepEqual(
      store.removedFiles().map((f) => [f.path, f.removedEpoch]),
      [
        [gold[0]!.path, 3],
        [first.path, 2],
      ],
    );
    await store.forgetRemoved([first.path, gold[0]!.path]);
    assert.deepEqual(store.removedFiles(), []);
    store.verify();
    await store.close();
  });

  test('marks are remembered', async (t) => {
    const directory = join(temporaryDirectory(t), 'state');
    const store = await open(directory);
    await store.mark('dlq-replayed', 'KRAKEN/17');
    await store.close();
    const again = await open(directory);
    assert.equal(again.hasMark('dlq-replayed', 'KRAKEN/17'), true);
    assert.equal(again.hasMark('dlq-replayed', 'KRAKEN/1'), false);
    assert.equal(again.hasMark('dlq', 'replayed/KRAKEN/17'), false);
    await again.close();
  });

  test('a worker thread reads while the main thread commits', async (t) => {
    const directory = join(temporaryDirectory(t), 'state');
    const store = await open(directory);
    await store.registerInstruments(INSTRUMENTS);
    await store.commitEpoch(epochCommit(1));
    const worker = new Worker(new URL(import.meta.url), { workerData: { directory, until: 30 } });
    const done = new Promise<number[]>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    let finished = false;
    const seen = done.finally(() => {
      finished = true;
    });
    for (let n = 2; n <= 30 || !finished; n++) {
      if (n <= 30) await store.commitEpoch(epochCommit(n));
      else await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const epochs = await seen;
    assert.equal(epochs.at(-1), 30);
    await worker.terminate();
    store.verify();
    await store.close();
  });

  test('a commit that fails while a new state is made is one sentence', async (t) => {
    const directory = join(temporaryDirectory(t), 'state');
    const databases: Databases = {
      open: async () => undefined,
      create: () => Promise.reject(Object.assign(new Error('Input/output error'), { code: 5 })),
    };
    await assert.rejects(
      StateStore.open(directory, { createdUs: CREATED_US, databases }),
      (error) =>
        error instanceof UserError &&
        error.exitCode === EXIT.io &&
        /^The state in \S+ could not be written \(Input\/output error\); check/.test(error.message),
    );
  });

  test('nothing to read, and nothing writable, are one sentence each', async (t) => {
    const directory = temporaryDirectory(t);
    const missing = join(directory, 'none');
    await assert.rejects(
      StateStore.open(missing, { readOnly: true }),
      userError(EXIT.noInput, missing),
    );
    assert.deepEqual(readdirSync(directory), []);
    writeFileSync(join(directory, 'file'), '');
    await assert.rejects(open(join(directory, 'file', 'state')), userError(EXIT.io, 'file'));
  });

  test('a half-made environment is made again; a directory without its data file is damage', async (t) => {
    const directory = join(temporaryDirectory(t), 'state');
    mkdirSync(`${directory}.new`);
    writeFileSync(join(`${directory}.new`, 'data.mdb'), 'torn');
    await (await open(directory)).close();
    assert.deepEqual(readdirSync(join(directory, '..')), ['state']);
    const damaged = join(temporaryDirectory(t), 'state');
    mkdirSync(damaged);
    writeFileSync(join(damaged, 'lock.mdb'), '');
    await assert.rejects(open(damaged), StateCorruptError);
    const data = readFileSync(join(directory, 'data.mdb'));
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(8192), data.subarray(0, 4096)]) {
      writeFileSync(join(damaged, 'data.mdb'), bytes);
      await assert.rejects(open(damaged), StateCorruptError);
      await assert.rejects(StateStore.open(damaged, { readOnly: true }), StateCorruptError);
    }
  });
} else {
  // The reader of the worker test: every state it sees is one whole epoch.
  const { directory, until } = workerData as { directory: string; until: number };
  const store = await StateStore.open(directory, { readOnly: true });
  const epochs: number[] = [];
  while (epochs.at(-1) !== until) {
    const { epoch } = store.epoch();
    assert.ok(epoch >= (epochs.at(-1) ?? 0), 'epochs never go back');
    assert.deepEqual(store.intervals(INSTRUMENTS[0]!), epochIntervals(epoch));
    assert.equal([...store.candles(0, 0, 0, 1000 * MINUTE_US)].length, epoch + 1);
    assert.equal([...store.files('gold_crypto_trades')].length, epoch);
    epochs.push(epoch);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await store.close();
  parentPort!.postMessage(epochs);
}

function epochIntervals(n: number): Buffer {
  return Buffer.from(epochCommit(n).instruments[0]!.intervals);
}

/** [window start in minutes, trade count] */
function windowAndCount(record: Uint8Array): number[] {
  const view = new DataView(record.buffer, record.byteOffset);
  return [Number(view.getBigInt64(8, true)) / MINUTE_US, Number(view.getBigInt64(96, true))];
}
