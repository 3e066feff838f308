/** Compaction: the same rows in fewer files, sorted; damage is refused; and what a trade then takes. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { BENCH_INSTRUMENTS, marketTrades } from '#bench/trade-market';
import { REASONS } from '#schemas/dead-letter';
import { EXCHANGES } from '#schemas/exchange';
import { nodeDisk } from '#src/base/node-disk';
import { TradeBatch } from '#src/columns/trade-batch';
import { compact } from '#src/lake/compaction';
import { COMPACTED_TABLES } from '#src/lake/compaction-tables';
import { DeadLetterEncoder } from '#src/lake/dead-letter-encoder';
import { RowDigest } from '#src/lake/row-digest';
import type { StagedFile } from '#src/lake/staged-file';
import { decodeDataFile } from '#src/lake/table-reader';
import { TradeEncoder } from '#src/lake/trade-encoder';
import { duckdbBytes, query, rowsOf } from '#tests/lake/duckdb';
import {
  INSTRUMENTS,
  inFileOrder,
  MIDNIGHT_US,
  type Trade,
  trade,
  tradesJob,
} from '#tests/lake/trade-rows';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const lakeDir = temporaryDirectory(test, 'lake');
const sink = { lakeDir, disk: nodeDisk() };
const encoder = new TradeEncoder(INSTRUMENTS, sink);
let jobs = 0;

const MINUTE_US = 60_000_000;
const inOneHour = fc
  .tuple(trade, fc.nat({ max: 5 }))
  .map(([t, minute]): Trade => ({ ...t, timeUs: MIDNIGHT_US + minute * MINUTE_US }));

const inLake = {
  read: async (path: string) => readFileSync(join(lakeDir, path)),
  deliver: async () => {},
};

async function compactAll(files: readonly StagedFile[]): Promise<StagedFile> {
  const [first] = files as [StagedFile];
  const { table, partition } = first;
  const result = await compact(sink, inLake, {
    table,
    partition,
    inputs: files,
    name: `compact-${jobs++}`,
  });
  assert.deepEqual([...result.inputs].sort(), files.map(({ path }) => path).sort());
  return result.file as StagedFile;
}

const stored = (files: readonly StagedFile[]): string =>
  `read_parquet([${files.map(({ path }) => `'${join(lakeDir, path)}'`)}], hive_partitioning=false)`;

async function assertSameRows(before: readonly StagedFile[], after: StagedFile): Promise<void> {
  const [a, b] = [stored(before), stored([after])];
  const lost = await query(`SELECT * FROM ${a} EXCEPT ALL SELECT * FROM ${b}`);
  const gained = await query(`SELECT * FROM ${b} EXCEPT ALL SELECT * FROM ${a}`);
  assert.deepEqual({ lost, gained }, { lost: [], gained: [] });
  assert.equal(
    after.rows,
    before.reduce((sum, { rows }) => sum + rows, 0),
  );
}

test('DuckDB finds every row of the inputs once in the output, in the order of the table', async () => {
  const parts = fc.array(fc.array(inOneHour, { minLength: 1, maxLength: 30 }), {
    minLength: 2,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(
      parts,
      fc.constantFrom('gold_crypto_trades', 'silver_kraken_trades'),
      async (batches, table) => {
        const files = batches.flatMap((trades) =>
          encoder.run(tradesJob(trades, `in-${jobs++}`, table)),
        );
        const file = await compactAll(files);
        await assertSameRows(files, file);
        const order = await rowsOf(join(lakeDir, file.path), 'symbol, trade_id');
        const expected = inFileOrder(batches.flat()).map((t) => {
          const { exchange, symbol } = INSTRUMENTS[t.instrument]!;
          return { symbol, trade_id: `${exchange}-${t.id}` };
        });
        assert.deepEqual(order, expected);
        // And once more, with its own output among the inputs.
        const late = encoder.run(tradesJob(batches[0]!, `late-${jobs++}`, table));
        await assertSameRows([file, ...late], await compactAll([file, ...late]));
      },
    ),
    { numRuns: 12 },
  );
});

test('dead letters keep their bytes and their order', async () => {
  const letters = new DeadLetterEncoder(sink);
  const letter = fc.record({
    raw: fc.uint8Array({ maxLength: 200 }),
    index: fc.integer({ min: -1, max: 3 }),
    reason: fc.nat({ max: REASONS.length - 1 }),
    receiveTimeUs: fc.nat({ max: 1000 }).map((us) => MIDNIGHT_US + us),
    exchange: fc.constantFrom(...EXCHANGES),
    sequence: fc.nat({ max: 50 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(letter, { minLength: 1, maxLength: 20 }), { minLength: 2, maxLength: 4 }),
      async (batches) => {
        const files = batches.flatMap((rows) =>
          letters.run({ kind: 'dead-letters', rows, name: `in-${jobs++}` }),
        );
        const file = await compactAll(files);
        await assertSameRows(files, file);
        const order = await rowsOf(
          join(lakeDir, file.path),
          '"offset"::INT AS o, bronze_source AS s',
        );
        const keys = order.map(({ o, s }) => `${String(o).padStart(3)} ${s}`);
        assert.deepEqual(keys, [...keys].sort());
      },
    ),
    { numRuns: 8 },
  );
});

test('the digest does not see order or files, and sees every single change of a row', async () => {
  const table = COMPACTED_TABLES.get('gold_crypto_trades')!;
  const digestOf = async (files: readonly StagedFile[]): Promise<string> => {
    const digest = new RowDigest();
    for (const file of files) {
      const arrow = await decodeDataFile(inLake.read, file);
      digest.add(table.schema.columns.map(({ name }) => arrow.getChild(name)!.data[0]!));
    }
    return digest.text;
  };
  const encoded = (trades: readonly Trade[]): StagedFile[] =>
    encoder.run(tradesJob(trades, `digest-${jobs++}`));
  const changes: ((t: Trade) => Trade)[] = [
    (t) => ({ ...t, instrument: (t.instrument + 1) % INSTRUMENTS.length }),
    (t) => ({ ...t, id: t.id === 7 ? 8 : 7 }),
    (t) => ({ ...t, timeUs: t.timeUs + 1 }),
    (t) => ({ ...t, price: t.price === 5n ? 6n : 5n }),
    (t) => ({ ...t, quantity: t.quantity === 5n ? 6n : 5n }),
    (t) => ({ ...t, receiveUs: t.receiveUs + 1 }),
    (t) => ({ ...t, sourceSequence: t.sourceSequence === -1 ? 0 : -1 }),
    (t) => ({ ...t, frameIndex: t.frameIndex ^ 1 }),
    (t) => ({ ...t, side: t.side ^ 1 }),
    (t) => ({ ...t, condition: t.condition ^ 1 }),
    (t) => ({ ...t, condition: t.condition ^ 16 }),
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.array(inOneHour, { minLength: 2, maxLength: 20 }),
      fc.nat(),
      fc.constantFrom(...changes),
      async (trades, pick, change) => {
        const whole = await digestOf(encoded(trades));
        const cut = 1 + (pick % (trades.length - 1));
        const back = [...trades].reverse();
        assert.equal(
          await digestOf([...encoded(back.slice(0, cut)), ...encoded(back.slice(cut))]),
          whole,
        );
        const at = pick % trades.length;
        const changed = trades.map((t, i) => (i === at ? change(t) : t));
        assert.notEqual(await digestOf(encoded(changed)), whole);
        assert.notEqual(await digestOf(encoded([...trades, trades[at]!])), whole);
      },
    ),
    { numRuns: 40 },
  );
});

test('a damaged input ends the compaction before anything is written', async () => {
  const files = [1, 2].flatMap((seed) =>
    encoder.run(tradesJob(fc.sample(inOneHour, { numRuns: 20, seed }), `damage-${seed}`)),
  );
  const path = join(lakeDir, files[1]!.path);
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(path, bytes);
  const { table, partition } = files[0]!;
  const job = { table, partition, inputs: files, name: 'never' };
  await assert.rejects(compact(sink, inLake, job), /is damaged \(its SHA-256/);
  assert.equal(sink.disk.stat(join(lakeDir, table, 'data', partition, 'never.parquet')), undefined);
});

test('an hour of a busy market takes at most 14 bytes a trade after compaction', async (t) => {
  const rows = 300_000; // more than one row group
  const epochs = 12;
  const hour = marketTrades(rows, 11, 1_751_932_800_000_000);
  const market = new TradeEncoder(BENCH_INSTRUMENTS, sink);
  const files = Array.from({ length: epochs }, (_, epoch) => {
    const part = TradeBatch.allocate(rows / epochs);
    part.copyRows(0, hour, (epoch * rows) / epochs, rows / epochs);
    const { memory, capacity } = part;
    return market.run({
      kind: 'trades',
      tables: ['gold_crypto_trades'],
      memory,
      capacity,
      rows: capacity,
      name: `busy-${epoch}`,
    });
  }).flat();
  const started = process.cpuUsage();
  const file = await compactAll(files);
  const { user, system } = process.cpuUsage(started);
  await assertSameRows(files, file);
  const before = files.reduce((sum, { bytes }) => sum + bytes, 0) / rows;
  const after = file.bytes / file.rows;
  const theirs = (await duckdbBytes(join(lakeDir, file.path))) / file.rows;
  t.diagnostic(
    `${files.length} files of ${before.toFixed(2)} B/trade -> 1 of ${after.toFixed(2)} B/trade ` +
      `(DuckDB's writer: ${theirs.toFixed(2)}), ` +
      `${(rows / (user + system)).toFixed(2)} M trades per CPU second`,
  );
  assert.ok(after <= 14 && after < before && after < theirs, `${after} bytes a trade`);
});
