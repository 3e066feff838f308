/**
 * ClickHouse in process (chdb) doing the pipeline's job: frames as JSON lines to silver, gold and
 * candles in Parquet. As with DuckDB, every step in the cheapest form that keeps the result.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EXCHANGES, type Exchange } from '#schemas/exchange';
import { parseScaled } from '#src/base/decimal';
import { answerParent, measureProcess } from '../pinned-child.js';
import { instrumentRows, ROLL_UPS } from './instrument-rows.js';
import type { PeerAnswer, PeerRequest } from './peer.js';

/** Wide enough for the invalid ones, which are to be left out and not to end the query. */
const DECIMAL = 'Nullable(Decimal(38, 8))';

/**
 * One value per line by JSONExtract, which answers a default for what it cannot read: JSONEachRow
 * ends the query at an invalid trade, and told to allow errors it loses count of its columns.
 */
function extracted(file: string, type: string): string {
  return `SELECT JSONExtract(json, 'Tuple(${type})') AS d FROM file('${file}', JSONAsString, 'json String')`;
}

const READERS: Readonly<Record<Exchange, (file: string) => string>> = {
  BINANCE: (file) => `
    SELECT d.r AS r, d.n AS n, d.data.s AS native, d.data.t AS id, d.data.T * 1000 AS us,
      d.data.p AS price, d.data.q AS quantity, if(d.data.m, 'SELL', 'BUY') AS side,
      NULL::Nullable(Int64) AS sequence, 0 AS k
    FROM (${extracted(
      file,
      `r Int64, n Int64, data Tuple(e String, s String, t Int64, p ${DECIMAL}, q ${DECIMAL},
        T Int64, m Nullable(Bool))`,
    )})
    WHERE d.data.e = 'trade' AND d.data.m IS NOT NULL`,
  KRAKEN: (file) => `
    SELECT d.r AS r, d.n AS n, t.symbol AS native, t.trade_id AS id,
      toUnixTimestamp64Micro(parseDateTime64BestEffortOrZero(t.timestamp, 6, 'UTC')) AS us,
      t.price AS price, t.qty AS quantity,
      multiIf(t.side = 'buy', 'BUY', t.side = 'sell', 'SELL', '') AS side,
      NULL::Nullable(Int64) AS sequence, k - 1 AS k
    FROM (${extracted(
      file,
      `r Int64, n Int64, channel String, data Array(Tuple(symbol String, side String,
        price ${DECIMAL}, qty ${DECIMAL}, trade_id Int64, timestamp String))`,
    )})
    ARRAY JOIN d.data AS t, arrayEnumerate(d.data) AS k WHERE d.channel = 'trade'`,
  COINBASE: (file) => `
    SELECT d.r AS r, d.n AS n, d.product_id AS native, d.trade_id AS id,
      toUnixTimestamp64Micro(parseDateTime64BestEffortOrZero(d.time, 6, 'UTC')) AS us,
      d.price AS price, d.size AS quantity,
      multiIf(d.side = 'buy', 'SELL', d.side = 'sell', 'BUY', '') AS side,
      d.sequence::Nullable(Int64) AS sequence, 0 AS k
    FROM (${extracted(
      file,
      `r Int64, n Int64, type String, product_id String, trade_id Int64, time String,
        price ${DECIMAL}, size ${DECIMAL}, side String, sequence Int64`,
    )})
    WHERE d.type IN ('match', 'last_match')`,
};

const SETTINGS = `output_format_parquet_compression_method = 'zstd'`;

const WHOLE = (exchange: Exchange): string => `
  concat(prefix, substring(h, 1, 3), '-', substring(h, 4)) AS message_id,
  concat('${exchange}-', toString(id)) AS trade_id, symbol, '${exchange}' AS exchange,
  'crypto' AS asset_class, fromUnixTimestamp64Micro(us, 'UTC') AS timestamp,
  toDecimal64(assumeNotNull(price), 8) AS price, toDecimal64(assumeNotNull(quantity), 8) AS quantity, quote AS currency, side,
  []::Array(String) AS trade_conditions, sequence AS source_sequence,
  fromUnixTimestamp64Micro(r, 'UTC') AS ingestion_timestamp, n * 131072 + k AS platform_sequence,
  map()::Map(String, String) AS vendor_data, toDate32(timestamp) AS exchange_date,
  toInt32(toHour(timestamp)) AS exchange_hour, id, us,
  leftPad(lower(hex(id)), 15, '0') AS h`;
const LITTLE = (exchange: Exchange): string => `'${exchange}' AS exchange, symbol, id, us,
  toDecimal64(assumeNotNull(price), 8) AS price, toDecimal64(assumeNotNull(quantity), 8) AS quantity`;

function silver(exchange: Exchange, file: string, columns: string): string {
  const instruments = `SELECT * FROM values('native String, symbol String, quote String,
    prefix String', ${instrumentRows(exchange)})`;
  return `SELECT ${columns} FROM (${READERS[exchange](file)}) AS trades
    INNER JOIN (${instruments}) AS instruments USING (native)
    WHERE id > 0 AND trades.price > 0 AND trades.price < 10000000000 AND trades.quantity > 0
      AND trades.quantity < 10000000000 AND side != ''
      AND us BETWEEN r - 31536000000000 AND r + 5000000`;
}

const SUM = 'Decimal(38, 16)';

answerParent(async ({ job, threads, lines, dir }: PeerRequest): Promise<PeerAnswer> => {
  // Not at the top: where there is no library for the platform, that is an answer, not a crash.
  const { Session } = await import('chdb');
  const taken = measureProcess();
  const session = new Session(join(dir, 'session'));
  const run = (sql: string): string =>
    session.query(`${sql} SETTINGS ${SETTINGS}, max_threads = ${threads}`, 'TabSeparated');
  const copy = (select: string, name: string): string =>
    run(`INSERT INTO FUNCTION file('${join(dir, name)}.parquet', Parquet) ${select}`);
  const copyHours = (from: string, name: string): string =>
    run(`INSERT INTO FUNCTION file('${join(dir, name)}-{_partition_id}.parquet', Parquet)
      PARTITION BY concat(toString(exchange_date), '-', toString(exchange_hour))
      SELECT * EXCEPT (id, us, h) FROM ${from}`);
  const columns = job === 'whole' ? WHOLE : LITTLE;
  const table = (name: string, select: string): string =>
    run(`CREATE TABLE ${name} ENGINE = Memory AS ${select}`);
  for (const exchange of EXCHANGES) {
    const name = `silver_${exchange}`;
    table(name, silver(exchange, lines[exchange], columns(exchange)));
    if (job === 'whole') copyHours(name, name);
  }
  const all = EXCHANGES.map((exchange) => `SELECT * FROM silver_${exchange}`);
  const union = all.join(' UNION ALL ');
  if (job === 'whole') {
    table(
      'gold',
      `SELECT * FROM (${union}) WHERE (exchange, platform_sequence) IN (
        SELECT exchange, min(platform_sequence) FROM (${union}) GROUP BY exchange, symbol, id)`,
    );
    copyHours('gold', 'gold');
  } else {
    table('gold', `SELECT * FROM (${union}) LIMIT 1 BY exchange, symbol, id`);
    copy('SELECT * FROM gold', 'gold');
  }
  table(
    'candles_1m',
    `SELECT exchange, symbol, us - us % 60000000 AS window_start, argMin(price, id) AS open,
      max(price) AS high, min(price) AS low, argMax(price, id) AS close, sum(quantity) AS volume,
      toInt64(count()) AS trades, sum(price::${SUM} * quantity::Decimal(38, 8)) AS quote_volume,
      min(id) AS first_id, max(id) AS last_id
    FROM gold GROUP BY exchange, symbol, window_start`,
  );
  copy('SELECT * FROM candles_1m', 'candles_1m');
  for (const { name, from, seconds } of job === 'whole' ? ROLL_UPS : []) {
    table(
      `candles_${name}`,
      `SELECT exchange, symbol, c.window_start - c.window_start % ${seconds * 1e6} AS window_start,
        argMin(c.open, c.first_id) AS open, max(c.high) AS high, min(c.low) AS low,
        argMax(c.close, c.last_id) AS close, sum(c.volume) AS volume, sum(c.trades) AS trades,
        sum(c.quote_volume) AS quote_volume, min(c.first_id) AS first_id,
        max(c.last_id) AS last_id
      FROM candles_${from} AS c GROUP BY exchange, symbol, window_start`,
    );
    copy(`SELECT * FROM candles_${name}`, `candles_${name}`);
  }
  const usage = taken();
  const [gold = '', volume = '', candleTrades, candles, sequences = ''] = run(
    `SELECT (SELECT count() FROM gold),
      (SELECT toString(sum(toDecimal128(quantity, 8))) FROM gold),
      (SELECT sum(trades) FROM candles_1m), (SELECT count() FROM candles_1m),
      ${job === 'whole' ? '(SELECT toString(sum(toInt128(platform_sequence))) FROM gold)' : '0'}`,
  )
    .trim()
    .split('\t');
  const files = readdirSync(dir).filter((name) => name.endsWith('.parquet'));
  const bytes = files.reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
  session.close();
  return {
    usage,
    gold: Number(gold),
    volume: String(parseScaled(volume, 8)),
    sequences,
    candleTrades: Number(candleTrades),
    candles: Number(candles),
    bytes,
  };
});
