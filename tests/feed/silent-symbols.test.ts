/** A symbol the exchange does not trade is told from a quiet one, although it was acknowledged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { binanceTrade, serveBinance, serveKraken, startFeed } from '#tests/feed/fake-feed';
import { FakeWorld } from '#tests/feed/fake-world';

const TRADES = { channel: 'trade', backfill: false } as const;

/** What exchangeInfo answers, by symbol: a status, or nothing for a symbol it does not know. */
function serveListing(world: FakeWorld, statuses: Readonly<Record<string, string>>): void {
  world.onGet = (url) => {
    const symbol = new URL(url).searchParams.get('symbol') as string;
    const status = statuses[symbol];
    if (status === undefined)
      return { status: 400, text: '{"code":-1121,"msg":"Invalid symbol."}' };
    return { text: JSON.stringify({ timezone: 'UTC', symbols: [{ symbol, status }] }) };
  };
}

function reported(events: readonly { event: string; text: string }[]): string[] {
  return events.filter(({ event }) => event === 'symbol_rejected').map(({ text }) => text);
}

test('binance: only symbols without a trade are looked up, each once, and the dead ones reported', async () => {
  const world = new FakeWorld();
  serveBinance(world);
  serveListing(world, { BTCUSDT: 'TRADING', QUIETUSDT: 'TRADING', LUNAUSDT: 'BREAK' });
  const symbols = ['BTCUSDT', 'QUIETUSDT', 'BTCUSTD', 'LUNAUSDT'];
  const { events, counters } = startFeed(world, 'BINANCE', symbols, TRADES);
  await world.run(1_000);
  world.last.frame(binanceTrade('BTCUSDT', 1));
  await world.run(110_000);
  assert.equal(world.requests.length, 0, 'two minutes of silence first');
  await world.run(60_000);
  assert.deepEqual(reported(events), [
    'BINANCE: BTCUSTD was refused (Invalid symbol.); the rest goes on',
    'BINANCE: LUNAUSDT was refused (its status is BREAK); the rest goes on',
  ]);
  assert.equal(counters.symbolsRejected, 2);
  assert.deepEqual(
    world.requests.map(({ url }) => url),
    ['QUIETUSDT', 'BTCUSTD', 'LUNAUSDT'].map(
      (symbol) => `https://api.binance.com/api/v3/exchangeInfo?symbol=${symbol}`,
    ),
  );
  for (const [i, { atMs }] of world.requests.entries()) {
    if (i > 0) assert.ok(atMs - world.requests[i - 1]!.atMs >= 2_000);
  }
  await world.run(600_000);
  assert.equal(world.requests.length, 3);
});

test('binance: an answer that says nothing is asked for again, a rate limit is waited out', async () => {
  const world = new FakeWorld();
  serveBinance(world);
  const answers = [
    { status: 503, text: '<html>busy</html>' },
    { status: 429, headers: { 'retry-after': '200' } },
    { status: 400, text: '{"code":-1121,"msg":"Invalid symbol."}' },
  ];
  world.onGet = () => answers[world.requests.length - 1] as (typeof answers)[0];
  const { events } = startFeed(world, 'BINANCE', ['BTCUSTD'], TRADES);
  await world.run(600_000);
  assert.equal(reported(events).length, 1);
  const [busy, limited, told] = world.requests.map(({ atMs }) => atMs) as [number, number, number];
  assert.equal(world.requests.length, 3);
  assert.ok(limited - busy >= 60_000);
  assert.ok(told - limited >= 200_000);
});

test('kraken, which refuses what it does not know, is never asked', async () => {
  const world = new FakeWorld();
  serveKraken(world);
  startFeed(world, 'KRAKEN', ['BTC/USD'], TRADES);
  await world.run(300_000);
  assert.deepEqual(world.requests, []);
});
