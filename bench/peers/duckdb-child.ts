/**
 * DuckDB doing the pipeline's job: frames as JSON lines to silver, gold and candles in Parquet.
 *
 * It gets the cheapest form of every step that keeps the result: the first of equal trades by a
 * semi-join over keys alone, candles' open and close by trade id (which rises with time here), zstd,
 * rows in any order.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { EXCHANGES, type Exchange } from '#schemas/exchange';
import { answerParent, measureProcess } from '../pinned-child.js';
import { instrumentRows, ROLL_UPS } from './instrument-rows.js';
import type { PeerAnswer, PeerRequest } from './peer.js';

/** Per exchange: the trades in its frames as (r, n, native, id, us, price, quantity, side, sequence). */
const READERS: Readonly<Record<Exchange, (file: string) => string>> = {
  // Keys that differ in case only ("t", "T") cannot be columns of DuckDB's reader: paths can.
  BINANCE: (file) => `
    SELECT v[1]::BIGINT AS r, v[2]::BIGINT AS n, v[3] AS native, TRY_CAST(v[4] AS BIGINT) AS id,
      TRY_CAST(v[5] AS BIGINT) * 1000 AS us, TRY_CAST(v[6] AS DECIMAL(18, 8)) AS price,
      TRY_CAST(v[7] AS DECIMAL(18, 8)) AS quantity,
      CASE v[8] WHEN 'true' THEN 'SELL' WHEN 'false' THEN 'BUY' END AS side,
      NULL::BIGINT AS sequence, 0 AS k
    FROM (SELECT json_extract_string(json, ['$.r', '$.n', '$.data.s', '$.data.t', '$.data.T',
        '$.data.p', '$.data.q', '$.data.m', '$.data.e']) AS v
      FROM read_ndjson_objects('${file}', ignore_errors = true))
    WHERE v[9] = 'trade'`,
  KRAKEN: (file) => `
    SELECT r, n, t.symbol AS native, t.trade_id AS id, epoch_us(t.timestamp) AS us, t.price AS price,
      t.qty AS quantity, CASE t.side WHEN 'buy' THEN 'BUY' WHEN 'sell' THEN 'SELL' END AS side,
      NULL::BIGINT AS sequence, t.k AS k
    FROM (SELECT r, n, unnest(list_transform(data, (x, i) -> struct_insert(x, k := i - 1))) AS t
      FROM read_json('${file}', format = 'newline_delimited', ignore_errors = true,
        columns = {r: 'BIGINT', n: 'BIGINT', channel: 'VARCHAR', data: 'STRUCT(symbol VARCHAR,
          side VARCHAR, price DECIMAL(18, 8), qty DECIMAL(18, 8), trade_id BIGINT,
          "timestamp" TIMESTAMP)[]'})
      WHERE channel = 'trade')`,
  COINBASE: (file) => `
    SELECT r, n, product_id AS native, trade_id AS id, epoch_us("time") AS us, price, size AS quantity,
      CASE side WHEN 'buy' THEN 'SELL' WHEN 'sell' THEN 'BUY' END AS side, sequence, 0 AS k
    FROM read_json('${file}', format = 'newline_delimited', ignore_errors = true,
      columns = {r: 'BIGINT', n: 'BIGINT', type: 'VARCHAR', product_id: 'VARCHAR',
        trade_id: 'BIGINT', "time": 'TIMESTAMP', price: 'DECIMAL(18, 8)', size: 'DECIMAL(18, 8)',
        side: 'VARCHAR', sequence: 'BIGINT'})
    WHERE type IN ('match', 'last_match')`,
};

const VALID = `id IS NOT NULL AND price > 0 AND quantity > 0 AND side IS NOT NULL
  AND us BETWEEN r - 31536000000000 AND r + 5000000`;

function silver(exchange: Exchange, file: string, columns: string): string {
  return `SELECT ${columns} FROM (${READERS[exchange](file)})
    JOIN (VALUES ${instrumentRows(exchange)}) AS i(native, symbol, quote, prefix) USING (native)
    WHERE ${VALID}`;
}

const WHOLE = (exchange: Exchange): string => `
  concat(prefix, substr(h, 1, 3), '-', substr(h, 4)) AS message_id,
  concat('${exchange}-', id) AS trade_id, symbol, '${exchange}' AS exchange,
  'crypto' AS asset_class, make_timestamptz(us) AS "timestamp", price, quantity,
  quote AS currency, side, []::VARCHAR[] AS trade_conditions, sequence AS source_sequence,
  make_timestamptz(r) AS ingestion_timestamp, n * 131072 + k AS platform_sequence,
  MAP {}::MAP(VARCHAR, VARCHAR) AS vendor_data, make_timestamptz(us)::DATE AS exchange_date,
  hour(make_timestamptz(us))::INTEGER AS exchange_hour, id, us`;
const LITTLE = (exchange: Exchange): string =>
  `'${exchange}' AS exchange, symbol, id, us, price, quantity`;

const MINUTES = `SELECT exchange, symbol, us - us % 60000000 AS window_start,
    arg_min(price, id) AS open, max(price) AS high, min(price) AS low, arg_max(price, id) AS close,
    sum(quantity) AS volume, count(*) AS trades, sum(price::DECIMAL(20, 8) * quantity) AS quote_volume,
    min(id) AS first_id, max(id) AS last_id
  FROM gold GROUP BY ALL`;

answerParent(async ({ job, threads, lines, dir }: PeerRequest): Promise<PeerAnswer> => {
  const taken = measureProcess();
  const instance = await DuckDBInstance.create(':memory:', { threads: String(threads) });
  const connection = await instance.connect();
  await connection.run("SET TimeZone = 'UTC'; SET preserve_insertion_order = false");
  await connection.run(`SET temp_directory = '${join(dir, 'spilled')}'`);
  const to = (name: string): string =>
    `'${join(dir, name)}.parquet' (FORMAT parquet, COMPRESSION zstd)`;
  const toHours = (name: string): string =>
    `'${join(dir, name)}' (FORMAT parquet, COMPRESSION zstd, WRITE_PARTITION_COLUMNS true,
      PARTITION_BY (exchange_date, exchange_hour))`;
  const columns = job === 'whole' ? WHOLE : LITTLE;
  for (const exchange of EXCHANGES) {
    const name = `silver_${exchange}`;
    await connection.run(
      `CREATE TEMP TABLE ${name} AS ${
        job === 'whole'
          ? `WITH h AS (${silver(exchange, lines[exchange], '*')}) SELECT ${columns(exchange)} FROM (
            SELECT *, lpad(lower(to_hex(id)), 15, '0') AS h FROM h)`
          : silver(exchange, lines[exchange], columns(exchange))
      }`,
    );
    if (job === 'whole') {
      await connection.run(`COPY (SELECT * EXCLUDE (id, us) FROM ${name}) TO ${toHours(name)}`);
    }
  }
  const all = EXCHANGES.map((exchange) => `SELECT * FROM silver_${exchange}`).join(' UNION ALL ');
  if (job === 'whole') {
    await connection.run(`CREATE TEMP TABLE gold AS SELECT * FROM (${all})
      WHERE (exchange, platform_sequence) IN (
        SELECT (exchange, min(platform_sequence)) FROM (${all}) GROUP BY exchange, symbol, id)`);
    await connection.run(`COPY (SELECT * EXCLUDE (id, us) FROM gold) TO ${toHours('gold')}`);
  } else {
    await connection.run(
      `CREATE TEMP TABLE gold AS SELECT DISTINCT ON (exchange, symbol, id) * FROM (${all})`,
    );
    await connection.run(`COPY gold TO ${to('gold')}`);
  }
  await connection.run(`CREATE TEMP TABLE candles_1m AS ${MINUTES}`);
  await connection.run(`COPY candles_1m TO ${to('candles_1m')}`);
  for (const { name, from, seconds } of job === 'whole' ? ROLL_UPS : []) {
    await connection.run(`CREATE TEMP TABLE candles_${name} AS
      SELECT exchange, symbol, window_start - window_start % ${seconds * 1e6} AS window_start,
        arg_min(open, first_id) AS open, max(high) AS high, min(low) AS low,
        arg_max(close, last_id) AS close, sum(volume) AS volume, sum(trades)::BIGINT AS trades,
        sum(quote_volume) AS quote_volume, min(first_id) AS first_id, max(last_id) AS last_id
      FROM candles_${from} GROUP BY ALL`);
    await connection.run(`COPY candles_${name} TO ${to(`candles_${name}`)}`);
  }
  const usage = taken();
  const result = await connection.runAndReadAll(
    `SELECT (SELECT count(*) FROM gold), (SELECT (sum(quantity) * 100000000)::HUGEINT FROM gold),
      (SELECT sum(trades) FROM candles_1m), (SELECT count(*) FROM candles_1m),
      ${job === 'whole' ? '(SELECT sum(platform_sequence::HUGEINT) FROM gold)' : '0'}`,
  );
  const [gold, volume, candleTrades, candles, sequences] = result.getRows()[0] as bigint[];
  const files = readdirSync(dir, { recursive: true })
    .filter((name) => String(name).endsWith('.parquet'))
    .map((name) => statSync(join(dir, String(name))).size);
  return {
    usage,
    gold: Number(gold),
    volume: String(volume),
    sequences: String(sequences),
    candleTrades: Number(candleTrades),
    candles: Number(candles),
    bytes: files.reduce((sum, bytes) => sum + bytes, 0),
  };
});
