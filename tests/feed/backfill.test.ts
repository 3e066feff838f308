/** Missing trades are fetched completely, politely and within bounds, on all three exchanges. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BACKFILL_LIMITS, Backfill } from '#src/feed/backfill';
import { binanceHistory } from '#src/feed/binance-history';
import { COINBASE_HISTORY } from '#src/feed/coinbase-history';
import { KRAKEN_HISTORY } from '#src/feed/kraken-history';
import type { HttpResponse } from '#src/feed/ports';
import type { IdRange, TradeHistory } from '#src/feed/trade-history';
import { beatForEver, binanceTrade, serveBinance, startFeed } from '#tests/feed/fake-feed';
import { EPOCH_US, FakeWorld } from '#tests/feed/fake-world';

/** Trades 1..newest of one instrument, one every `everyMs`, and a REST API over them. */
interface Market {
  newest: number;
  oldest: number;
  readonly timeNs: (id: number) => bigint;
}

function market(newest: number, everyMs = 10, oldest = 1): Market {
  return {
    newest,
    oldest,
    timeNs: (id) => BigInt(EPOCH_US) * 1000n + BigInt(id) * BigInt(everyMs) * 1_000_000n,
  };
}

function idsFrom(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
}

/** What each API answers; written from its documentation, not from our code. */
const SERVERS = {
  binance: (m: Market, url: URL): unknown => {
    const fromId = Math.max(m.oldest, Number(url.searchParams.get('fromId')));
    const limit = Number(url.searchParams.get('limit'));
    const key = url.pathname === '/api/v3/historicalTrades' ? 'id' : 'a';
    return idsFrom(fromId, Math.min(m.newest, fromId + limit - 1)).map((id) => ({ [key]: id }));
  },
  kraken: (m: Market, url: URL): unknown => {
    const since = BigInt(url.searchParams.get('since')!);
    const count = Number(url.searchParams.get('count'));
    const ids = idsFrom(m.oldest, m.newest)
      .filter((id) => m.timeNs(id) > since)
      .slice(0, count);
    const last = ids.length === 0 ? since : m.timeNs(ids.at(-1)!);
    const rows = ids.map((id) => ['1.0', '2.0', 0, 'b', 'm', '', id]);
    return { error: [], result: { XXBTZUSD: rows, last: `${last}` } };
  },
  coinbase: (m: Market, url: URL): unknown => {
    const after = Number(url.searchParams.get('after') ?? Number.POSITIVE_INFINITY);
    const limit = Number(url.searchParams.get('limit'));
    const top = Math.min(m.newest, after - 1);
    return idsFrom(Math.max(m.oldest, top - limit + 1), top)
      .reverse()
      .map((trade_id) => ({ trade_id }));
  },
};

const HISTORIES = {
  binance: binanceHistory('trade'),
  kraken: KRAKEN_HISTORY,
  coinbase: COINBASE_HISTORY,
} as const satisfies Record<string, TradeHistory>;

type Name = keyof typeof HISTORIES;
const NAMES = Object.keys(HISTORIES) as Name[];

function readIds(name: Name, body: string): number[] {
  const value = JSON.parse(body);
  if (name === 'kraken') return value.result.XXBTZUSD.map((row: number[]) => row[6]);
  return value.map((row: Record<string, number>) => row.id ?? row.trade_id);
}

interface Run {
  readonly ids: Set<number>;
  readonly ended: (string | undefined)[];
  readonly limited: number[];
}

function startBackfill(name: Name, world: FakeWorld, m: Market, pagesMax = 200) {
  const run: Run = { ids: new Set(), ended: [], limited: [] };
  world.onGet = (url) => ({ text: JSON.stringify(SERVERS[name](m, new URL(url))) });
  const backfill = new Backfill(
    HISTORIES[name],
    'https://rest.test/',
    world,
    { ...BACKFILL_LIMITS, pagesMax },
    {
      onPage: (_range, body) => {
        for (const id of readIds(name, new TextDecoder().decode(body))) run.ids.add(id);
        return true;
      },
      onRangeEnded: (_range, shortfall) => run.ended.push(shortfall),
      onRateLimited: (waitMs) => run.limited.push(waitMs),
    },
  );
  backfill.start();
  return { backfill, run };
}

function rangeOf(m: Market, lo: number, hi: number): IdRange {
  const sinceUs = Number(m.timeNs(lo - 1) / 1000n);
  return { symbol: 'BTC/USD', lo, hi, sinceUs };
}

for (const name of NAMES) {
  test(`${name}: a range comes in whole, whatever its place and size`, async () => {
    const place = fc.record({
      lo: fc.integer({ min: 2, max: 5_000 }),
      size: fc.integer({ min: 1, max: 4_500 }),
      after: fc.nat(3_000),
      everyMs: fc.constantFrom(1, 100, 5_000),
      isOpen: fc.boolean(),
      clockErrorMs: fc.constantFrom(0, -50_000, 1_000, 45_000, 600_000),
    });
    await fc.assert(
      fc.asyncProperty(place, async ({ lo, size, after, everyMs, isOpen, clockErrorMs }) => {
        const world = new FakeWorld();
        const m = market(lo + size - 1 + (isOpen ? 0 : after), everyMs);
        const { backfill, run } = startBackfill(name, world, m);
        const hi = isOpen ? Number.POSITIVE_INFINITY : lo + size - 1;
        const range = rangeOf(m, lo, hi);
        // Our clock is wrong: receive times are off by that much.
        backfill.add({ ...range, sinceUs: range.sinceUs + clockErrorMs * 1_000 });
        await world.run(120_000, 500);
        assert.deepEqual(run.ended, [undefined], JSON.stringify(world.requests));
        for (let id = lo; id < lo + size; id++) assert.ok(run.ids.has(id), `id ${id}`);
      }),
      { numRuns: 30 },
    );
  });

  test(`${name}: requests keep their distance`, async () => {
    const world = new FakeWorld();
    const m = market(20_000);
    const { backfill } = startBackfill(name, world, m);
    backfill.add(rangeOf(m, 10, 9_000));
    backfill.add(rangeOf(m, 11_000, 12_000));
    await world.run(60_000);
    assert.ok(world.requests.length >= 10);
    const { intervalMs } = HISTORIES[name];
    world.requests.slice(1).forEach(({ atMs }, i) => {
      assert.ok(atMs - world.requests[i]!.atMs >= intervalMs);
    });
  });

  test(`${name}: pages are bounded; the range is given up and the next one is served`, async () => {
    const world = new FakeWorld();
    const m = market(20_000);
    const { backfill, run } = startBackfill(name, world, m, 3);
    backfill.add(rangeOf(m, 10, 9_000));
    backfill.add(rangeOf(m, 11_000, 11_010));
    await world.run(60_000);
    assert.deepEqual(run.ended, ['more than 3 pages', undefined]);
  });

  test(`${name}: what the exchange no longer serves is given up; the rest is kept`, async () => {
    const world = new FakeWorld();
    const m = market(4_000, 10, 2_500);
    const { backfill, run } = startBackfill(name, world, m);
    backfill.add(rangeOf(m, 1_000, 3_000));
    await world.run(60_000);
    assert.deepEqual(run.ended, ['older trades are not served']);
    for (let id = 2_500; id <= 3_000; id++) assert.ok(run.ids.has(id));
  });

  test(`${name}: REST lagging behind the WebSocket is asked again`, async () => {
    const world = new FakeWorld();
    const m = market(50);
    const { backfill, run } = startBackfill(name, world, m);
    backfill.add(rangeOf(m, 40, 60));
    world.timers.after(2_500, () => {
      m.newest = 70;
    });
    await world.run(60_000);
    assert.deepEqual(run.ended, [undefined]);
    assert.ok(run.ids.has(60));
  });
}

for (const name of ['binance', 'coinbase'] as const) {
  test(`${name}: a small gap is asked for alone, not with a page around it`, async () => {
    const world = new FakeWorld();
    const m = market(4_000);
    const { backfill, run } = startBackfill(name, world, m);
    backfill.add(rangeOf(m, 1_000, 1_006));
    await world.run(10_000);
    assert.deepEqual(
      [...run.ids].sort((a, b) => a - b),
      idsFrom(1_000, 1_006),
    );
    assert.deepEqual(run.ended, [undefined]);
  });
}

for (const [answer, waitMs] of [
  [{ status: 429, headers: { 'retry-after': '33' } }, 33_000],
  [{ status: 418, headers: {} }, 120_000],
  [{ status: 429, text: '{"code":-1003,"msg":"Too many requests."}' }, 60_000],
  [{ status: 200, text: '{"error":["EAPI:Rate limit exceeded"]}' }, 60_000],
] as const satisfies readonly [Partial<HttpResponse> & { text?: string }, number][]) {
  test(`a rate limit (${JSON.stringify(answer)}) stops all requests for ${waitMs} ms`, async () => {
    const world = new FakeWorld();
    const m = market(100);
    const { backfill, run } = startBackfill('kraken', world, m);
    const { onGet } = world;
    world.onGet = (url) => (world.requests.length === 1 ? answer : onGet(url));
    backfill.add(rangeOf(m, 10, 20));
    backfill.add(rangeOf(m, 30, 40));
    await world.run(waitMs - 100);
    assert.equal(world.requests.length, 1);
    await world.run(10_000);
    assert.deepEqual(run.limited, [waitMs]);
    assert.deepEqual(run.ended, [undefined, undefined]);
  });
}

test('answers that are no trades are never stored, and end in giving up', async () => {
  for (const text of [
    '<html>',
    '{}',
    '[{"x":1}]',
    'null',
    '{"error":["EQuery:Unknown asset pair"]}',
  ]) {
    for (const name of NAMES) {
      const world = new FakeWorld();
      const m = market(100);
      const { backfill, run } = startBackfill(name, world, m);
      world.onGet = () => ({ text });
      backfill.add(rangeOf(m, 10, 20));
      await world.run(200_000, 1_000);
      assert.equal(run.ids.size, 0);
      assert.equal(run.ended.length, 1, `${name} ${text}`);
      assert.equal(world.requests.length, 5);
    }
  }
});

test('a failing connection is tried five times, then given up; stop drops an answer under way', async () => {
  const world = new FakeWorld();
  const m = market(100);
  const { backfill, run } = startBackfill('binance', world, m);
  world.onGet = () => {
    throw new Error('connect ECONNREFUSED');
  };
  backfill.add(rangeOf(m, 10, 20));
  await world.run(100_000, 1_000);
  assert.deepEqual(run.ended, ['Error: connect ECONNREFUSED']);
  assert.equal(world.requests.length, 5);

  world.onGet = (url) => {
    backfill.stop();
    return { text: JSON.stringify(SERVERS.binance(m, new URL(url))) };
  };
  backfill.add(rangeOf(m, 10, 20));
  await world.run(5_000);
  assert.deepEqual([run.ids.size, backfill.waiting, world.pendingTimers], [0, 1, 0]);
  backfill.start();
  world.onGet = (url) => ({ text: JSON.stringify(SERVERS.binance(m, new URL(url))) });
  await world.run(5_000);
  assert.equal(run.ended.length, 2);
  assert.ok(run.ids.has(20));
});

test('a session fetches what a lost connection missed, and stores pages as tagged rest frames', async () => {
  const world = new FakeWorld();
  serveBinance(world);
  const m = market(100);
  world.onGet = (url) => ({ text: JSON.stringify(SERVERS.binance(m, new URL(url))) });
  const { stored, counters } = startFeed(world, 'BINANCE', ['BTCUSDT', 'ETHUSDT'], {
    channel: 'trade',
  });
  world.advance(10);
  for (let id = 1; id <= 40; id++) world.last.frame(binanceTrade('BTCUSDT', id));
  world.last.end(1006);
  await world.run(2_000);
  for (let id = 61; id <= 70; id++) world.last.frame(binanceTrade('BTCUSDT', id));
  await world.run(6_000);
  const pages = stored.filter(({ kind }) => kind === 1);
  assert.equal(pages.length, 1);
  const [tag, body] = pages[0]!.text.split('\n');
  assert.deepEqual([tag, pages[0]!.connection], ['BTCUSDT', 0]);
  const ids = new Set(readIds('binance', body!));
  for (let id = 41; id <= 60; id++) assert.ok(ids.has(id));
  assert.equal(counters.backfillPages, 1);
  assert.equal(world.requests.length, 1, 'ETHUSDT has no mark, so there is nothing to ask');
});

test('a quiet instrument is looked after once the connection is back; a busy one needs no request', async () => {
  const world = new FakeWorld();
  serveBinance(world);
  const m = market(43);
  world.onGet = (url) => ({ text: JSON.stringify(SERVERS.binance(m, new URL(url))) });
  const { stored, events } = startFeed(world, 'BINANCE', ['BTCUSDT', 'ETHUSDT'], {
    channel: 'trade',
  });
  world.advance(10);
  world.last.frame(binanceTrade('BTCUSDT', 40));
  world.last.frame(binanceTrade('ETHUSDT', 7));
  world.last.end(1006);
  await world.run(1_500);
  world.last.frame(binanceTrade('ETHUSDT', 8));
  await world.run(6_000);
  assert.deepEqual(
    stored.filter(({ kind }) => kind === 1).map(({ text }) => text),
    ['BTCUSDT\n[{"id":41},{"id":42},{"id":43}]'],
  );
  const [done] = events.filter((e) => e.event === 'backfilled');
  assert.equal(done?.text, 'BINANCE: BTCUSDT trades 41 to now fetched');
});

test('coinbase: a heartbeat ahead of the last match is a lag, fetched once; a claim in vain is dropped', async () => {
  const world = new FakeWorld();
  const symbol = 'BTC-USD';
  let claim = 50;
  world.onText = (socket) => {
    const channels = [{ name: 'matches', product_ids: [symbol] }];
    socket.frame({ type: 'subscriptions', channels });
    beatForEver(world, socket, () =>
      socket.frame({ type: 'heartbeat', product_id: symbol, last_trade_id: claim }),
    );
  };
  const m = market(50);
  world.onGet = (url) => ({ text: JSON.stringify(SERVERS.coinbase(m, new URL(url))) });
  const { events } = startFeed(world, 'COINBASE', [symbol], { channel: 'matches' });
  world.advance(10);
  const match = (id: number): string =>
    `{"type":"match","trade_id":${id},"side":"buy","size":"1","price":"2","product_id":"${symbol}"}`;
  world.last.frame(match(50));
  await world.run(10_000);
  assert.equal(world.requests.length, 0);
  claim = m.newest = 52;
  await world.run(20_000);
  assert.equal(world.requests.length, 1);
  claim = 60;
  await world.run(120_000);
  assert.equal(events.filter((e) => e.event === 'backfill_given_up').length, 1);
  assert.ok(world.requests.length <= 1 + BACKFILL_LIMITS.failuresMax);
});

test('ids left by an earlier run are where a new one starts to look', async () => {
  const world = new FakeWorld();
  serveBinance(world);
  const m = market(5_000);
  world.onGet = (url) => ({ text: JSON.stringify(SERVERS.binance(m, new URL(url))) });
  const { stored } = startFeed(world, 'BINANCE', ['BTCUSDT'], {
    channel: 'trade',
    resume: { BTCUSDT: { tradeId: 2_000, timeUs: EPOCH_US } },
  });
  await world.run(10_000);
  const pages = stored.filter(({ kind }) => kind === 1);
  const ids = pages.flatMap(({ text }) => readIds('binance', text.split('\n')[1]!));
  assert.deepEqual(ids, idsFrom(2_001, 5_000));
});

test('backfill can be switched off', async () => {
  const world = new FakeWorld();
  serveBinance(world);
  startFeed(world, 'BINANCE', ['BTCUSDT'], { channel: 'trade', backfill: false });
  world.advance(10);
  world.last.frame(binanceTrade('BTCUSDT', 1));
  world.last.frame(binanceTrade('BTCUSDT', 100));
  await world.run(30_000, 500);
  assert.equal(world.requests.length, 0);
});

test('a gap the ledger shows is fetched although a newer one was given up before', async () => {
  const world = new FakeWorld();
  serveBinance(world);
  const m = market(1_000, 10, 1);
  // The exchange itself lost trade 900.
  world.onGet = (url) => ({
    text: JSON.stringify(
      (SERVERS.binance(m, new URL(url)) as { id: number }[]).filter(({ id }) => id !== 900),
    ),
  });
  const { session, stored, events } = startFeed(world, 'BINANCE', ['BTCUSDT'], {
    channel: 'trade',
  });
  await world.run(1_000);
  for (const id of [898, 899, 901, 902]) world.last.frame(binanceTrade('BTCUSDT', id));
  await world.run(120_000, 500);
  assert.equal(events.filter(({ event }) => event === 'backfill_given_up').length, 1);
  const before = stored.length;
  // An earlier life's log is judged only now.
  session.fillGaps([{ symbol: 'BTCUSDT', lo: 200, hi: 201, sinceUs: EPOCH_US }]);
  await world.run(10_000);
  const pages = stored.slice(before).filter(({ kind }) => kind === 1);
  const ids = pages.flatMap(({ text }) => readIds('binance', text.split('\n')[1] ?? ''));
  assert.deepEqual(ids.slice(0, 2), [200, 201]);
});

test('a gap the ledger shows after an epoch is fetched once, and not when it was given up', async () => {
  const world = new FakeWorld();
  serveBinance(world);
  const m = market(500, 10, 100);
  world.onGet = (url) => ({ text: JSON.stringify(SERVERS.binance(m, new URL(url))) });
  const { session, stored, events } = startFeed(world, 'BINANCE', ['BTCUSDT'], {
    channel: 'trade',
  });
  await world.run(1_000);
  for (const id of [498, 499, 500]) world.last.frame(binanceTrade('BTCUSDT', id));
  await world.run(5_000);
  assert.equal(world.requests.length, 0, 'nothing looks missing to this life');
  const gap = { symbol: 'BTCUSDT', lo: 200, hi: 300, sinceUs: EPOCH_US };
  session.fillGaps([gap]);
  await world.run(10_000);
  const pages = stored
    .filter(({ kind }) => kind === 1)
    .map(({ text }) => text.split('\n')[1] ?? '');
  assert.deepEqual(
    pages.flatMap((page) => readIds('binance', page)).slice(0, 101),
    idsFrom(200, 300),
  );
  const asked = world.requests.length;
  session.fillGaps([gap]);
  await world.run(10_000);
  assert.equal(world.requests.length, asked, 'the next epoch shows it again: asked already');
  const lost = { symbol: 'BTCUSDT', lo: 10, hi: 50, sinceUs: EPOCH_US };
  session.fillGaps([lost]);
  await world.run(60_000);
  assert.equal(events.filter(({ event }) => event === 'backfill_given_up').length, 1);
  const tried = world.requests.length;
  session.fillGaps([]);
  session.fillGaps([lost]);
  await world.run(60_000);
  assert.equal(world.requests.length, tried, 'given up is given up, even when the list forgot it');
});
