/**
 * The same bronze gives the same everything, byte for byte, whatever the shape of the pipeline: how
 * many shards, how large batches, slots and chunks, how many epochs, how often it stopped and went on,
 * and whether the log was there first or grew meanwhile. Only the files may be cut differently.
 */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXCHANGES, type Exchange, exchangeKey } from '#schemas/exchange';
import { TIMEFRAMES } from '#schemas/timeframe';
import { GOLD_TRADES, silverTable } from '#schemas/trade';
import { FEED_EXCHANGE } from '#src/simulator/frame-format';
import { assertLakeInLine } from '#tests/iceberg/lake-check';
import { badDay } from '#tests/pipeline/bad-day';
import { compareAll, sameLines } from '#tests/pipeline/compare';
import { deadLetterLines, type Held, tradeLines } from '#tests/pipeline/held-lines';
import { appendLog, type Frame, newOracle } from '#tests/pipeline/logs';
import {
  type Running,
  type Shape,
  temporaryDirectory,
  withPipeline,
} from '#tests/pipeline/pipeline';
import type { Oracle } from '#tests/support/oracle/oracle';

/** The default of configs/default.yaml. */
const LATENESS_MS = 10_000;

const logs = new Map<Exchange, Frame[]>();
{
  const day = badDay({
    seed: 4,
    startUs: Date.UTC(2026, 11, 31, 23, 56) * 1000,
    durationUs: 8 * 60_000_000,
    rate: 8,
    instrumentsPerExchange: 4,
    backfill: false,
  });
  for (const feed of day.feeds) {
    const copies = Array.from(day.frames(feed), (f) => ({ ...f, bytes: Buffer.from(f.bytes) }));
    logs.set(FEED_EXCHANGE[feed], copies);
  }
}

/** Everything a data directory holds, as named lists of lines. */
type Snapshot = ReadonlyMap<string, readonly string[]>;

async function snapshot(held: Held): Promise<Snapshot> {
  const { store, instruments } = held;
  const lines = new Map<string, readonly string[]>();
  for (const exchange of EXCHANGES) {
    const table = silverTable(exchangeKey(exchange));
    lines.set(table, await tradeLines(held, table));
  }
  lines.set(GOLD_TRADES, await tradeLines(held, GOLD_TRADES));
  lines.set('dead letters', await deadLetterLines(held));
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  lines.set(
    'interval sets',
    store.intervalSets().map(({ instrument, intervals }) => `${instrument} ${hex(intervals)}`),
  );
  for (const [k, timeframe] of TIMEFRAMES.entries()) {
    const records = instruments.flatMap(({ code }) =>
      Array.from(store.candles(k, code, 0, Number.MAX_SAFE_INTEGER), hex),
    );
    lines.set(`${timeframe} records`, records);
  }
  const { progress, gold } = store.epoch();
  const totals = [...progress, ...gold].map((part) => JSON.stringify(part));
  lines.set('totals', totals.sort());
  await assertLakeInLine(held.lake, held.store);
  store.verify();
  return lines;
}

/** Appends frames [from, to) of every log, given as parts of the whole. */
async function appendPart(dir: string, from: number, to: number, but?: Exchange): Promise<void> {
  for (const [exchange, frames] of logs) {
    if (exchange === but) continue;
    const at = (part: number): number => Math.round(part * frames.length);
    await appendLog(dir, exchange, frames.slice(at(from), at(to)));
  }
}

async function finish({ run }: Running): Promise<void> {
  await run.finish(() => {});
}

function newDirectory(t: TestContext): string {
  const directory = temporaryDirectory();
  t.after(directory.remove);
  return directory.path;
}

/** The reference: everything at once, in one epoch. */
let reference: Snapshot | undefined;

async function sameAsReference(held: Held): Promise<void> {
  const found = await snapshot(held);
  reference ??= found;
  assert.deepEqual([...found.keys()], [...reference.keys()]);
  for (const [name, lines] of found) sameLines(name, lines, reference.get(name)!);
}

test('all at once, in one epoch', async (t) => {
  const dir = newDirectory(t);
  await appendPart(dir, 0, 1);
  await withPipeline(dir, {}, finish, sameAsReference);
  assert.ok(reference !== undefined);
  const counts = Array.from(reference, ([name, lines]) => `${lines.length} ${name}`);
  t.diagnostic(counts.join(', '));
  for (const [name, lines] of reference) assert.ok(lines.length > 0, `no ${name}`);
});

/** The smallest batches and fewest slots there can be, and many files. */
const TINY = { batchRows: 16, slotsPerShard: 4, chunkRows: 400 } as const;

const SHAPES: readonly Shape[] = [
  { validationShards: 1, goldShards: 1, ...TINY },
  { validationShards: 2, goldShards: 3, ...TINY, epochRows: 1_000 },
  { validationShards: 3, goldShards: 2, chunkRows: 5_000, epochRows: 4_000, lakeThreads: 2 },
  { validationShards: 1, goldShards: 3, batchRows: 100, slotsPerShard: 7, epochRows: 100 },
];

for (const shape of SHAPES) {
  test(`the same as in one epoch: ${JSON.stringify(shape)}`, async (t) => {
    const dir = newDirectory(t);
    await appendPart(dir, 0, 1);
    await withPipeline(dir, shape, finish, sameAsReference);
  });
}

test('the same when stopped and gone on with in another shape, several times', async (t) => {
  const dir = newDirectory(t);
  const parts: readonly Shape[] = [
    { validationShards: 3, goldShards: 1, epochRows: 2_000 },
    { validationShards: 1, goldShards: 3, ...TINY },
    { validationShards: 2, goldShards: 2, batchRows: 300 },
  ];
  for (const [i, shape] of parts.entries()) {
    await appendPart(dir, i / parts.length, (i + 1) / parts.length);
    const last = i === parts.length - 1;
    await withPipeline(dir, shape, finish, last ? sameAsReference : async () => {});
  }
});

test('stopped in the middle: every epoch is one atomic step, and the end is the same', async (t) => {
  const dir = newDirectory(t);
  await appendPart(dir, 0, 1);
  const shapes: readonly Shape[] = [
    { goldShards: 3, ...TINY },
    { goldShards: 1, ...TINY },
    { goldShards: 2, validationShards: 3, batchRows: 1_000, slotsPerShard: 4 },
  ];
  for (const shape of shapes) {
    const someEpochs = async ({ run, data }: Running): Promise<void> => {
      const until = data.store.epoch().epoch + 2;
      // Closing the run ends this, too, with whatever it was waiting for.
      const finished = run
        .finish(() => {})
        .then(
          () => true,
          () => true,
        );
      while (data.store.epoch().epoch < until) {
        if (await Promise.race([finished, sleep(1, false)])) return;
      }
    };
    await withPipeline(
      dir,
      { ...shape, epochRows: 700, allowedLatenessMs: LATENESS_MS },
      someEpochs,
      sameAsOracle,
    );
  }
  await withPipeline(dir, {}, finish, sameAsReference);
});

/** Whatever the last epoch covers, its tables and records are those of exactly these frames. */
async function sameAsOracle(held: Held): Promise<void> {
  const oracles: Oracle[] = [];
  for (const { exchange, nextSequence } of held.store.epoch().progress) {
    const oracle = newOracle(exchange, LATENESS_MS);
    for (const { bytes, kind, receiveTimeUs } of logs.get(exchange)!.slice(0, nextSequence)) {
      oracle.frame(bytes, kind, receiveTimeUs);
    }
    oracles.push(oracle);
  }
  assert.equal(oracles.length, EXCHANGES.length);
  await compareAll(held, oracles);
}

test('logs of one frame: a bad one, a trade, a notice', async (t) => {
  const dir = newDirectory(t);
  const oracles = EXCHANGES.map((exchange) => newOracle(exchange, LATENESS_MS));
  const wanted = [
    (oracle: Oracle) => oracle.deadLetters.length === 1,
    (oracle: Oracle) => oracle.gold.length === 1,
    (oracle: Oracle) => oracle.control === 1,
  ];
  for (const [i, exchange] of EXCHANGES.entries()) {
    const frame = logs.get(exchange)!.find(({ bytes, kind, receiveTimeUs }) => {
      const oracle = newOracle(exchange, LATENESS_MS);
      oracle.frame(bytes, kind, receiveTimeUs);
      return oracle.silver.length + oracle.deadLetters.length < 2 && wanted[i]!(oracle);
    })!;
    await appendLog(dir, exchange, [frame], oracles[i]);
  }
  await withPipeline(dir, { allowedLatenessMs: LATENESS_MS }, finish, async (held) => {
    await compareAll(held, oracles);
  });
});

test('the same when a log grows while it is read, an epoch at every stop', async (t) => {
  const dir = newDirectory(t);
  const exchange = 'KRAKEN';
  await appendPart(dir, 0, 1, exchange);
  const shape = { appendTo: exchange, validationShards: 3, goldShards: 2 } as const;
  const inPieces = async ({ run }: Running): Promise<void> => {
    const frames = logs.get(exchange)!;
    for (const [i, frame] of frames.entries()) {
      run.writer!.append(frame.bytes, frame.kind, frame.connection, frame.receiveTimeUs);
      if (i % 50 === 0) run.appended();
      if (i % Math.ceil(frames.length / 8) === 0) await run.finish(() => {});
    }
    const before = run.writer!.nextSequence;
    await run.finish(() => {});
    assert.equal(before, frames.length);
  };
  await withPipeline(dir, shape, inPieces, sameAsReference);
});
