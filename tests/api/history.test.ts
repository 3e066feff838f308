/**
 * Trades, aggregations, snapshots, gaps and dead letters over a real socket, from a data directory
 * that the real pipeline made. What must come out follows from the trades that went in.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { parquetReadObjects } from 'hyparquet';
import { Table, writeParquet } from 'parquet-wasm';
import { formatScaled } from '#src/base/decimal';
import { GAP, HOSTILE, START_US, TRADED, TRADES } from '#tests/api/market-day';
import {
  type Answer,
  assertProblem,
  importMarketDay,
  type Lake,
  type Served,
  serve,
} from '#tests/api/served';
import type { TradeModel } from '#tests/exchanges/frames';

const DAY = 'start=2026-07-07&end=2026-07-08';
const WHOLE = { start: '2026-07-07', end: '2026-07-08' };
/** The imports happened now, whenever that is. */
const LETTERS = 'start=2026-08-01&end=2027-07-31';

interface Row {
  readonly [name: string]: unknown;
}

function keyOf({ timeUs, instrument, id }: TradeModel): string {
  const time = String(timeUs).padStart(17, '0');
  return `${time} ${instrument.exchange} ${instrument.symbol} ${String(id).padStart(17, '0')}`;
}

/** All trades in the order the API promises. */
const INORDER = TRADES.flat().sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));

function nameOf(trade: TradeModel): string {
  return `${trade.instrument.exchange}-${trade.id} ${trade.instrument.symbol}`;
}

function namesOf(rows: readonly Row[]): string[] {
  return rows.map(({ trade_id, symbol }) => `${trade_id} ${symbol}`);
}

describe('history', { timeout: 300_000 }, () => {
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

  const rows = async (answer: Promise<Answer>, name: string): Promise<Row[]> => {
    const got = await answer;
    assert.equal(got.status, 200, got.text.slice(0, 500));
    return got.json[name];
  };

  /** Every page of a question, one after the other. */
  const walk = async (ask: (cursor: string | undefined) => Promise<Answer>): Promise<Row[]> => {
    const all: Row[] = [];
    for (let cursor: string | undefined, pages = 0; pages < 1_000; pages++) {
      const got = await ask(cursor);
      assert.equal(got.status, 200, got.text.slice(0, 500));
      all.push(...got.json.trades);
      if (got.json.next_cursor === null) return all;
      cursor = got.json.next_cursor;
    }
    throw new Error('the pages have no end');
  };

  describe('trades', () => {
    it('are given exactly, each once, by (time, id), whatever the page size', async () => {
      const wanted = INORDER.filter(({ instrument }) => instrument === TRADED[0]);
      for (const limit of [97, 1_200, 10_000]) {
        const url = `/v1/trades?symbol=BTCUSDT&${DAY}&limit=${limit}`;
        const got = await walk((cursor) =>
          served.get(cursor === undefined ? url : `${url}&cursor=${cursor}`),
        );
        assert.deepEqual(namesOf(got), wanted.map(nameOf));
        for (const [i, row] of got.entries()) {
          const { price, quantity, side, timeUs } = wanted[i] as TradeModel;
          assert.equal(row.price, formatScaled(price, 8));
          assert.equal(row.quantity, formatScaled(quantity, 8));
          assert.equal(row.side, side === 0 ? 'BUY' : 'SELL');
          const micros = String(timeUs % 1_000_000).padStart(6, '0');
          assert.ok(String(row.timestamp).endsWith(`.${micros}Z`));
        }
      }
    });

    it('come as Arrow and Parquet, read by other libraries than those that wrote them', async () => {
      const body = { ...WHOLE, symbols: ['BTCUSDT'], limit: 500 };
      const trades = await rows(served.post('/v1/trades/query', body), 'trades');
      const url = `/v1/trades?symbol=BTCUSDT&${DAY}&limit=500`;
      const parquet = await served.get(`${url}&format=parquet`);
      assert.equal(parquet.headers['content-type'], 'application/vnd.apache.parquet');
      const arrow = await served.get(url, { accept: 'application/vnd.apache.arrow.stream' });
      assert.equal(arrow.headers['content-type'], 'application/vnd.apache.arrow.stream');
      const columns = ['trade_id', 'timestamp', 'price'];
      for (const bytes of [parquet.bytes, writeParquet(Table.fromIPCStream(arrow.bytes))]) {
        const read = await parquetReadObjects({ file: Uint8Array.from(bytes).buffer, columns });
        assert.deepEqual(
          read.map(({ trade_id, timestamp, price }) => [
            trade_id,
            (timestamp as Date).toISOString(),
            Number(price).toFixed(8), // a float is what this reader makes of a decimal
          ]),
          trades.map(({ trade_id, timestamp, price }) => [
            trade_id,
            `${String(timestamp).slice(0, 23)}Z`,
            Number(price).toFixed(8),
          ]),
        );
      }
      const second = await served.get(
        `${url}&format=csv&cursor=${parquet.headers['x-next-cursor']}`,
      );
      assert.equal(second.status, 200);
      const [, first = ''] = second.text.split('\n');
      assert.ok(!trades.some(({ trade_id }) => first.includes(`${trade_id},`)), first);
    });

    it('are replayed over all instruments without losing equal times', async () => {
      const times = INORDER.map(({ timeUs }) => timeUs);
      assert.ok(new Set(times).size < times.length - 1_000, 'many trades share their time');
      for (const limit of [101, 1_700]) {
        const got = await walk((cursor) =>
          served.post('/v1/replay', { ...WHOLE, limit, ...(cursor !== undefined && { cursor }) }),
        );
        assert.deepEqual(namesOf(got), INORDER.map(nameOf));
      }
    });

    it('are filtered by symbols, exchanges, side, price and quantity, and cut to fields', async () => {
      const bounds = { price_min: '60100.5', price_max: '60300', quantity_max: '2.5' };
      const got = await walk((cursor) =>
        served.post('/v1/trades/query', {
          ...WHOLE,
          symbols: ['BTCUSD', 'BTCUSDT'],
          exchanges: ['COINBASE', 'BINANCE'],
          side: 'SELL',
          ...bounds,
          limit: 50,
          fields: ['trade_id', 'symbol'],
          ...(cursor !== undefined && { cursor }),
        }),
      );
      const wanted = INORDER.filter(
        ({ instrument, side, price, quantity }) =>
          (instrument === TRADED[0] || instrument === TRADED[3]) &&
          side === 1 &&
          price >= 6_010_050_000_000n &&
          price <= 6_030_000_000_000n &&
          quantity <= 250_000_000n,
      );
      assert.ok(wanted.length > 100);
      assert.deepEqual(namesOf(got), wanted.map(nameOf));
      assert.deepEqual(Object.keys(got[0] as Row), ['trade_id', 'symbol']);
    });

    it('start and end where they are asked to: start inclusive, end exclusive', async () => {
      const mine = INORDER.filter(({ instrument }) => instrument === TRADED[2]);
      const at = mine[600]?.timeUs as number;
      const to = mine[700]?.timeUs as number;
      const iso = (us: number): string =>
        new Date(us / 1000).toISOString().replace('Z', `${String(us % 1000).padStart(3, '0')}Z`);
      const url = `/v1/trades?symbol=BTCUSD&exchange=KRAKEN&start=${iso(at)}&end=${iso(to)}`;
      const wanted = mine.filter(({ timeUs }) => timeUs >= at && timeUs < to);
      assert.deepEqual(namesOf(await rows(served.get(url), 'trades')), wanted.map(nameOf));
    });

    it('name the epoch they are of', async () => {
      const { json } = await served.get(`/v1/trades?symbol=BTCUSDT&${DAY}&limit=1`);
      assert.equal(json.epoch, 6);
      assert.ok(Date.parse(json.committed_at) > START_US / 1000);
    });

    it('refuse what they do not understand', async () => {
      const cases: readonly [string, RegExp | string][] = [
        ['', /^symbol is missing/],
        ['symbol=NOPE', /^symbol must be one of the symbols, got "NOPE"/],
        ['symbol=BTCUSD', /^exchange is missing; BTCUSD is on several exchanges/],
        [`symbol=BTCUSDT&limit=10001`, /^limit must be an integer from 1 to 10000/],
        [`symbol=BTCUSDT&limit=0`, /^limit must be/],
        ['symbol=BTCUSDT&start=2026-07-08&end=2026-07-07', 'start must not be after end'],
        [
          'symbol=BTCUSDT&start=2026-06-01&end=2026-07-02T00:00:00.000001',
          /^end must be at most 31 days/,
        ],
        ['symbol=BTCUSDT&fields=price,price', 'fields must not name anything twice'],
        ['symbol=BTCUSDT&fields=secret', /^fields must be one of message_id/],
        ['symbol=BTCUSDT&cursor=abc', /^cursor is not one of this server/],
        ['symbol=BTCUSDT&format=xml', 'format must be one of json, csv, arrow, parquet, got "xml"'],
        ['symbol=BTCUSDT&sql=select', /^"sql" is not a parameter/],
      ];
      for (const [query, detail] of cases) {
        assertProblem(await served.get(`/v1/trades?${query}`), 400, detail);
      }
      const bodies: readonly [unknown, RegExp | string][] = [
        [[], /^A JSON object is needed/],
        [{ symbols: [] }, /^symbols must be a list of 1 to 50/],
        [{ symbols: Array(51).fill('BTCUSD') }, /^symbols must be a list of 1 to 50/],
        [{ symbols: ['BTCUSD', 'NOPE'] }, /^symbols must be known symbols, got "NOPE"/],
        [{ symbols: ['BTCUSDT'], exchanges: ['KRAKEN'] }, /^exchanges list none of these/],
        [{ price_min: 0.1 }, /^price_min must be a positive decimal as text/],
        [{ price_min: '1e5' }, /^price_min must be a positive decimal as text/],
        [{ quantity_max: '0.000000001' }, /^quantity_max must be a positive decimal/],
        [{ side: 'buy' }, 'side must be one of BUY, SELL, got "buy"'],
        [{ limit: 1.5 }, /^limit must be an integer/],
      ];
      for (const [body, detail] of bodies) {
        assertProblem(await served.post('/v1/trades/query', body), 400, detail);
      }
      assert.equal(
        (await served.get('/v1/trades?symbol=BTCUSDT&start=2026-06-01&end=2026-07-02')).status,
        200,
      );
    });

    it('take a cursor of theirs only, with the query it belongs to', async () => {
      const url = `/v1/trades?symbol=BTCUSDT&${DAY}`;
      const { json } = await served.get(`${url}&limit=10`);
      const cursor: string = json.next_cursor;
      assert.equal((await served.get(`${url}&limit=20&cursor=${cursor}`)).status, 200);
      const other = await served.get(`/v1/trades?symbol=ETHUSDT&${DAY}&cursor=${cursor}`);
      assertProblem(other, 400, /^cursor belongs to another query/);
      const range = `symbol=BTCUSDT&start=2026-07-06&end=2026-07-08&cursor=${cursor}`;
      assertProblem(await served.get(`/v1/trades?${range}`), 400, /^cursor belongs to another/);
      const replayed = await served.post('/v1/replay', { ...WHOLE, cursor });
      assertProblem(replayed, 400, /^cursor belongs to another query/);
    });

    it('treat injections as the names they are not', async () => {
      const texts = [
        "'; drop table gold_crypto_trades; --",
        "BTCUSDT' OR '1'='1",
        '../../etc/passwd',
        '$' + '{7*7}',
        '{{7*7}}',
        'BTCUSDT\u0000',
        '\u202eTDSUCTB',
        '<img src=x onerror=alert(1)>',
        "\"; copy (select 1) to '/tmp/x'; --",
        'constructor',
        '__proto__',
        'a'.repeat(3_000),
      ];
      for (const text of texts) {
        const symbol = encodeURIComponent(text);
        for (const path of ['/v1/trades', '/v1/ohlcv/1m', '/v1/compare']) {
          const got = await served.get(`${path}?symbol=${symbol}`);
          assertProblem(got, 400, /symbols?\b.*, got /);
          assert.ok(got.text.length < 600, 'the sentence is of bounded length');
        }
        const asked = await served.post('/v1/trades/query', { symbols: [text] });
        assertProblem(asked, 400, /^symbols must be known symbols/);
        const fields = await served.post('/v1/trades/query', { fields: [text] });
        assertProblem(fields, 400, /^fields must be one of/);
      }
    });
  });

  describe('snapshots', () => {
    it('are listed, and queried as they were', async () => {
      const list = await rows(served.get('/v1/snapshots?table=gold_crypto_trades'), 'snapshots');
      assert.equal(list.length, 6);
      assert.deepEqual(
        list.map(({ is_current }) => is_current),
        [...Array(5).fill(false), true],
      );
      const query = { symbol: 'BTCUSDT', ...WHOLE, limit: 10_000 };
      const ask = (id: unknown) => rows(served.post(`/v1/snapshots/${id}/query`, query), 'rows');
      // The first import was every other trade of Binance's.
      const half = INORDER.filter(({ instrument, id }) => instrument === TRADED[0] && id % 2 === 0);
      assert.deepEqual(namesOf(await ask(list[0]?.snapshot_id)), half.map(nameOf));
      const all = INORDER.filter(({ instrument }) => instrument === TRADED[0]);
      assert.deepEqual(namesOf(await ask(list[5]?.snapshot_id)), all.map(nameOf));
    });

    it('give candles and silver too', async () => {
      const table = 'gold_ohlcv_1h';
      const list = await rows(served.get(`/v1/snapshots?table=${table}`), 'snapshots');
      const body = { table, symbol: 'BTCUSD', exchange: 'KRAKEN', ...WHOLE };
      const then = await rows(
        served.post(`/v1/snapshots/${list.at(-1)?.snapshot_id}/query`, body),
        'rows',
      );
      const now = await rows(
        served.get(`/v1/ohlcv/1h?symbol=BTCUSD&exchange=KRAKEN&${DAY}`),
        'candles',
      );
      assert.deepEqual(
        then.map(({ open_price, close_price, volume }) => [open_price, close_price, volume]),
        now.map(({ open, close, volume }) => [open, close, volume]),
      );
      assert.equal(now.length, 4);
    });

    it('are missing with 404, and refused when they are no ids', async () => {
      const body = { symbol: 'BTCUSDT', ...WHOLE };
      assertProblem(await served.post('/v1/snapshots/1/query', body), 404, /has no snapshot 1/);
      assertProblem(
        await served.post('/v1/snapshots/x/query', body),
        400,
        /^id must be an integer/,
      );
      const wrong = { ...body, table: 'silver_dlq_trades' };
      assertProblem(
        await served.post('/v1/snapshots/1/query', wrong),
        400,
        /^table must be one of/,
      );
      assertProblem(await served.get('/v1/snapshots?table=x'), 400, /^table must be one of/);
    });
  });

  it('gives the gap ledger, page by page', async () => {
    const all = await rows(served.get('/v1/gaps'), 'gaps');
    assert.equal(all.length, 1);
    const [gap] = all as [Row];
    assert.deepEqual(
      [gap.symbol, gap.from_id, gap.to_id, gap.count],
      ['BTCUSDT', GAP.fromId, GAP.toId, 5],
    );
    const first = await served.get('/v1/gaps?limit=1');
    assert.equal(first.json.gaps.length, 1);
    const next = await served.get(`/v1/gaps?limit=1&cursor=${first.json.next_cursor}`);
    assert.deepEqual(next.json, { gaps: [], next_cursor: null });
    assert.deepEqual((await served.get('/v1/gaps?exchanges=KRAKEN')).json.gaps, []);
    assertProblem(await served.get('/v1/gaps?exchanges=NYSE'), 400, /^exchanges must be one of/);
  });

  it('counts what it holds', async () => {
    const { json } = await served.get('/v1/stats');
    const binance = json.exchanges.find((one: Row) => one.exchange === 'BINANCE');
    assert.equal(binance.gold_trades, 2_400);
    assert.equal(binance.duplicates, 20);
    assert.equal(binance.dead_letters, 3);
    assert.equal(binance.missing_trades, 5);
    const gold = json.tables.find((one: Row) => one.table === 'gold_crypto_trades');
    assert.equal(gold.rows, INORDER.length);
    assertProblem(await served.send({ method: 'POST', path: '/v1/stats' }), 404, /no such route/);
  });

  it('sums a day up, over all exchanges', async () => {
    const { json } = await served.get('/v1/summary/BTCUSD/2026-07-07');
    const mine = [...(TRADES[2] ?? []), ...(TRADES[3] ?? [])];
    const volume = mine.reduce((sum, { quantity }) => sum + quantity, 0n);
    const quote = mine.reduce((sum, { price, quantity }) => sum + price * quantity, 0n);
    assert.equal(json.exchanges.length, 2);
    assert.equal(json.total.trade_count, mine.length);
    assert.equal(json.total.volume, formatScaled(volume, 8));
    assert.equal(json.total.quote_volume, formatScaled(quote, 16));
    assert.equal(json.total.vwap, formatScaled((2n * quote + volume) / (2n * volume), 8));
    const empty = await served.get('/v1/summary/BTCUSD/2020-01-01');
    assert.deepEqual([empty.json.exchanges, empty.json.total], [[], null]);
    assertProblem(await served.get('/v1/summary/BTCUSD/2026-02-30'), 400, /^date must be a time/);
    assertProblem(await served.get('/v1/summary/BTCUSD/now'), 400, /^date must be a UTC date/);
    assertProblem(await served.get('/v1/summary/NOPE/2026-07-07'), 400, /must be known symbols/);
  });

  describe('dead letters', () => {
    it('come with their reason and their bytes, page by page', async () => {
      const all: Row[] = [];
      for (let cursor = ''; ; ) {
        const { json, status, text } = await served.get(
          `/v1/dead-letters?${LETTERS}&limit=2${cursor}`,
        );
        assert.equal(status, 200, text);
        all.push(...json.dead_letters);
        if (json.next_cursor === null) break;
        cursor = `&cursor=${json.next_cursor}`;
      }
      assert.equal(all.length, 7);
      assert.equal(new Set(all.map((row) => `${row.bronze_source} ${row.offset}`)).size, 7);
      for (const row of all) {
        const raw = Buffer.from(String(row.raw_record), 'base64');
        assert.equal(raw.length, row.raw_bytes);
        assert.ok(raw.toString().includes(HOSTILE));
      }
    });

    it('are filtered, cut and written as hex', async () => {
      const query = `${LETTERS}&reason=unknown_symbol&exchange=BINANCE&raw=hex&raw_bytes=5`;
      const [letter, more] = await rows(served.get(`/v1/dead-letters?${query}`), 'dead_letters');
      assert.equal(more, undefined);
      assert.equal(letter?.raw_record, Buffer.from('{"e":').toString('hex'));
      assert.ok(Number(letter?.raw_bytes) > 5);
      assertProblem(await served.get('/v1/dead-letters?reason=x'), 400, /^reason must be one of/);
      assertProblem(await served.get('/v1/dead-letters?raw_bytes=4097'), 400, /^raw_bytes must be/);
      assertProblem(await served.get('/v1/dead-letters?limit=1001'), 400, /^limit must be/);
    });

    it('are downloaded byte by byte, as nothing a browser would run', async () => {
      const query = `${LETTERS}&reason=unknown_symbol`;
      const [letter] = await rows(served.get(`/v1/dead-letters?${query}`), 'dead_letters');
      const got = await served.get(`/v1/dead-letters/BINANCE/${letter?.offset}/raw`);
      assert.equal(got.status, 200);
      assert.equal(got.headers['content-type'], 'application/octet-stream');
      assert.match(
        String(got.headers['content-disposition']),
        /^attachment; filename="binance-\d+\.bin"$/,
      );
      assert.equal(got.headers['x-content-type-options'], 'nosniff');
      assert.ok(got.text.includes(HOSTILE));
      const none = await served.get('/v1/dead-letters/BINANCE/99999/raw');
      assertProblem(none, 404, 'There is no such dead letter.');
      assertProblem(await served.get('/v1/dead-letters/BINANCE/-1/raw'), 400, /^offset must be/);
      assertProblem(await served.get('/v1/dead-letters/x/1/raw'), 400, /^exchange must be one of/);
    });
  });

  it('tells its supervisor of no failure', () => {
    assert.deepEqual(served.log, []);
  });
});
