/** Candles in all their forms, the newest trades and the UDF datafeed, from the real gateway. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { parquetReadObjects } from 'hyparquet';
import { Table, writeParquet } from 'parquet-wasm';
import { formatScaled } from '#src/base/decimal';
import { START_US, TRADED, TRADES } from '#tests/api/market-day';
import { assertProblem, importMarketDay, type Lake, type Served, serve } from '#tests/api/served';

const DAY = 'start=2026-07-07&end=2026-07-08';
const BTC = `symbol=BTCUSDT&${DAY}`;
const MINUTE_US = 60_000_000;

interface Row {
  readonly [name: string]: unknown;
}

/** 1m candles of BTCUSDT by the plainest of loops. */
function minutes(): Map<number, { open: bigint; close: bigint; volume: bigint; trades: number }> {
  const found = new Map<number, { open: bigint; close: bigint; volume: bigint; trades: number }>();
  const sorted = [...(TRADES[0] ?? [])].sort((a, b) => a.timeUs - b.timeUs || a.id - b.id);
  for (const { timeUs, price, quantity } of sorted) {
    const start = Math.floor(timeUs / MINUTE_US) * MINUTE_US;
    const candle = found.get(start) ?? { open: price, close: price, volume: 0n, trades: 0 };
    candle.close = price;
    candle.volume += quantity;
    candle.trades++;
    found.set(start, candle);
  }
  return found;
}

describe('candles', { timeout: 300_000 }, () => {
  let lake: Lake;
  let served: Served;
  before(async () => {
    lake = importMarketDay();
    served = await serve(lake.dataDir);
  });
  after(async () => {
    await served?.stop();
    lake?.remove();
  });

  const candles = async (query: string): Promise<Row[]> => {
    const got = await served.get(`/v1/ohlcv/1m?${query}`);
    assert.equal(got.status, 200, got.text.slice(0, 300));
    return got.json.candles;
  };

  it('are what the trades amount to', async () => {
    const wanted = [...minutes()].sort(([a], [b]) => a - b);
    const got = await candles(`${BTC}&limit=1000`);
    assert.deepEqual(
      got.map(({ window_start, open, close, volume, trade_count }) => [
        Date.parse(String(window_start)) * 1000,
        open,
        close,
        volume,
        trade_count,
      ]),
      wanted.map(([start, { open, close, volume, trades }]) => [
        start,
        formatScaled(open, 8),
        formatScaled(close, 8),
        formatScaled(volume, 8),
        trades,
      ]),
    );
  });

  it('are filled where they are asked to be, and only there', async () => {
    const bare = await candles(`${BTC}&limit=1000`);
    const starts = bare.map(({ window_start }) => Date.parse(String(window_start)));
    const windows = ((starts.at(-1) as number) - (starts[0] as number)) / 60_000 + 1;
    assert.ok(windows > bare.length, 'some minutes have no trade');
    for (const fill of ['previous', 'null']) {
      const filled = await candles(`${BTC}&limit=1000&fill=${fill}`);
      assert.equal(filled.length, windows);
      const known = new Map(bare.map((row) => [row.window_start, row]));
      let before = filled[0] as Row;
      for (const [i, row] of filled.entries()) {
        assert.equal(Date.parse(String(row.window_start)), (starts[0] as number) + i * 60_000);
        const real = known.get(row.window_start);
        if (real !== undefined) {
          assert.deepEqual(row, real);
          before = row;
          continue;
        }
        const price = fill === 'previous' ? before.close : null;
        assert.deepEqual([row.open, row.high, row.low, row.close], [price, price, price, price]);
        assert.deepEqual([row.volume, row.trade_count, row.vwap], ['0.00000000', 0, null]);
      }
      const few = await candles(`symbol=BTCUSDT&end=2026-07-08&limit=7&fill=${fill}`);
      assert.deepEqual(few, filled.slice(-7));
      assert.deepEqual(await candles(`${BTC}&limit=9&fill=${fill}`), filled.slice(0, 9));
    }
    assertProblem(await served.get(`/v1/ohlcv/1m?${BTC}&fill=zero`), 400, /^fill must be one of/);
  });

  it('come as CSV, Arrow, Parquet and as ccxt has them', async () => {
    const json = await candles(`${BTC}&limit=50`);
    const csv = await served.get(`/v1/ohlcv/1m?${BTC}&limit=50`, { accept: 'text/csv' });
    assert.match(String(csv.headers['content-type']), /^text\/csv/);
    assert.match(String(csv.headers['content-disposition']), /filename="binance-btcusdt-1m\.csv"/);
    const [header = '', first = '', ...lines] = csv.text.trim().split('\n');
    assert.equal(lines.length, 49);
    assert.deepEqual(header.split(','), Object.keys(json[0] as Row));
    assert.ok(first.includes(String(json[0]?.open)));

    const parquet = await served.get(`/v1/ohlcv/1m?${BTC}&limit=50&format=parquet`);
    assert.equal(parquet.headers['content-type'], 'application/vnd.apache.parquet');
    const arrow = await served.get(`/v1/ohlcv/1m?${BTC}&limit=50`, {
      accept: 'application/vnd.apache.arrow.stream',
    });
    assert.equal(arrow.headers['content-type'], 'application/vnd.apache.arrow.stream');
    for (const bytes of [parquet.bytes, writeParquet(Table.fromIPCStream(arrow.bytes))]) {
      const file = Uint8Array.from(bytes).buffer;
      const rows = await parquetReadObjects({ file, columns: ['window_start', 'trade_count'] });
      assert.deepEqual(
        rows.map(({ window_start, trade_count }) => [
          (window_start as Date).getTime(),
          Number(trade_count),
        ]),
        json.map((row) => [Date.parse(String(row.window_start)), row.trade_count]),
      );
    }

    const ccxt = await served.get(`/v1/ohlcv/1m?${BTC}&limit=50&format=ccxt`);
    for (const [i, row] of (ccxt.json as number[][]).entries()) {
      const { window_start, open, high, low, close, volume } = json[i] as Row;
      const wanted = [Date.parse(String(window_start)), open, high, low, close, volume];
      assert.deepEqual(row, wanted.map(Number));
    }
    assert.ok(ccxt.text.includes(`,${json[0]?.open},`), 'digit by digit');
    assertProblem(
      await served.get(`/v1/ohlcv/1m?${BTC}`, { accept: 'image/png' }),
      406,
      /^There is no answer of an accepted type/,
    );
    assertProblem(
      await served.get(`/v1/ohlcv/1m?${BTC}&format=xml`),
      400,
      /^format must be one of/,
    );
  });

  it('are the same bytes whether their text was kept or their schema writes it', async () => {
    for (const [timeframe, more] of [
      ['1m', 'limit=30'],
      ['1m', 'limit=30'],
      ['5m', 'limit=12'],
      ['1m', 'limit=90&fill=null'],
      ['1h', 'limit=9&fill=previous'],
      ['1d', 'limit=1&start=2030-01-01'],
    ] as const) {
      const { text } = await served.get(`/v1/ohlcv/${timeframe}?symbol=BTCUSDT&${more}`);
      const query = Object.fromEntries(new URLSearchParams(`symbol=BTCUSDT&${more}`));
      const queries = [{ timeframe, ...query, limit: Number(query.limit) }];
      // A batch is written by the schema.
      const batch = await served.post('/v1/ohlcv/batch', { queries });
      assert.equal(batch.text, `{"results":[${text}]}`);
    }
  });

  it('come in batches', async () => {
    const queries = [
      { timeframe: '1m', symbol: 'BTCUSDT', start: '2026-07-07', limit: 3 },
      { timeframe: '1d', symbol: 'BTCUSD', exchange: 'KRAKEN' },
    ];
    const { json, status } = await served.post('/v1/ohlcv/batch', { queries });
    assert.equal(status, 200);
    assert.deepEqual(json.results[0].candles, await candles(`${BTC}&limit=3`));
    assert.equal(json.results[1].candles.length, 1);
    assertProblem(await served.post('/v1/ohlcv/batch', {}), 400, /^queries must be a list/);
    const wrong = { queries: [{ timeframe: '2m', symbol: 'BTCUSDT' }] };
    assertProblem(await served.post('/v1/ohlcv/batch', wrong), 400, /^timeframe must be one of/);
  });

  it('say how fresh they are', async () => {
    const { json } = await served.get('/v1/ohlcv/health?timeframe=5m');
    const btc = json.series.find((one: Row) => one.symbol === 'BTCUSDT');
    assert.equal(btc.newest_window, '2026-07-07T16:25:00Z');
    assert.deepEqual([btc.windows, btc.final], [12, 12]);
    assert.equal(json.series.find((one: Row) => one.symbol === 'SOLUSDT').newest_window, null);
    assertProblem(
      await served.get('/v1/ohlcv/health?timeframe=2m'),
      400,
      /^timeframe must be one of/,
    );
  });

  it('are compared across exchanges', async () => {
    const query = 'symbol=BTCUSD&start=2026-07-07T14:00&end=2026-07-07T15:00&interval=10m';
    const { json } = await served.get(`/v1/compare?${query}`);
    assert.equal(json.rows.length, 6);
    const at = START_US + 30 * MINUTE_US; // 14:00
    const last = (k: 2 | 3): string => {
      const before = (TRADES[k] ?? []).filter(({ timeUs }) => timeUs <= at);
      const sorted = [...before].sort((a, b) => a.timeUs - b.timeUs || a.id - b.id);
      return formatScaled(sorted.at(-1)?.price as bigint, 8);
    };
    assert.equal(json.rows[0].kraken_price, last(2));
    assert.equal(json.rows[0].coinbase_price, last(3));
    const bare = await served.get('/v1/compare?symbol=BTCUSDT');
    assertProblem(bare, 400, /^symbol must be on at least two exchanges/);
    assertProblem(
      await served.get(`/v1/compare?${query}&max_age=2d`),
      400,
      /^max_age must be a length/,
    );
    assertProblem(await served.get('/v1/compare'), 400, /^symbol is missing/);
  });

  it('are aggregated over a real socket, and refused in one sentence', async () => {
    const base = { symbol: 'BTCUSDT', start: '2026-07-07', end: '2026-07-08' };
    const ask = (more: object) => served.post('/v1/aggregations', { ...base, ...more });
    const vwap = await ask({ kind: 'vwap' });
    const volume = (TRADES[0] ?? []).reduce((sum, { quantity }) => sum + quantity, 0n);
    assert.equal(vwap.json.rows[0].volume, formatScaled(volume, 8));
    const bars = await ask({ kind: 'tick_bars', size: 500, format: 'csv' });
    assert.equal(bars.text.trim().split('\n').length, 4);
    assertProblem(await ask({ kind: 'tick_bars' }), 400, /^size is missing; tick_bars needs one/);
    assertProblem(await ask({ kind: 'tick_bars', size: '1.5' }), 400, /whole number of trades/);
    assertProblem(await ask({ kind: 'ohlcv' }), 400, /^interval is missing; ohlcv needs one/);
    assertProblem(await ask({ kind: 'vwap', size: 1 }), 400, /^size is not for vwap/);
    assertProblem(await ask({ kind: 'sum' }), 400, /^kind must be one of vwap, twap/);
    assertProblem(
      await ask({ kind: 'ohlcv', interval: '0s' }),
      400,
      /^interval must be a length of time/,
    );
  });

  it('have the newest trades beside them', async () => {
    // The trades are of last summer: none is among those of the last day.
    const got = await served.get('/v1/trades/recent?symbol=BTCUSDT');
    assert.equal(got.status, 200, got.text);
    assert.deepEqual(got.json, { trades: [] });
    assertProblem(await served.get('/v1/trades/recent?symbol=NOPE'), 400, /^symbol must be one of/);
    assertProblem(
      await served.get('/v1/trades/recent?symbol=BTCUSDT&limit=501'),
      400,
      /^limit must be/,
    );
  });

  describe('for the charting library', () => {
    const from = START_US / 1e6;
    const to = from + 4 * 3_600;

    it('config, time and search', async () => {
      const { json } = await served.get('/udf/config');
      assert.equal(json.supports_search, true);
      assert.equal(json.supports_group_request, false);
      assert.deepEqual(json.supported_resolutions, ['1', '5', '15', '30', '60', '1D']);
      const time = await served.get('/udf/time');
      assert.match(String(time.headers['content-type']), /^text\/plain/);
      assert.match(time.text, /^\d{10}$/);
      const found = await served.get('/udf/search?query=btc&type=&exchange=KRAKEN&limit=30');
      assert.deepEqual(found.json, [
        {
          symbol: 'BTCUSD',
          full_name: 'KRAKEN:BTCUSD',
          description: 'BTC/USD on Kraken',
          exchange: 'KRAKEN',
          ticker: 'KRAKEN:BTCUSD',
          type: 'crypto',
        },
      ]);
      assert.deepEqual((await served.get('/udf/search?query=nope')).json, []);
    });

    it('symbols, and the error for one there is not', async () => {
      const { json } = await served.get('/udf/symbols?symbol=BINANCE%3ABTCUSDT');
      assert.equal(json.ticker, 'BINANCE:BTCUSDT');
      assert.equal(json.s, undefined, 'a field s would be read as an error');
      assert.equal(Math.log10(json.pricescale) % 1, 0);
      const wrong = await served.get('/udf/symbols?symbol=%3Cscript%3E');
      assert.equal(wrong.status, 200);
      assert.deepEqual(wrong.json, { s: 'error', errmsg: 'unknown_symbol' });
    });

    it('history: from inclusive, to exclusive, countback before both', async () => {
      const base = '/udf/history?symbol=BINANCE:BTCUSDT&resolution=60';
      const all = (await served.get(`${base}&from=${from - 1800}&to=${to}`)).json;
      assert.equal(all.s, 'ok');
      assert.equal(all.t.length, 4);
      for (const name of ['o', 'h', 'l', 'c', 'v']) {
        assert.equal(all[name].length, 4);
        assert.ok(all[name].every((value: unknown) => typeof value === 'number'));
      }
      assert.deepEqual(all.t, [...all.t].sort());
      const [t0, t1, t2] = all.t as number[];
      const part = (await served.get(`${base}&from=${t1}&to=${t2}`)).json;
      assert.deepEqual(part.t, [t1]);
      const back = (await served.get(`${base}&from=${t2}&to=${t2}&countback=2`)).json;
      assert.deepEqual(back.t, [t0, t1]);
      const none = (await served.get(`${base}&from=${to + 86_400}&to=${to + 90_000}`)).json;
      assert.deepEqual(none, { s: 'no_data', nextTime: all.t[3] });
      assert.deepEqual((await served.get(`${base}&from=1&to=2`)).json, { s: 'no_data' });
    });

    it('history: what is wrong, in its words', async () => {
      const cases = [
        ['symbol=X&resolution=60', 'unknown_symbol'],
        ['symbol=BINANCE:BTCUSDT&resolution=7', 'unknown_resolution'],
        ['symbol=BINANCE:BTCUSDT&resolution=__proto__', 'unknown_resolution'],
        ['symbol=BINANCE:BTCUSDT&resolution=60&from=x', 'invalid_range'],
        ['symbol=BINANCE:BTCUSDT&resolution=60&from=1&from=2', 'invalid_range'],
      ];
      for (const [query, errmsg] of cases) {
        const { json, status } = await served.get(`/udf/history?${query}`);
        assert.equal(status, 200);
        assert.deepEqual(json, { s: 'error', errmsg });
      }
    });
  });

  it('tells its supervisor of no failure, and TRADED is what was served', () => {
    assert.deepEqual(served.log, []);
    assert.equal(TRADED.length, TRADES.length);
  });
});
