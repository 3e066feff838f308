/** REST pages and candles against the journal and an independent fold. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import type { Feed } from '#src/simulator/frame-format';
import type { JournalTrade } from '#src/simulator/journal';
import { Simulator, type SimulatorOptions } from '#src/simulator/server';
import { INSTRUMENTS, ManualTime, START_US, scaled } from '#tests/simulator/fixtures';

let simulator: Simulator | undefined;
let time: ManualTime;

async function start(options: Partial<SimulatorOptions> = {}): Promise<void> {
  time = new ManualTime();
  const base = { seed: 3, instruments: INSTRUMENTS, clock: time, timers: time, paused: true };
  const history = { historySeconds: 600, ratePerSecond: 20, faults: { lose: 0.01 } };
  simulator = await Simulator.start({ ...base, ...history, ...options });
}

afterEach(async () => {
  await simulator?.stop();
  simulator = undefined;
});

type Venue = 'BINANCE' | 'KRAKEN' | 'COINBASE';

async function get(venue: Venue, path: string, headers = {}): Promise<Response> {
  return fetch(`${simulator!.restUrl(venue)}${path}`, { headers });
}

async function json<T>(venue: Venue, path: string, headers = {}): Promise<T> {
  return (await (await get(venue, path, headers)).json()) as T;
}

function truth(feed: Feed, symbol: string): JournalTrade[] {
  return [...simulator!.journal.trades(feed)].filter(
    (one) => one.nativeSymbol === symbol && !one.lost,
  );
}

interface BinanceRow {
  readonly id: number;
  readonly price: string;
  readonly qty: string;
  readonly quoteQty: string;
  readonly time: number;
  readonly isBuyerMaker: boolean;
}

test('Binance historicalTrades walks the whole history by id', async () => {
  await start();
  const expected = truth('binance-trade', 'BTCUSDT');
  const rows: BinanceRow[] = [];
  let fromId = 0;
  for (;;) {
    const page = await json<BinanceRow[]>(
      'BINANCE',
      `/api/v3/historicalTrades?symbol=BTCUSDT&fromId=${fromId}&limit=700`,
    );
    rows.push(...page);
    if (page.length < 700) break;
    fromId = page.at(-1)!.id + 1;
  }
  assert.ok(rows.length > 1000);
  assert.equal(rows.length, expected.length);
  for (const [index, row] of rows.entries()) {
    const one = expected[index]!;
    assert.equal(row.id, one.id);
    assert.equal(row.time * 1000, one.timeUs);
    assert.equal(scaled(row.price), scaled(one.price));
    assert.equal(scaled(row.qty), scaled(one.quantity));
    assert.equal(row.isBuyerMaker, one.side === 'SELL');
    assert.equal(scaled(row.quoteQty), (scaled(one.price) * scaled(one.quantity)) / 100_000_000n);
  }
  assert.ok(truth('binance-trade', 'BTCUSDT').every(({ served }) => served));
  const newest = await json<BinanceRow[]>('BINANCE', '/api/v3/trades?symbol=BTCUSDT&limit=5', {
    'X-MBX-TIME-UNIT': 'MICROSECOND',
  });
  assert.deepEqual(
    newest.map(({ id }) => id),
    expected.slice(-5).map(({ id }) => id),
  );
  assert.equal(newest[0]!.time, expected.at(-5)!.timeUs);
});

test('Binance aggTrades: contiguous ids, adjoining raw ids, bounds inclusive', async () => {
  await start({ faults: {}, feeds: ['binance-aggtrade'] });
  const expected = [...simulator!.journal.trades('binance-aggtrade')].filter(
    (one) => one.nativeSymbol === 'ETHUSDT',
  );
  type Row = { a: number; f: number; l: number; q: string; T: number };
  const page = await json<Row[]>(
    'BINANCE',
    `/api/v3/aggTrades?symbol=ETHUSDT&fromId=${expected[10]!.id}&limit=200`,
  );
  assert.equal(page.length, 200);
  for (const [index, row] of page.entries()) {
    const one = expected[10 + index]!;
    assert.deepEqual(
      [row.a, row.f, row.l, row.T * 1000],
      [one.id, one.firstId, one.lastId, one.timeUs],
    );
    assert.equal(scaled(row.q), scaled(one.quantity));
    if (index > 0) assert.equal(row.f, page[index - 1]!.l + 1);
  }
  const { timeUs } = expected[20]!;
  const at = `startTime=${timeUs / 1000}&endTime=${timeUs / 1000}`;
  const same = await json<Row[]>('BINANCE', `/api/v3/aggTrades?symbol=ETHUSDT&${at}`);
  assert.deepEqual(
    same.map(({ a }) => a),
    expected.filter((one) => one.timeUs === timeUs).map(({ id }) => id),
  );
});

interface Fold {
  open: bigint;
  high: bigint;
  low: bigint;
  close: bigint;
  volume: bigint;
  quote: bigint;
  count: number;
}

/** Candles straight from the journal's texts. */
function fold(trades: readonly JournalTrade[], lengthUs: number): Map<number, Fold> {
  const candles = new Map<number, Fold>();
  for (const { timeUs, price: text, quantity: size } of trades) {
    const openUs = Math.floor(timeUs / lengthUs) * lengthUs;
    const price = scaled(text);
    const quantity = scaled(size);
    const candle = candles.get(openUs) ?? {
      open: price,
      high: price,
      low: price,
      close: price,
      volume: 0n,
      quote: 0n,
      count: 0,
    };
    if (price > candle.high) candle.high = price;
    if (price < candle.low) candle.low = price;
    candle.close = price;
    candle.volume += quantity;
    candle.quote += price * quantity;
    candle.count++;
    candles.set(openUs, candle);
  }
  return candles;
}

test('Binance klines equal a fold of the journal; empty intervals repeat the close', async () => {
  await start({ ratePerSecond: 0.5 });
  const expected = fold(truth('binance-trade', 'DOGEUSDT'), 60e6);
  type Row = [number, string, string, string, string, string, number, string, number];
  const rows = await json<Row[]>('BINANCE', '/api/v3/klines?symbol=DOGEUSDT&interval=1m');
  let empty = 0;
  let close = 0n;
  for (const [index, row] of rows.entries()) {
    const candle = expected.get(row[0] * 1000);
    if (index > 0) assert.equal(row[0], rows[index - 1]![0] + 60_000);
    assert.equal(row[6], row[0] + 59_999);
    const [open, high, low, last] = row.slice(1, 5).map((text) => scaled(String(text)));
    if (candle === undefined) {
      empty++;
      assert.deepEqual(
        [open, high, low, last, row[5], row[8]],
        [close, close, close, close, '0.00000000', 0],
      );
    } else {
      assert.deepEqual(
        [open, high, low, last, row[8]],
        [candle.open, candle.high, candle.low, candle.close, candle.count],
      );
      assert.equal(scaled(row[5]), candle.volume);
      assert.equal(scaled(row[7]), candle.quote / 100_000_000n);
    }
    close = last!;
  }
  assert.ok(empty > 0 && empty < rows.length, `${empty} of ${rows.length} empty`);
  assert.equal(
    rows.reduce((sum, row) => sum + row[8], 0),
    truth('binance-trade', 'DOGEUSDT').length,
  );
});

test('Kraken Trades pages by nanosecond cursor; times agree with the feed', async () => {
  await start();
  const expected = truth('kraken', 'BTC/USD');
  let since = '0';
  const rows: { id: number; time: string; price: string; volume: string; side: string }[] = [];
  for (;;) {
    const text = await (
      await get('KRAKEN', `/0/public/Trades?pair=XBTUSD&since=${since}&count=500`)
    ).text();
    const body = JSON.parse(text.replace(/,(\d{10}\.?\d*),"/g, ',"$1","')) as {
      error: string[];
      result: Record<string, never>;
    };
    assert.deepEqual(body.error, []);
    assert.deepEqual(Object.keys(body.result), ['XXBTZUSD', 'last']);
    const page = body.result.XXBTZUSD! as [
      string,
      string,
      string,
      string,
      string,
      string,
      number,
    ][];
    for (const [price, volume, at, side, , , id] of page)
      rows.push({ id, time: at, price, volume, side });
    if (page.length === 0) break;
    since = String(BigInt(body.result.last!) - 1n); // as a careful client does
    if (page.length < 500) break;
  }
  const byId = new Map(rows.map((row) => [row.id, row]));
  assert.equal(byId.size, expected.length);
  for (const one of expected) {
    const row = byId.get(one.id)!;
    const [second, fraction = ''] = row.time.split('.') as [string, string?];
    assert.ok(fraction.length <= 7);
    const timeUs = Number(second) * 1e6 + Number(fraction.padEnd(6, '0').slice(0, 6));
    assert.equal(timeUs, one.timeUs);
    assert.equal(scaled(row.price), scaled(one.price));
    assert.equal(scaled(row.volume), scaled(one.quantity));
    assert.equal(row.side, one.side === 'BUY' ? 'b' : 's');
  }
});

test('Kraken OHLC and AssetPairs; errors come with status 200', async () => {
  await start();
  type Row = [number, string, string, string, string, string, string, number];
  const { result } = await json<{ result: Record<string, Row[]> & { last: number } }>(
    'KRAKEN',
    '/0/public/OHLC?pair=ETH/USD&interval=5',
  );
  const expected = fold(truth('kraken', 'ETH/USD'), 300e6);
  for (const row of result.XETHZUSD!) {
    const candle = expected.get(row[0] * 1e6);
    if (candle === undefined) {
      assert.equal(row[7], 0);
      continue;
    }
    const prices = row.slice(1, 5).map((text) => scaled(String(text)));
    assert.deepEqual(prices, [candle.open, candle.high, candle.low, candle.close]);
    assert.equal(scaled(row[6]), candle.volume);
    assert.equal(row[7], candle.count);
    const vwap = candle.quote / candle.volume;
    const difference = vwap - scaled(row[5]);
    assert.ok(difference >= 0n && difference < 1_000_000n);
  }
  assert.equal(result.last, Math.floor(START_US / 300e6) * 300 - 300);
  const pairs = await json<{ result: Record<string, { wsname: string; pair_decimals: number }> }>(
    'KRAKEN',
    '/0/public/AssetPairs',
  );
  assert.deepEqual(Object.keys(pairs.result), ['XXBTZUSD', 'XETHZUSD', 'SOLUSD']);
  assert.equal(pairs.result.XXBTZUSD!.wsname, 'XBT/USD');
  const bad = await get('KRAKEN', '/0/public/Trades?pair=NOPE');
  assert.equal(bad.status, 200);
  assert.equal(await bad.text(), '{"error":["EQuery:Unknown asset pair"]}');
});

test('Coinbase trades walk to the past; candles are newest first, none empty', async () => {
  await start();
  const expected = truth('coinbase', 'ETH-USD').reverse();
  type Row = { trade_id: number; side: string; size: string; price: string; time: string };
  const rows: Row[] = [];
  let after = '';
  for (;;) {
    const answer = await get('COINBASE', `/products/ETH-USD/trades?limit=300${after}`);
    const page = (await answer.json()) as Row[];
    if (page.length === 0) break;
    assert.equal(answer.headers.get('cb-before'), String(page[0]!.trade_id));
    after = `&after=${answer.headers.get('cb-after')}`;
    rows.push(...page);
    time.advance(1000); // the public limit is 15 requests a second
  }
  assert.deepEqual(
    rows.map((row) => row.trade_id),
    expected.map(({ id }) => id),
  );
  assert.deepEqual(
    rows.map((row) => scaled(row.price)),
    expected.map(({ price }) => scaled(price)),
  );
  assert.deepEqual(
    rows.map((row) => row.side),
    expected.map(({ side }) => (side === 'BUY' ? 'sell' : 'buy')),
  );
  const newer = await json<Row[]>('COINBASE', `/products/ETH-USD/trades?before=${expected[3]!.id}`);
  assert.deepEqual(
    newer.map((row) => row.trade_id),
    expected.slice(0, 3).map(({ id }) => id),
  );
  const candles = await json<number[][]>('COINBASE', '/products/ETH-USD/candles?granularity=60');
  const folded = fold(expected.reverse(), 60e6);
  assert.deepEqual(
    candles.map(([at]) => at! * 1e6),
    [...folded.keys()].sort((a, b) => b - a),
  );
  for (const [at, low, high, open, close, volume] of candles) {
    const candle = folded.get(at! * 1e6)!;
    const numbers = [candle.low, candle.high, candle.open, candle.close, candle.volume];
    assert.deepEqual(
      [low, high, open, close, volume],
      numbers.map((units) => Number(units) / 1e8),
    );
  }
  const products = await json<{ id: string }[]>('COINBASE', '/products');
  assert.deepEqual(
    products.map(({ id }) => id),
    ['BTC-USD', 'ETH-USD', 'SHIB-USD'],
  );
  assert.equal((await get('COINBASE', '/products/NO-PE/trades')).status, 404);
});

test('limits: used weight, 429 with Retry-After, failures on request, bursts', async () => {
  await start({ limits: { restWeightPerMinute: 60 } });
  const first = await get('BINANCE', '/api/v3/historicalTrades?symbol=BTCUSDT&fromId=1');
  assert.equal(first.headers.get('x-mbx-used-weight-1m'), '25');
  await get('BINANCE', '/api/v3/trades?symbol=BTCUSDT');
  const over = await get('BINANCE', '/api/v3/trades?symbol=BTCUSDT');
  assert.equal(over.status, 429);
  assert.equal(over.headers.get('retry-after'), '60'); // 22:58:00 to the next minute
  time.advance(60_000);
  assert.equal((await get('BINANCE', '/api/v3/time')).status, 200);
  simulator!.failRest('BINANCE', { status: 418, count: 2, retryAfterS: 120 });
  for (const status of [418, 418, 200]) {
    const answer = await get('BINANCE', '/api/v3/ping');
    assert.equal(answer.status, status);
    assert.equal(answer.headers.get('retry-after'), status === 418 ? '120' : null);
  }
  const statuses = [];
  for (let i = 0; i < 16; i++) statuses.push((await get('COINBASE', '/products')).status);
  assert.deepEqual(statuses, [...Array(15).fill(200), 429]);
});

test('Binance refuses bad parameters with its codes', async () => {
  await start();
  const cases = [
    ['/api/v3/trades', -1102],
    ['/api/v3/trades?symbol=NOPE', -1121],
    ['/api/v3/trades?symbol=BTCUSDT&limit=0', -1100],
    ['/api/v3/klines?symbol=BTCUSDT&interval=7m', -1120],
  ] as const;
  for (const [path, code] of cases) {
    const answer = await get('BINANCE', path);
    assert.equal(answer.status, 400);
    assert.equal(((await answer.json()) as { code: number }).code, code);
  }
  const info = await json<{ symbols: { symbol: string; filters: Record<string, string>[] }[] }>(
    'BINANCE',
    '/api/v3/exchangeInfo?symbol=BTCUSDT',
  );
  assert.deepEqual(
    info.symbols.map(({ symbol }) => symbol),
    ['BTCUSDT'],
  );
  assert.equal(info.symbols[0]!.filters[0]!.tickSize, '0.01000000');
});
