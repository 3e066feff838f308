import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { BENCH_INSTRUMENTS, marketTrades } from '#bench/trade-market';
import { TRADE } from '#schemas/trade';
import { bigInt64 } from '#src/base/int64';
import { nodeDisk } from '#src/base/node-disk';
import { ROWS_PER_FILE_MAX } from '#src/lake/rows-per-file';
import { TradeEncoder } from '#src/lake/trade-encoder';
import { describe, fieldIds, query, rowsOf } from '#tests/lake/duckdb';
import {
  INSTRUMENTS,
  inFileOrder,
  MIDNIGHT_US,
  partitionOf,
  trade,
  tradeRow,
  tradesJob,
} from '#tests/lake/trade-rows';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const lakeDir = temporaryDirectory(test, 'lake');
const encoder = new TradeEncoder(INSTRUMENTS, { lakeDir, disk: nodeDisk() });
let jobs = 0;

/** The 17 columns with longs and times as text, nested ones as JSON. */
const COLUMNS = `message_id, trade_id, symbol, exchange, asset_class,
  epoch_us(timestamp)::VARCHAR AS timestamp, price::VARCHAR AS price, quantity::VARCHAR AS quantity,
  currency, side, to_json(trade_conditions)::VARCHAR AS trade_conditions,
  source_sequence::VARCHAR AS source_sequence, epoch_us(ingestion_timestamp)::VARCHAR AS ingestion_timestamp,
  platform_sequence::VARCHAR AS platform_sequence, to_json(vendor_data)::VARCHAR AS vendor_data,
  exchange_date::VARCHAR AS exchange_date, exchange_hour`;

test('DuckDB reads exactly the trades put in, by partition and in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(trade, { minLength: 1, maxLength: 120 }), async (trades) => {
      const files = encoder.run(tradesJob(trades, `job-${jobs++}`));
      const partitions = [...new Set(trades.map(partitionOf))].sort();
      assert.deepEqual(
        files.map((file) => file.partition),
        partitions,
      );
      for (const file of files) {
        const expected = inFileOrder(trades.filter((t) => partitionOf(t) === file.partition));
        const actual = (await rowsOf(join(lakeDir, file.path), COLUMNS)).map((row) => ({
          ...row,
          trade_conditions: JSON.parse(String(row.trade_conditions)),
          vendor_data: JSON.parse(String(row.vendor_data)),
        }));
        assert.deepEqual(actual, expected.map(tradeRow));
        assert.equal(file.rows, expected.length);
      }
    }),
    { numRuns: 20 },
  );
});

test('a staged file says what is on disk', () => {
  const trades = fc.sample(trade, { numRuns: 40, seed: 5 });
  const files = encoder.run(tradesJob(trades, 'said', 'silver_kraken_trades'));
  assert.ok(files.length > 1);
  for (const [k, file] of files.entries()) {
    assert.equal(file.table, 'silver_kraken_trades');
    assert.equal(file.path, `silver_kraken_trades/data/${file.partition}/said-${k}.parquet`);
    const bytes = readFileSync(join(lakeDir, file.path));
    assert.equal(file.bytes, bytes.length);
    assert.equal(file.sha256, createHash('sha256').update(bytes).digest('hex'));
  }
  const left = readdirSync(lakeDir, { recursive: true }).filter((name) =>
    String(name).endsWith('.tmp'),
  );
  assert.deepEqual(left, []);
});

test('the same job gives the same bytes', () => {
  const trades = fc.sample(trade, { numRuns: 40, seed: 6 });
  const digests = () => encoder.run(tradesJob(trades, 'again')).map((file) => file.sha256);
  assert.deepEqual(digests(), digests());
});

test('types and field ids are those of the schema', async () => {
  const [file] = encoder.run(tradesJob(fc.sample(trade, { numRuns: 1, seed: 1 }), 'typed'));
  assert.ok(file?.path.endsWith('/typed.parquet'));
  const path = join(lakeDir, file.path);
  assert.deepEqual(await describe(path), [
    ['message_id', 'VARCHAR'],
    ['trade_id', 'VARCHAR'],
    ['symbol', 'VARCHAR'],
    ['exchange', 'VARCHAR'],
    ['asset_class', 'VARCHAR'],
    ['timestamp', 'TIMESTAMP WITH TIME ZONE'],
    ['price', 'DECIMAL(18,8)'],
    ['quantity', 'DECIMAL(18,8)'],
    ['currency', 'VARCHAR'],
    ['side', 'VARCHAR'],
    ['trade_conditions', 'VARCHAR[]'],
    ['source_sequence', 'BIGINT'],
    ['ingestion_timestamp', 'TIMESTAMP WITH TIME ZONE'],
    ['platform_sequence', 'BIGINT'],
    ['vendor_data', 'MAP(VARCHAR, VARCHAR)'],
    ['exchange_date', 'DATE'],
    ['exchange_hour', 'INTEGER'],
  ]);
  const ids = await fieldIds(path);
  for (const structural of ['arrow_schema', 'list', 'key_value']) ids.delete(structural);
  assert.deepEqual(Object.fromEntries(ids), {
    message_id: 1,
    trade_id: 2,
    symbol: 3,
    exchange: 4,
    asset_class: 5,
    timestamp: 6,
    price: 7,
    quantity: 8,
    currency: 9,
    side: 10,
    trade_conditions: 11,
    element: 18,
    source_sequence: 12,
    ingestion_timestamp: 13,
    platform_sequence: 14,
    vendor_data: 15,
    key: 19,
    value: 20,
    exchange_date: 16,
    exchange_hour: 17,
  });
  const optional = await query(
    `SELECT name FROM parquet_schema('${path}') WHERE repetition_type = 'OPTIONAL'`,
  );
  assert.deepEqual(optional, [{ name: 'source_sequence' }]);
});

test('columns keep their compact encodings and statistics', async () => {
  const trades = fc.sample(trade, { numRuns: 30, seed: 9 });
  const files = encoder.run(tradesJob(trades, 'encoded'));
  const path = join(lakeDir, files[0]?.path as string);
  const columns = await query(
    `SELECT path_in_schema AS name, encodings, compression, stats_min_value IS NOT NULL AS bounded
     FROM parquet_metadata('${path}')`,
  );
  const of = (name: string) => columns.find((column) => column.name === name);
  for (const name of ['message_id', 'trade_id']) {
    assert.match(String(of(name)?.encodings), /DELTA_BYTE_ARRAY/);
  }
  for (const name of ['timestamp', 'ingestion_timestamp', 'platform_sequence']) {
    assert.match(String(of(name)?.encodings), /DELTA_BINARY_PACKED/);
  }
  assert.match(String(of('side')?.encodings), /DICTIONARY/);
  for (const name of ['timestamp', 'price', 'platform_sequence']) {
    assert.equal(of(name)?.bounded, true, name);
  }
  // The footer does without these; the table's metadata has them all the same.
  for (const id of TRADE.columns.flatMap(({ name, id }) =>
    name === 'symbol' || name === 'exchange' ? [id] : [],
  )) {
    assert.ok(
      files[0]?.metrics.lower[id] !== undefined && files[0].metrics.upper[id] !== undefined,
    );
  }
  assert.ok(columns.every((column) => column.compression === 'ZSTD'));
});

test('an hour with more rows than a file may have becomes several, each sorted', async () => {
  const rows = ROWS_PER_FILE_MAX + 1;
  const batch = marketTrades(rows, 3, MIDNIGHT_US);
  const market = new TradeEncoder(BENCH_INSTRUMENTS, { lakeDir, disk: nodeDisk() });
  const { memory, capacity } = batch;
  const job = { kind: 'trades', tables: ['many'], name: 'many', memory, capacity, rows } as const;
  const files = market.run(job);
  assert.deepEqual(
    files.map((file) => [file.path.split('/').at(-1), file.rows]),
    [
      ['many-0.parquet', ROWS_PER_FILE_MAX / 2],
      ['many-1.parquet', ROWS_PER_FILE_MAX / 2 + 1],
    ],
  );
  const paths = files.map((file) => `'${join(lakeDir, file.path)}'`);
  const [checks] = await query(
    `WITH stored AS (
       SELECT *, split_part(trade_id, '-', 2)::BIGINT AS id, filename,
         lag(symbol) OVER w AS before_symbol, lag(timestamp) OVER w AS before_time,
         lag(split_part(trade_id, '-', 2)::BIGINT) OVER w AS before_id
       FROM read_parquet([${paths}], hive_partitioning=false, filename=true, file_row_number=true)
       WINDOW w AS (ORDER BY filename, file_row_number))
     SELECT count(DISTINCT message_id)::INT AS distinct_ids, count(*)::INT AS stored,
       count(*) FILTER (before_symbol IS NOT NULL
         AND (before_symbol, before_time, before_id) > (symbol, timestamp, id))::INT AS unsorted
     FROM stored`,
  );
  assert.deepEqual(checks, { distinct_ids: rows, stored: rows, unsorted: 0 });

  // Every row in one equation: gathered in many pieces, no value may come from a neighbour.
  const [stored] = await query(
    `SELECT sum(split_part(trade_id, '-', 2)::HUGEINT % 1000003 * (price::DECIMAL(38, 8) * 100000000)::HUGEINT)::VARCHAR AS prices,
       sum((quantity::DECIMAL(38, 8) * 100000000)::HUGEINT * (platform_sequence % 1000003))::VARCHAR AS quantities,
       sum(epoch_us(timestamp)::HUGEINT * (CASE side WHEN 'BUY' THEN 1 ELSE 2 END))::VARCHAR AS times
     FROM read_parquet([${paths}], hive_partitioning=false)`,
  );
  let [prices, quantities, times] = [0n, 0n, 0n];
  for (let row = 0; row < rows; row++) {
    const sequence = bigInt64(batch.frameSequence, row) * 131_072n;
    prices += (bigInt64(batch.tradeId, row) % 1_000_003n) * bigInt64(batch.price, row);
    quantities += bigInt64(batch.quantity, row) * (sequence % 1_000_003n);
    times += bigInt64(batch.time, row) * BigInt(1 + batch.side[row]);
  }
  assert.deepEqual(stored, {
    prices: String(prices),
    quantities: String(quantities),
    times: String(times),
  });
});

test('rows for two tables are encoded once: the same bytes, a file in each', () => {
  const batch = marketTrades(100, 5, MIDNIGHT_US);
  const market = new TradeEncoder(BENCH_INSTRUMENTS, { lakeDir, disk: nodeDisk() });
  const tables = ['silver_binance_trades', 'gold_crypto_trades'];
  const { memory, capacity } = batch;
  const files = market.run({ kind: 'trades', tables, name: 'twice', memory, capacity, rows: 100 });
  const [silver = [], gold = []] = tables.map((name) =>
    files.filter(({ table }) => table === name).map(({ table: _, path, ...file }) => file),
  );
  assert.equal(
    silver.reduce((sum, { rows }) => sum + rows, 0),
    100,
  );
  assert.deepEqual(silver, gold);
  for (const { path, sha256 } of files) {
    const bytes = readFileSync(join(lakeDir, path));
    assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256);
  }
});
