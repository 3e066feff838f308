import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { REASONS } from '#schemas/dead-letter';
import { readFile } from '#src/base/disk';
import { EXIT, UserError } from '#src/base/errors';
import { CandleEncoder } from '#src/lake/candle-encoder';
import { DeadLetterEncoder } from '#src/lake/dead-letter-encoder';
import type { FileSink } from '#src/lake/file-sink';
import type { DeadLetterRow } from '#src/lake/job';
import {
  type CandleRow,
  readCandles,
  readDeadLetters,
  readTrades,
  type TradeRow,
} from '#src/lake/table-reader';
import { TradeEncoder } from '#src/lake/trade-encoder';
import { candleRecords, candleRow, candles, inCandleOrder } from '#tests/lake/candle-rows';
import {
  INSTRUMENTS,
  MIDNIGHT_US,
  type Trade,
  trade,
  tradeRow,
  tradesJob,
} from '#tests/lake/trade-rows';
import { MemoryDisk } from '#tests/support/memory-disk';

/** A lake in memory: where files are staged and how they are read. */
async function rowsOf<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const row of rows) all.push(row);
  return all;
}

function memoryLake() {
  const disk = new MemoryDisk();
  const sink: FileSink = { lakeDir: '/lake', disk };
  const read = async (path: string): Promise<Uint8Array> => readFile(disk, `/lake/${path}`);
  return { disk, sink, read };
}

const number = (text: string | null): number | null => (text === null ? null : Number(text));

function expectedTrade(t: Trade): TradeRow {
  const row = tradeRow(t);
  return {
    ...row,
    timestamp: Number(row.timestamp),
    ingestion_timestamp: Number(row.ingestion_timestamp),
    source_sequence: number(row.source_sequence),
  } as TradeRow;
}

/** Distinct (time, id), so that their order is known. */
const trades = fc.uniqueArray(trade, {
  minLength: 1,
  maxLength: 80,
  selector: (t) => `${t.timeUs} ${t.id}`,
});

const filter = fc.record(
  {
    symbol: fc.constantFrom('BTCUSD', 'BTCUSDT', 'NOSUCH'),
    exchange: fc.constantFrom('KRAKEN', 'COINBASE', 'NOSUCH'),
    startUs: fc.constantFrom(MIDNIGHT_US - 1, MIDNIGHT_US, MIDNIGHT_US + 1),
    endUs: fc.constantFrom(MIDNIGHT_US + 1, MIDNIGHT_US + 3_600_000_000),
    limit: fc.nat({ max: 20 }),
  },
  { requiredKeys: [] },
);

test('trades are read back as they were, merged by (time, id), filtered', async () => {
  const lake = memoryLake();
  const encoder = new TradeEncoder(INSTRUMENTS, lake.sink);
  await fc.assert(
    fc.asyncProperty(trades, filter, fc.nat(), async (all, wanted, cut) => {
      const middle = cut % (all.length + 1); // two jobs, whose files share partitions
      const files = [all.slice(0, middle), all.slice(middle)].flatMap((part, k) =>
        encoder.run(tradesJob(part, `job-${k}`)),
      );
      const expected = all
        .filter(({ timeUs, instrument }) => {
          const { symbol, exchange } = INSTRUMENTS[instrument] as (typeof INSTRUMENTS)[number];
          return (
            symbol === (wanted.symbol ?? symbol) &&
            exchange === (wanted.exchange ?? exchange) &&
            timeUs >= (wanted.startUs ?? timeUs) &&
            timeUs < (wanted.endUs ?? Number.POSITIVE_INFINITY)
          );
        })
        .sort((a, b) => a.timeUs - b.timeUs || a.id - b.id)
        .slice(0, wanted.limit);
      assert.deepEqual(
        await rowsOf(readTrades(lake.read, files, wanted)),
        expected.map(expectedTrade),
      );
    }),
    { numRuns: 40 },
  );
});

test('candles are read back as they were, by window, then exchange and symbol', async () => {
  await fc.assert(
    fc.asyncProperty(
      candles('15m', MIDNIGHT_US),
      candles('15m', MIDNIGHT_US - 86_400_000_000),
      async (a, b) => {
        const lake = memoryLake();
        const encoder = new CandleEncoder(INSTRUMENTS, lake.sink);
        const files = [a, b].flatMap((day, k) =>
          encoder.run({
            kind: 'candles',
            timeframe: '15m',
            records: candleRecords(day),
            name: String(k),
          }),
        );
        const expected = inCandleOrder([...a, ...b])
          .sort((x, y) => x.startUs - y.startUs)
          .map((candle) => {
            const row = candleRow(candle);
            return {
              ...row,
              window_start: Number(row.window_start),
              window_end: Number(row.window_end),
              trade_count: Number(row.trade_count),
              first_trade_id: Number(row.first_trade_id),
              last_trade_id: Number(row.last_trade_id),
            } as CandleRow;
          });
        assert.deepEqual(await rowsOf(readCandles(lake.read, files)), expected);
        const kraken = { exchange: 'KRAKEN', symbol: 'BTCUSD' };
        assert.deepEqual(
          await rowsOf(readCandles(lake.read, files, kraken)),
          expected.filter((row) => row.exchange === 'KRAKEN' && row.symbol === 'BTCUSD'),
        );
      },
    ),
    { numRuns: 15 },
  );
});

test('dead letters are read back with their raw bytes', async () => {
  const lake = memoryLake();
  const rows: DeadLetterRow[] = [3, 1, 2].map((sequence) => ({
    raw: Uint8Array.of(0, 255, sequence),
    index: sequence - 2,
    reason: sequence,
    receiveTimeUs: MIDNIGHT_US + sequence,
    exchange: 'BINANCE',
    sequence,
  }));
  const files = new DeadLetterEncoder(lake.sink).run({ kind: 'dead-letters', rows, name: 'd' });
  const read = await rowsOf(readDeadLetters(lake.read, files));
  assert.deepEqual(
    read,
    [1, 2, 3].map((sequence) => ({
      raw_record: Uint8Array.of(0, 255, sequence),
      record_index: sequence - 2,
      error_reason: REASONS[sequence]?.name,
      error_type: REASONS[sequence]?.type,
      error_timestamp: MIDNIGHT_US + sequence,
      bronze_source: 'BINANCE',
      offset: sequence,
      dlq_date: '2026-11-23',
    })),
  );
  const reason = String(REASONS[2]?.name);
  assert.deepEqual(
    await rowsOf(readDeadLetters(lake.read, files, { reason, exchange: 'BINANCE' })),
    [read[1]],
  );
});

test('a damaged, missing or foreign file is refused by name', async () => {
  const lake = memoryLake();
  const [file] = new TradeEncoder(INSTRUMENTS, lake.sink).run(
    tradesJob(fc.sample(trade, { numRuns: 1, seed: 2 }), 'one'),
  );
  assert.ok(file);
  const refused = (what: RegExp) => (error: unknown) =>
    error instanceof UserError &&
    error.exitCode === EXIT.io &&
    error.message.includes(file.path) &&
    error.message.includes('bullion rebuild') &&
    what.test(error.message);
  const bytes = await lake.read(file.path);
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: bytes.length * 8 - 1 }), async (bit) => {
      const damaged = Uint8Array.from(bytes);
      damaged[bit >> 3] = damaged[bit >> 3] ^ (1 << (bit & 7));
      await assert.rejects(rowsOf(readTrades(async () => damaged, [file])), refused(/SHA-256/));
    }),
    { numRuns: 50 },
  );
  const { path, partition } = file;
  const foreign = async () => Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  await assert.rejects(
    rowsOf(readTrades(foreign, [{ path, partition }])),
    refused(/not a readable/),
  );
  lake.disk.unlink(`/lake/${file.path}`);
  await assert.rejects(rowsOf(readTrades(lake.read, [file])), refused(/ENOENT/));
});

test('files of partitions outside the asked time are not opened', async () => {
  const lake = memoryLake();
  const at = (timeUs: number) => ({
    ...(fc.sample(trade, { numRuns: 1, seed: 2 })[0] as Trade),
    timeUs,
  });
  const hours = [0, 1, 2].map((hour) => at(MIDNIGHT_US + hour * 3_600_000_000));
  const files = new TradeEncoder(INSTRUMENTS, lake.sink).run(tradesJob(hours, 'hours'));
  const opened: string[] = [];
  const read = (path: string) => {
    opened.push(path);
    return lake.read(path);
  };
  const startUs = MIDNIGHT_US + 3_600_000_000;
  assert.equal((await rowsOf(readTrades(read, files, { startUs, endUs: startUs + 1 }))).length, 1);
  assert.deepEqual(opened, [files[1]?.path]);
  assert.equal((await rowsOf(readTrades(read, files, { limit: 1 }))).length, 1);
  assert.deepEqual(opened.slice(1), [files[0]?.path]);
});
