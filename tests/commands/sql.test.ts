/** `bullion sql` through the real command line, over imported captures. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { recordedData } from '#bench/captures';
import { TABLES } from '#schemas/tables';
import { TIMEFRAMES } from '#schemas/timeframe';
import { EXIT } from '#src/base/errors';
import { bullion, type ImportedCaptures, importCaptures } from '#tests/commands/cli';
import { query } from '#tests/lake/duckdb';

const captures = recordedData('captures');

suite('bullion sql', { skip: captures === undefined && 'no recorded captures here' }, () => {
  let data: ImportedCaptures;
  before(() => {
    data = importCaptures(captures as string);
  });
  after(() => data.remove());

  const rows = (sql: string, ...options: readonly string[]) => {
    const { status, stdout, stderr } = bullion(data.dataDir, 'sql', sql, '--json', ...options);
    assert.equal(status, EXIT.ok, stderr);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };

  /** Every file of the data directory with its size and time of change. */
  const files = (): string[] =>
    readdirSync(data.dataDir, { recursive: true })
      .map((name) => join(data.dataDir, String(name)))
      // A reader of the state notes itself in LMDB's lock file.
      .filter((path) => statSync(path).isFile() && !path.endsWith('lock.mdb'))
      .map((path) => `${path} ${statSync(path).size} ${statSync(path).mtimeMs}`)
      .sort();

  test('every table is there, by its name and in its namespace, empty or not', () => {
    assert.deepEqual(
      rows('SHOW TABLES').map(({ name }) => name),
      TABLES.map(({ name }) => name).sort(),
    );
    const counts = TABLES.map(({ name }) => `SELECT '${name}' AS t, count(*) AS n FROM ${name}`);
    const byTable = new Map(rows(counts.join(' UNION ALL ')).map(({ t, n }) => [t, n]));
    assert.equal(byTable.get('gold_crypto_trades'), 1617);
    assert.equal(byTable.get('silver_kraken_trades'), 17);
    assert.equal(byTable.get('silver_dlq_trades'), 0);
    assert.equal(byTable.get('bronze_kraken_trades'), 0); // its only segment is still open
    const [qualified] = rows('SELECT count(*) AS n FROM market_data.gold_crypto_trades');
    assert.equal(qualified?.n, 1617);
  });

  test('an empty table has the columns and types of a full one', () => {
    const types = (table: string) =>
      rows(`DESCRIBE ${table}`).map(({ column_name, column_type }) => [column_name, column_type]);
    assert.deepEqual(types('bronze_kraken_trades'), types('bronze_coinbase_trades'));
    assert.deepEqual(types('silver_dlq_trades'), [
      ['raw_record', 'BLOB'],
      ['record_index', 'INTEGER'],
      ['error_reason', 'VARCHAR'],
      ['error_type', 'VARCHAR'],
      ['error_timestamp', 'TIMESTAMP WITH TIME ZONE'],
      ['bronze_source', 'VARCHAR'],
      ['offset', 'BIGINT'],
      ['dlq_date', 'DATE'],
    ]);
  });

  test('bronze holds the imported lines of the sealed segment, byte for byte', () => {
    const file = join(captures as string, 'coinbase-btc-eth-2026-07-07.ndjson');
    const lines = readFileSync(file, 'utf8').split('\n');
    const frames = rows(
      'SELECT "sequence" AS i, kind, decode(raw_frame) AS frame FROM bronze_coinbase_trades ORDER BY i',
    );
    assert.ok(frames.length > 0);
    assert.deepEqual(
      frames,
      lines.slice(0, frames.length).map((frame, i) => ({ i, kind: 'import', frame })),
    );
  });

  test('values keep their exactness in every format', () => {
    const sql = `SELECT 0.10000000::DECIMAL(18, 8) AS d, 9007199254740993 AS i, 0.5::DOUBLE AS f,
      TIMESTAMPTZ '2026-07-07 22:59:17.897001Z' AS t, DATE '2026-07-07' AS day, NULL AS nothing,
      '=1+1' AS formula, ['a'] AS list, MAP {'k': 'v'} AS map, true AS flag, '\\xFFa'::BLOB AS bytes`;
    const format = (name: string) => bullion(data.dataDir, 'sql', sql, '--format', name).stdout;
    const json =
      '{"d":"0.10000000","i":9007199254740993,"f":0.5,"t":"2026-07-07T22:59:17.897001Z",' +
      '"day":"2026-07-07","nothing":null,"formula":"=1+1","list":["a"],"map":{"k":"v"},"flag":true,"bytes":"ÿa"}';
    assert.equal(format('jsonl'), `${json}\n`);
    assert.equal(format('json'), `[\n${json}\n]\n`);
    assert.equal(
      format('csv'),
      'd,i,f,t,day,nothing,formula,list,map,flag,bytes\n' +
        '0.10000000,9007199254740993,0.5,2026-07-07T22:59:17.897001Z,2026-07-07,,\'=1+1,"[""a""]","{""k"":""v""}",true,ÿa\n',
    );
    assert.match(format('table'), /^ *d +i +f +t .*\n-+ .*\n0\.10000000 +9007199254740993 +0\.5 /);
  });

  test('many rows come all and in order; a reader may stop reading', () => {
    const { status, stdout } = bullion(
      data.dataDir,
      ...['sql', 'SELECT i FROM range(100000) t(i) ORDER BY i', '--format', 'csv'],
    );
    assert.equal(status, EXIT.ok);
    assert.equal(stdout, `i\n${Array.from({ length: 100_000 }, (_, i) => `${i}\n`).join('')}`);
  });

  test('whatever could write, reach out or change a setting is refused in one sentence', () => {
    const inside = join(data.dataDir, 'lake');
    const before = files();
    const out = ['--out', join(data.dataDir, 'out.parquet')];
    for (const [sql, ...options] of [
      [`COPY gold_crypto_trades TO '${inside}/stolen.parquet'`],
      [`COPY gold_crypto_trades TO '${out[1]}'`, ...out],
      [`ATTACH '${inside}/other.db'`],
      ['INSTALL httpfs', ...out],
      ['SET threads = 1'],
      ['SELECT 1; SELECT 2', ...out],
      ["SELECT * FROM read_csv('/etc/passwd')"],
      ['SELECT nosuch FROM gold_crypto_trades'],
      ['/* nothing */'],
    ] as const) {
      const { status, stdout, stderr } = bullion(data.dataDir, 'sql', sql, ...options);
      assert.equal(status, EXIT.usage, `${sql}: ${stderr}`);
      assert.equal(stdout, '');
      assert.match(stderr, /^bullion: the query is refused: [^\n]+\n$/, sql);
    }
    assert.deepEqual(files(), before);
  });

  test('a query that fails while it runs says why, with another exit code', () => {
    for (const [sql, why] of [
      ["SELECT 'a'::INT", /^bullion: the query failed: Conversion Error: [^\n]+\n$/],
      ["SELECT error('boom')", /^bullion: the query failed: Invalid Input Error: boom\n$/],
      [
        'SELECT max(a) FROM (SELECT a, row_number() OVER (ORDER BY random()) FROM range(50000000) t(a))',
        /^bullion: the query failed: Out of Memory Error: [^\n]+--memory-mb\n$/,
      ],
    ] as const) {
      const { status, stderr } = bullion(data.dataDir, 'sql', sql, '--memory-mb', '100');
      assert.equal(status, EXIT.data, stderr);
      assert.match(stderr, why);
    }
  });

  test('a runaway query is ended at its time limit, one that cannot be interrupted, too', () => {
    for (const sql of [
      'SELECT count(*) FROM range(100000000000) a, range(1000) b',
      "SELECT length(repeat('x', 2000000000) || repeat('y', 1000000000))",
    ]) {
      const { status, stdout, stderr } = bullion(
        data.dataDir,
        ...['sql', sql, '--timeout', '1', '--memory-mb', '6000'],
      );
      assert.deepEqual([status, stdout], [EXIT.data, '']);
      assert.match(stderr, /^bullion: the query was ended after 1 s; [^\n]+\n$/);
    }
  });

  test('--out writes one whole Parquet file, or none', async () => {
    const out = join(data.dataDir, 'it is "out".parquet');
    const sql = 'SELECT trade_id, price, timestamp FROM gold_crypto_trades ORDER BY message_id;';
    const written = bullion(data.dataDir, 'sql', `${sql} -- end`, '--out', out, '--json');
    assert.deepEqual([written.status, written.stdout], [EXIT.ok, '{"rows":1617}\n']);
    const stored = await query(
      `SELECT trade_id, price::VARCHAR AS price, epoch_us(timestamp)::VARCHAR AS us
       FROM read_parquet('${out}', file_row_number=true) ORDER BY file_row_number`,
    );
    const us = `SELECT trade_id, price, epoch_us(timestamp)::VARCHAR AS us FROM gold_crypto_trades ORDER BY message_id`;
    assert.deepEqual(stored, rows(us));

    const before = files();
    const failed = bullion(data.dataDir, 'sql', "SELECT 'a'::INT", '--out', out);
    assert.equal(failed.status, EXIT.data, failed.stderr);
    assert.deepEqual(files(), before);
    rmSync(out);
    for (const wrong of ['out.csv', '/no/such/folder/out.parquet']) {
      assert.equal(bullion(data.dataDir, 'sql', 'SELECT 1', '--out', wrong).status, EXIT.usage);
    }
  });

  test('trades and candles are the same by command and by SQL', () => {
    const trades = bullion(data.dataDir, 'trades', '--json');
    const sql = `SELECT timestamp, exchange, symbol, trade_id, price, quantity, currency, side,
        array_to_string(trade_conditions, ' ') AS trade_conditions, source_sequence,
        ingestion_timestamp, platform_sequence::VARCHAR AS platform_sequence,
        array_to_string([e.key || '=' || e.value FOR e IN map_entries(vendor_data)], ' ') AS vendor_data,
        message_id
      FROM gold_crypto_trades ORDER BY timestamp, split_part(trade_id, '-', 2)::BIGINT`;
    assert.equal(trades.stdout.split('\n').length, 1618);
    assert.equal(bullion(data.dataDir, 'sql', sql, '--json').stdout, trades.stdout);

    // All timeframes of one instrument, the 1m candles of the others.
    const selects = TIMEFRAMES.map(
      (timeframe) => `SELECT '${timeframe}' AS timeframe, * FROM gold_ohlcv_${timeframe}
        WHERE '${timeframe}' = '1m' OR (exchange = 'BINANCE' AND symbol = 'BTCUSDT')`,
    );
    const stored = rows(
      `SELECT timeframe, exchange, symbol, strftime(window_start, '%Y-%m-%dT%H:%M:%SZ') AS window_start,
         open_price AS open, high_price AS high, low_price AS low, close_price AS close, volume,
         trade_count, vwap, quote_volume, first_trade_id, last_trade_id, revision, is_final, is_complete
       FROM (${selects.join(' UNION ALL ')}) ORDER BY window_start`,
    );
    const key = (row: Record<string, unknown>) => `${row.exchange} ${row.symbol} ${row.timeframe}`;
    const series = new Set(stored.map(key));
    assert.equal(series.size, 6 + TIMEFRAMES.length - 1);
    for (const name of series) {
      const [exchange = '', symbol = '', timeframe = ''] = name.split(' ');
      const candles = bullion(
        data.dataDir,
        ...['candles', '--exchange', exchange, '--symbol', symbol],
        ...['--timeframe', timeframe, '--json'],
      );
      const same = stored
        .filter((row) => key(row) === name)
        .map(({ timeframe: _, exchange: __, symbol: ___, ...row }) => `${JSON.stringify(row)}\n`);
      assert.equal(candles.stdout, same.join(''), name);
    }
  });

  test('a damaged or missing data file ends in one sentence that names it', () => {
    // Names count up with time: the last one is live, those before it belong to earlier snapshots.
    const of = (table: string): string =>
      files()
        .findLast((line) => line.includes(`/${table}/data/`))
        ?.split(' ')[0] as string;
    const damaged = of('gold_ohlcv_1d');
    const bytes = readFileSync(damaged);
    const ask = () => bullion(data.dataDir, 'sql', 'SELECT * FROM gold_ohlcv_1d');
    for (const damage of [() => truncateSync(damaged, 6), () => rmSync(damaged)]) {
      damage();
      const { status, stdout, stderr } = ask();
      assert.deepEqual([status, stdout], [EXIT.io, '']);
      assert.match(stderr, /^bullion: a data file cannot be read: [^\n]*gold_ohlcv_1d[^\n]*\n$/);
      writeFileSync(damaged, bytes);
    }
    assert.equal(ask().status, EXIT.ok);
  });
});
