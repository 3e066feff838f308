import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { CANDLE } from '#schemas/candle';
import { TIMEFRAMES } from '#schemas/timeframe';
import { nodeDisk } from '#src/base/node-disk';
import { vwap } from '#src/candles/vwap';
import { CandleEncoder } from '#src/lake/candle-encoder';
import { candleRecords, candleRow, candles, inCandleOrder } from '#tests/lake/candle-rows';
import { describe, fieldIds, rowsOf } from '#tests/lake/duckdb';
import { INSTRUMENTS, MIDNIGHT_US } from '#tests/lake/trade-rows';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const lakeDir = temporaryDirectory(test, 'lake');
const encoder = new CandleEncoder(INSTRUMENTS, { lakeDir, disk: nodeDisk() });
const MONTH_US = Date.UTC(2026, 10, 1) * 1000;
const DAY_US = 86_400_000_000;
let jobs = 0;

const COLUMNS = CANDLE.columns
  .map(({ name, type }) => {
    if (type === 'timestamptz') return `epoch_us(${name})::VARCHAR AS ${name}`;
    return type === 'int' || type === 'boolean' ? name : `${name}::VARCHAR AS ${name}`;
  })
  .join(', ');

for (const timeframe of TIMEFRAMES) {
  const daily = timeframe === '1d';
  test(`DuckDB reads exactly the ${timeframe} candles put in, sorted`, async () => {
    const some = candles(timeframe, daily ? MONTH_US : MIDNIGHT_US);
    await fc.assert(
      fc.asyncProperty(some, async (all) => {
        const name = `job-${jobs++}`;
        const files = encoder.run({
          kind: 'candles',
          timeframe,
          records: candleRecords(all),
          name,
        });
        assert.equal(files.length, 1);
        const partition = daily ? 'window_month=2026-11' : 'window_date=2026-11-23';
        assert.equal(files[0]?.partition, partition);
        assert.equal(files[0]?.path, `gold_ohlcv_${timeframe}/data/${partition}/${name}.parquet`);
        assert.equal(files[0]?.rows, all.length);
        const actual = await rowsOf(join(lakeDir, files[0]?.path), COLUMNS);
        assert.deepEqual(actual, inCandleOrder(all).map(candleRow));
      }),
      { numRuns: 6 },
    );
  });
}

test('types and field ids are those of the schema', async () => {
  const [all] = fc.sample(candles('5m', MIDNIGHT_US), { numRuns: 1, seed: 4 });
  const records = candleRecords(all ?? []);
  const [file] = encoder.run({ kind: 'candles', timeframe: '5m', records, name: 'typed' });
  const path = join(lakeDir, file?.path as string);
  const price = 'DECIMAL(18,8)';
  const time = 'TIMESTAMP WITH TIME ZONE';
  assert.deepEqual(
    (await describe(path)).map(([, type]) => type),
    ['VARCHAR', 'VARCHAR', time, time, 'DATE', price, price, price, price]
      .concat(['DECIMAL(38,8)', 'BIGINT', price, 'DECIMAL(38,16)', 'BIGINT', 'BIGINT'])
      .concat(['INTEGER', 'BOOLEAN', 'BOOLEAN']),
  );
  const ids = await fieldIds(path);
  ids.delete('arrow_schema');
  assert.deepEqual(
    [...ids],
    CANDLE.columns.map(({ name, id }) => [name, id]),
  );
});

test('candles of two partitions or another timeframe in one job are a bug', () => {
  const [today = []] = fc.sample(candles('1m', MIDNIGHT_US), { numRuns: 1, seed: 1 });
  const [tomorrow = []] = fc.sample(candles('1m', MIDNIGHT_US + DAY_US), { numRuns: 1, seed: 1 });
  const job = (records: Uint8Array, timeframe: '1m' | '5m' = '1m') =>
    encoder.run({ kind: 'candles', timeframe, records, name: 'wrong' });
  assert.throws(() => job(candleRecords([...today, ...tomorrow])), /several partitions/);
  assert.throws(() => job(candleRecords(today), '5m'), /timeframe 0 in a 5m job/);
  assert.throws(() => job(candleRecords(today).subarray(1)), /no whole number of candle records/);
});

test('records that do not start on a word are read all the same', () => {
  const [all = []] = fc.sample(candles('1m', MIDNIGHT_US), { numRuns: 1, seed: 2 });
  const records = candleRecords(all);
  const shifted = new Uint8Array(records.length + 3);
  shifted.set(records, 3);
  const digest = (bytes: Uint8Array) =>
    encoder.run({ kind: 'candles', timeframe: '1m', records: bytes, name: 'at' })[0]?.sha256;
  assert.equal(digest(shifted.subarray(3)), digest(records));
});

test('vwap is rounded half up, by exact arithmetic', () => {
  assert.equal(vwap(5n, 2n), 3n);
  assert.equal(vwap(4n, 3n), 1n);
  assert.equal(vwap(5n, 3n), 2n);
  fc.assert(
    fc.property(fc.bigInt(0n, 10n ** 37n), fc.bigInt(1n, 10n ** 30n), (quote, volume) => {
      const rounded = vwap(quote, volume);
      assert.ok(2n * rounded * volume - volume <= 2n * quote); // not more than half above
      assert.ok(2n * quote < 2n * rounded * volume + volume); // less than half below
    }),
  );
});
