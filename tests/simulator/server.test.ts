/** The protocols over real sockets, with a plain client; time is moved by hand. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { decimalText } from '#src/simulator/decimal-text';
import { LIMITS, type Limits } from '#src/simulator/limits';
import { Simulator, type SimulatorOptions } from '#src/simulator/server';
import {
  Client,
  INSTRUMENTS,
  ManualTime,
  readTrades,
  START_US,
  scaled,
  symbolsOf,
} from '#tests/simulator/fixtures';

let simulator: Simulator | undefined;
let time: ManualTime;
const clients: Client[] = [];

async function start(options: Partial<SimulatorOptions> = {}): Promise<Simulator> {
  time = new ManualTime();
  const base = { seed: 1, instruments: INSTRUMENTS, clock: time, timers: time };
  simulator = await Simulator.start({ ...base, ...options });
  return simulator;
}

async function connect(url: string, options: { autoPong?: boolean } = {}): Promise<Client> {
  const client = await Client.open(url, options);
  clients.push(client);
  return client;
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.ws.terminate();
  await simulator?.stop();
  simulator = undefined;
});

const NO_TRADES = { paused: true } as const;
const BINANCE_ALL = symbolsOf('BINANCE').map((symbol) => `${symbol.toLowerCase()}@trade`);

test('Binance answers requests in its own words', async () => {
  const { url } = { url: (await start(NO_TRADES)).url('BINANCE') };
  const client = await connect(`${url}/ws`);
  const cases: [unknown, string][] = [
    [{ method: 'SUBSCRIBE', params: BINANCE_ALL, id: 1 }, '{"result":null,"id":1}'],
    [
      '{"method":"LIST_SUBSCRIPTIONS","id":"a-1"}',
      `{"result":${JSON.stringify(BINANCE_ALL)},"id":"a-1"}`,
    ],
    [
      { method: 'UNSUBSCRIBE', params: BINANCE_ALL.slice(1), id: null },
      '{"result":null,"id":null}',
    ],
    [
      '{"method":"LIST_SUBSCRIPTIONS","id":9007199254740993}',
      '{"result":["btcusdt@trade"],"id":9007199254740993}',
    ],
    ['{"method', '{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}'],
    [
      { method: 'SUBSCRIBE', params: ['btcusdt'], id: 5 },
      '{"code":2,"msg":"Invalid request: invalid stream","id":5}',
    ],
    [{ method: 'SUBSCRIBE', params: ['nosuch@trade'], id: 6 }, '{"result":null,"id":6}'],
    [{ method: 'GET_PROPERTY', params: ['combined'], id: 7 }, '{"result":false,"id":7}'],
    [
      { method: 'SET_PROPERTY', params: ['combined', 3], id: 8 },
      '{"code":1,"msg":"Invalid value type: expected Boolean","id":8}',
    ],
    [{ method: 'SET_PROPERTY', params: ['combined', true], id: 9 }, '{"result":null,"id":9}'],
    [
      { method: 'GET_PROPERTY', params: ['x'], id: 10 },
      '{"code":0,"msg":"Unknown property","id":10}',
    ],
  ];
  for (const [index, [request, answer]] of cases.entries()) {
    time.advance(500); // under the five messages a second a client may send
    client.send(request);
    assert.equal(await client.text(index + 1), answer);
  }
  simulator!.resume();
  time.advance(5000);
  const trade = await client.text(cases.length + 1);
  assert.match(
    trade,
    /^\{"stream":"btcusdt@trade","data":\{"e":"trade","E":\d{13},"s":"BTCUSDT","t":/,
  );
});

test('Binance: raw and combined, milliseconds and microseconds, by URL', async () => {
  const { url } = { url: (await start()).url('BINANCE') };
  const raw = await connect(`${url}/ws/btcusdt@trade`);
  const micro = await connect(
    `${url}/stream?streams=btcusdt@trade/ethusdt@trade&timeUnit=MICROSECOND`,
  );
  time.advance(10_000);
  assert.match(
    await raw.text(1),
    /^\{"e":"trade","E":\d{13},"s":"BTCUSDT","t":\d+,"p":"\d+\.\d{8}"/,
  );
  assert.match(
    await micro.text(1),
    /^\{"stream":"\w+@trade","data":\{"e":"trade","E":\d{16},.*"T":\d{13}000,/,
  );
});

test('Binance pings every 20 s, closes without a pong, and cuts after its lifetime', async () => {
  const { url } = {
    url: (await start({ ...NO_TRADES, limits: { lifetimeMs: 300_000 } })).url('BINANCE'),
  };
  const mute = await connect(`${url}/ws`, { autoPong: false });
  const alive = await connect(`${url}/ws`);
  const combined = await connect(`${url}/stream`);
  for (let ping = 1; ping <= 3; ping++) {
    time.advance(20_000);
    await alive.until(() => alive.pings.length === ping, `ping ${ping}`);
    await combined.until(() => combined.pings.length === ping, `ping ${ping}`);
    // A round trip, so that the pongs are in before time moves on.
    alive.send({ method: 'LIST_SUBSCRIPTIONS', id: ping });
    combined.send({ method: 'LIST_SUBSCRIPTIONS', id: ping });
    await alive.text(ping);
    await combined.text(ping);
  }
  time.advance(20_000);
  assert.equal(await mute.closed(), 1008);
  assert.equal(alive.closeCode, undefined);
  for (let elapsed = 80; elapsed < 280; elapsed += 20) {
    const pings = alive.pings.length;
    time.advance(20_000);
    await alive.until(() => alive.pings.length > pings, 'a ping');
    alive.ws.pong('unasked for'); // allowed, and counts for nothing
    const asked = alive.messages.length;
    alive.send({ method: 'LIST_SUBSCRIPTIONS', id: 1 });
    combined.send({ method: 'LIST_SUBSCRIPTIONS', id: 1 });
    await alive.text(asked + 1);
    await combined.text(asked + 1);
  }
  time.advance(10_000);
  await alive.until(
    () => /^\{"e":"serverShutdown","E":\d+\}$/.test(alive.tail().split('\n').at(-1)!),
    'notice',
  );
  await combined.until(
    () => combined.tail().includes('{"stream":"!serverShutdown","data":'),
    'notice',
  );
  time.advance(10_000);
  assert.equal(await alive.closed(), 1001);
  assert.equal(await combined.closed(), 1001);
});

test('Binance closes on the sixth client message within a second', async () => {
  const client = await connect(`${(await start(NO_TRADES)).url('BINANCE')}/ws`);
  for (let id = 1; id <= 6; id++) client.send({ method: 'LIST_SUBSCRIPTIONS', id });
  assert.equal(await client.closed(), 1008);
  assert.equal(client.messages.length, 5);
});

test('Binance refuses more than 1024 streams on a connection', async () => {
  const client = await connect(`${(await start(NO_TRADES)).url('BINANCE')}/ws`);
  const params = Array.from({ length: 1025 }, (_, i) => `s${i}usdt@trade`);
  client.send({ method: 'SUBSCRIBE', params, id: 1 });
  assert.equal(
    await client.text(1),
    '{"code":2,"msg":"Invalid request: too many parameters","id":1}',
  );
  client.send({ method: 'SUBSCRIBE', params: params.slice(1), id: 2 });
  assert.equal(await client.text(2), '{"result":null,"id":2}');
});

test('Kraken: status, one ack per symbol, snapshot of 50, pong, errors', async () => {
  const client = await connect((await start({ ...NO_TRADES, historySeconds: 60 })).url('KRAKEN'));
  assert.match(
    await client.text(1),
    /^\{"channel":"status","type":"update","data":\[\{"version":"[\d.]+","system":"online","api_version":"v2","connection_id":\d{19}\}\]\}$/,
  );
  const times = '"time_in":"2026-07-07T22:58:00.000000Z","time_out":"2026-07-07T22:58:00.000000Z"';
  client.send({ method: 'ping', req_id: 101 });
  assert.equal(await client.text(2), `{"method":"pong","req_id":101,${times}}`);
  const params = { channel: 'trade', symbol: ['BTC/USD', 'BAD/USD', 'ETH/USD'], snapshot: true };
  client.send({ method: 'subscribe', params, req_id: 1 });
  await client.text(7);
  const texts = client.messages.map(String).slice(2);
  const ack = (symbol: string): string =>
    `{"method":"subscribe","result":{"channel":"trade","snapshot":true,"symbol":"${symbol}"},` +
    `"success":true,${times},"req_id":1}`;
  assert.equal(texts[0], ack('BTC/USD'));
  const error = '{"error":"Currency pair not supported BAD/USD","method":"subscribe","req_id":1,';
  assert.equal(texts[2], `${error}"success":false,"symbol":"BAD/USD",${times}}`);
  assert.equal(texts[3], ack('ETH/USD'));
  for (const [index, symbol] of [
    [1, 'BTC/USD'],
    [4, 'ETH/USD'],
  ] as const) {
    assert.ok(texts[index]!.startsWith('{"channel":"trade","type":"snapshot","data":['));
    const ids = readTrades(texts[index]!)!.map((trade) => trade.id);
    const truth = [...simulator!.journal.trades('kraken')].filter(
      (one) => one.nativeSymbol === symbol,
    );
    assert.deepEqual(
      ids,
      truth.slice(-50).map(({ id }) => id),
    );
    assert.equal(ids.length, 50);
  }
  client.send({ method: 'unsubscribe', params: { channel: 'trade', symbol: ['ETH/USD'] } });
  const result = '{"channel":"trade","symbol":"ETH/USD"}';
  assert.equal(
    await client.text(8),
    `{"method":"unsubscribe","result":${result},"success":true,${times}}`,
  );
});

test('Kraken: heartbeats only when quiet and once subscribed; idle close', async () => {
  const url = (await start(NO_TRADES)).url('KRAKEN');
  const idle = await connect(url);
  const client = await connect(url);
  client.send({
    method: 'subscribe',
    params: { channel: 'trade', symbol: ['BTC/USD'], snapshot: false },
  });
  await client.text(2);
  time.advance(3050);
  await client.text(5);
  assert.deepEqual(client.messages.slice(2).map(String), Array(3).fill('{"channel":"heartbeat"}'));
  assert.equal(idle.messages.length, 1);
  simulator!.resume();
  time.advance(10_000);
  await client.until(
    () => client.messages.some((one) => readTrades(one.toString())!.length > 0),
    'trades',
  );
  time.advance(47_000);
  assert.equal(await idle.closed(), 1000);
  assert.equal(client.closeCode, undefined);
});

test('Coinbase: acks of the whole set, errors per channel, last_match, heartbeats', async () => {
  const client = await connect((await start({ ...NO_TRADES, historySeconds: 60 })).url('COINBASE'));
  client.send({
    type: 'subscribe',
    product_ids: ['BTC-USD', 'ETH-USD'],
    channels: ['matches', 'heartbeat'],
  });
  const channel = (name: string, ids: string[]): string =>
    `{"name":"${name}","product_ids":${JSON.stringify(ids)},"account_ids":null}`;
  const both = ['BTC-USD', 'ETH-USD'];
  assert.equal(
    await client.text(1),
    `{"type":"subscriptions","channels":[${channel('matches', both)},${channel('heartbeat', both)}]}`,
  );
  await client.text(3);
  const newest = new Map<string, number>();
  for (const { nativeSymbol, id } of simulator!.journal.trades('coinbase'))
    newest.set(nativeSymbol, id);
  for (const [index, product] of both.entries()) {
    const text = client.messages[1 + index]!.toString();
    assert.ok(text.startsWith(`{"type":"last_match","trade_id":${newest.get(product)},`));
  }
  time.advance(1000);
  await client.text(5);
  for (const [index, product] of both.entries()) {
    const beat = client.messages[3 + index]!.toString();
    const id = newest.get(product);
    assert.match(
      beat,
      new RegExp(
        `^\\{"type":"heartbeat","last_trade_id":${id},"product_id":"${product}","sequence":\\d+,"time":"2026-07-07T22:58:01\\.\\d{6}Z"\\}$`,
      ),
    );
  }
  client.send({ type: 'subscribe', product_ids: ['NO-PE'], channels: ['matches', 'full'] });
  await client.text(8);
  assert.deepEqual(client.messages.slice(5, 7).map(String), [
    '{"message":"Failed to subscribe","reason":"NO-PE is not a valid product","type":"error"}',
    '{"message":"Failed to subscribe","reason":"full is not a valid channel","type":"error"}',
  ]);
  client.send({ type: 'unsubscribe', channels: [{ name: 'heartbeat', product_ids: both }] });
  assert.equal(
    await client.text(9),
    `{"type":"subscriptions","channels":[${channel('matches', both)}]}`,
  );
});

test('Coinbase closes a connection that has not subscribed within 5 s', async () => {
  const client = await connect((await start(NO_TRADES)).url('COINBASE'));
  time.advance(4900);
  client.ws.ping();
  await new Promise((resolve) => client.ws.once('pong', resolve));
  assert.equal(client.closeCode, undefined);
  time.advance(200);
  assert.equal(await client.closed(), 1008);
});

test('Coinbase Advanced: numbered messages, newest first, aliases, heartbeats', async () => {
  const feeds = ['coinbase-advanced'] as const;
  const client = await connect((await start({ feeds, ratePerSecond: 200 })).url('ADVANCED'));
  client.send({ type: 'subscribe', channel: 'heartbeats' });
  await client.text(1);
  client.send({
    type: 'subscribe',
    channel: 'market_trades',
    product_ids: ['BTC-USDC', 'SHIB-USD'],
  });
  assert.match(
    await client.text(2),
    /"events":\[\{"subscriptions":\{"market_trades":\["BTC-USD","SHIB-USD"\],"heartbeats"/,
  );
  time.advance(3000);
  await client.until(
    () => client.messages.filter((one) => one.includes('heartbeat_counter')).length === 3,
    'heartbeats',
  );
  const sequences = client.messages.map(
    (one) => (JSON.parse(one.toString()) as { sequence_num: number }).sequence_num,
  );
  assert.deepEqual(
    sequences,
    sequences.map((_, index) => index),
  );
  for (const message of client.messages) {
    const trades = readTrades(message.toString())!;
    for (const [index, trade] of trades.entries()) {
      if (index > 0) assert.equal(trade.id, trades[index - 1]!.id - 1);
      assert.equal(trade.symbol, trades[0]!.symbol);
    }
  }
});

test('too many connection attempts are refused with 429', async () => {
  const rate = { max: 2, windowMs: 10_000 };
  const connectionAttempts = {
    ...LIMITS.connectionAttempts,
    KRAKEN: rate,
  } as Limits['connectionAttempts'];
  const url = (await start({ ...NO_TRADES, limits: { connectionAttempts } })).url('KRAKEN');
  await connect(url);
  await connect(url);
  await assert.rejects(connect(url), /did not open/);
  time.advance(10_000);
  await connect(url);
});

test('what arrives is the truth: dense ids, exact prices, for all clients', async () => {
  await start({ ratePerSecond: 300, finishAfterTrades: 2000, paused: true });
  const feeds = [
    ['BINANCE', 'binance-trade'],
    ['KRAKEN', 'kraken'],
    ['COINBASE', 'coinbase'],
  ] as const;
  const opened = [];
  for (const [venue] of feeds) {
    for (let i = 0; i < 2; i++) {
      const client = await connect(`${simulator!.url(venue)}${venue === 'BINANCE' ? '/ws' : ''}`);
      client.send({ method: 'SUBSCRIBE', params: BINANCE_ALL, id: 1, ...subscription(venue) });
      opened.push({ venue, client });
      await client.until(() => /subscri|result/.test(client.tail()), 'the ack');
    }
  }
  simulator!.resume();
  for (let second = 0; second < 10; second++) time.advance(1000);
  await simulator!.finished;
  for (const [venue, feed] of feeds) {
    const truth = [...simulator!.journal.trades(feed)];
    assert.ok(truth.length >= 2000 && truth.length < 2010, `${truth.length}`);
    for (const { client } of opened.filter((one) => one.venue === venue)) {
      const read = (): ReturnType<typeof readTrades> & {} =>
        client.messages.flatMap((one) => readTrades(one.toString()) ?? []);
      await client.until(() => read().length >= truth.length, 'all trades');
      const sorted = read().sort((a, b) =>
        a.symbol < b.symbol ? -1 : a.symbol > b.symbol ? 1 : a.id - b.id,
      );
      const expected = truth
        .map(({ nativeSymbol: symbol, id, timeUs, price, quantity, side }) => ({
          symbol,
          id,
          timeUs,
          price: scaled(price),
          quantity: scaled(quantity),
          side,
        }))
        .sort((a, b) => (a.symbol < b.symbol ? -1 : a.symbol > b.symbol ? 1 : a.id - b.id));
      assert.deepEqual(
        sorted.map((one) => ({ ...one, price: scaled(one.price), quantity: scaled(one.quantity) })),
        expected,
      );
    }
    assert.ok(truth.every(({ sends }) => sends === 2));
  }
  const { trades, connections } = simulator!.stats();
  assert.equal(connections, 6);
  assert.ok(Object.values(trades).every((count) => count >= 2000));
});

function subscription(venue: 'BINANCE' | 'KRAKEN' | 'COINBASE'): object {
  if (venue === 'KRAKEN') {
    return { method: 'subscribe', params: { channel: 'trade', symbol: symbolsOf('KRAKEN') } };
  }
  return venue === 'COINBASE'
    ? { type: 'subscribe', product_ids: symbolsOf('COINBASE'), channels: ['matches'] }
    : {};
}

test('a virtual start time moves the whole exchange', async () => {
  const startUs = START_US - 1_000_000_000_000;
  await start({ startUs, paused: true });
  time.advance(1000);
  const body = await (await fetch(`${simulator!.restUrl('BINANCE')}/api/v3/time`)).text();
  assert.equal(body, `{"serverTime":${startUs / 1000 + 1000}}`);
  assert.equal(decimalText(startUs, 6).slice(0, 10), '1782465080');
});
