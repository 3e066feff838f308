/** The hub: what a client has been told is how things are, however it came, went, stuck and drained. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Value } from '@sinclair/typebox/value';
import fc from 'fast-check';
import type { Timeframe } from '#schemas/timeframe';
import type { CandleRow } from '#src/output/candle-row';
import { MESSAGE, type StreamMessage } from '#src/push/messages';
import { PushHub, SUBSCRIPTIONS_MAX } from '#src/push/push-hub';
import { BUFFER_BYTES_MAX, type StreamClient } from '#src/push/stream-client';
import { INSTRUMENTS } from '#tests/api/instruments';
import { Board } from '#tests/push/board';
import { FakeWire } from '#tests/push/fake-wire';

const TIMEFRAMES: readonly Timeframe[] = ['1m', '1h'];
const WINDOW_MS = { '1m': 60_000, '1h': 3_600_000 } as Record<Timeframe, number>;

function world() {
  const board = new Board(INSTRUMENTS.length);
  const clock = { ms: 0, nowUs: () => 0, monotonicMs: () => clock.ms };
  let wanted = 0;
  const hub = new PushHub({
    instruments: INSTRUMENTS,
    sources: board.sources,
    clock,
    onWanted: () => wanted++,
  });
  return { board, clock, hub, wanted: () => wanted };
}

function nameOf(message: StreamMessage): string {
  if (message.type === 'error') return 'error';
  const timeframe = 'timeframe' in message ? message.timeframe : '';
  return `${message.channel} ${message.exchange} ${message.symbol} ${timeframe}`;
}

function request(
  op: 'subscribe' | 'unsubscribe',
  instrument: number,
  timeframe: Timeframe | undefined,
): string {
  const { exchange, symbol } = INSTRUMENTS[instrument] as (typeof INSTRUMENTS)[number];
  const channel = timeframe === undefined ? 'trades' : 'candles';
  return JSON.stringify({ op, channel, exchange, symbol, timeframe });
}

/** What a client knows, from messages alone; refuses what no server may say. */
class View {
  readonly candles = new Map<string, Map<string, CandleRow>>();
  readonly trades = new Map<string, { next: number; ids: number[] }>();

  take(messages: readonly StreamMessage[]): void {
    for (const message of messages) {
      assert.ok(Value.Check(MESSAGE, message), JSON.stringify(message));
      const name = nameOf(message);
      if (message.type === 'unsubscribed') {
        this.candles.delete(name);
        this.trades.delete(name);
      } else if (message.type !== 'error') {
        if (message.channel === 'candles') this.#candles(name, message);
        else this.#trades(name, message);
      }
    }
  }

  #candles(
    name: string,
    message: Extract<StreamMessage, { channel: 'candles'; candles: unknown }>,
  ) {
    if (message.type === 'snapshot') this.candles.set(name, new Map());
    const known = this.candles.get(name);
    assert.ok(known, `an update of ${name} before its snapshot`);
    for (const candle of message.candles) known.set(candle.window_start, candle);
  }

  #trades(name: string, message: Extract<StreamMessage, { channel: 'trades'; trades: unknown }>) {
    const ids = message.trades.map(({ trade_id }) => Number(trade_id.split('-')[1]));
    if (message.type === 'snapshot') {
      this.trades.set(name, { next: message.next, ids });
      return;
    }
    const known = this.trades.get(name);
    assert.ok(known, `an update of ${name} before its snapshot`);
    assert.equal(known.next + message.skipped + ids.length, message.next, 'trades unaccounted for');
    known.next = message.next;
    known.ids.push(...ids);
    const all = known.ids;
    assert.deepEqual(
      all,
      [...new Set(all)].sort((a, b) => a - b),
      'twice, or out of order',
    );
  }
}

const instrument = fc.integer({ min: 0, max: INSTRUMENTS.length - 1 });
const client = fc.integer({ min: 0, max: 2 });
const timeframe = fc.constantFrom(...TIMEFRAMES);
const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('candle' as const),
      instrument,
      timeframe,
      window: fc.integer({ min: 0, max: 12 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('trades' as const),
      instrument,
      count: fc.integer({ min: 1, max: 200 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('round' as const),
      ms: fc.integer({ min: 1, max: 400 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('subscribe' as const, 'unsubscribe' as const),
      client,
      instrument,
      timeframe: fc.option(timeframe, { nil: undefined }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('stick' as const, 'drain' as const, 'flood' as const),
      client,
    }),
  },
);

test('what clients were told is how things are, whatever happened in between', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
      const { board, clock, hub } = world();
      const wires = [0, 1, 2].map(() => new FakeWire());
      const clients = wires.map((wire) => hub.join(wire) as StreamClient);
      const views = wires.map(() => new View());
      const versions = new Map<string, number>();
      const counts = INSTRUMENTS.map(() => 0);
      const look = () => views.forEach((view, i) => void view.take((wires[i] as FakeWire).take()));
      for (const [step, one] of actions.entries()) {
        switch (one.do) {
          case 'candle':
            board.candle(one.instrument, one.timeframe, one.window, step + 1);
            versions.set(`${one.instrument} ${one.timeframe} ${one.window}`, step + 1);
            break;
          case 'trades':
            board.trades(one.instrument, counts[one.instrument] as number, one.count);
            counts[one.instrument]! += one.count;
            break;
          case 'round':
            clock.ms += one.ms;
            hub.round();
            break;
          case 'stick':
            (wires[one.client] as FakeWire).isStuck = true;
            break;
          case 'flood':
            Object.assign(wires[one.client] as FakeWire, {
              isStuck: true,
              bufferedBytes: BUFFER_BYTES_MAX,
            });
            break;
          case 'drain':
            (wires[one.client] as FakeWire).drain();
            break;
          default:
            hub.request(
              clients[one.client] as StreamClient,
              request(one.do, one.instrument, one.timeframe),
            );
        }
        look();
      }
      for (const wire of wires) {
        wire.drain();
        assert.ok(wire.bufferedBytesMax < 2 * BUFFER_BYTES_MAX, `${wire.bufferedBytesMax} bytes`);
      }
      hub.round();
      hub.round();
      look();
      for (const { candles, trades } of views) {
        for (const [name, { next }] of trades) {
          const code = INSTRUMENTS.findIndex((i) => name === `trades ${i.exchange} ${i.symbol} `);
          assert.equal(next, counts[code]);
        }
        for (const [name, known] of candles) {
          const [, exchange, symbol, tf] = name.split(' ') as [string, string, string, Timeframe];
          const code = INSTRUMENTS.findIndex((i) => i.exchange === exchange && i.symbol === symbol);
          const now = board.sources.newest(
            tf,
            INSTRUMENTS[code] as (typeof INSTRUMENTS)[number],
            8,
          );
          for (const candle of now) assert.deepEqual(known.get(candle.window_start), candle);
          assert.ok(now.length > 0 || known.size === 0);
          assert.ok(WINDOW_MS[tf] > 0);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('a snapshot comes first, then one update per change, in the same words', () => {
  const { board, hub, wanted } = world();
  const wire = new FakeWire();
  const client = hub.join(wire) as StreamClient;
  board.candle(0, '1m', 5, 1);
  board.trades(0, 100, 3);
  assert.equal(hub.isWanted, false);
  hub.request(client, request('subscribe', 0, '1m'));
  hub.request(client, request('subscribe', 0, undefined));
  assert.equal(wanted(), 1);
  const [candles, trades, ...more] = wire.take();
  assert.equal(more.length, 0);
  assert.equal(candles?.type, 'snapshot');
  assert.equal(trades?.type, 'snapshot');
  assert.deepEqual(trades && 'trades' in trades && trades.trades.map(({ trade_id }) => trade_id), [
    'BINANCE-100',
    'BINANCE-101',
    'BINANCE-102',
  ]);
  hub.round();
  assert.deepEqual(wire.take(), []);
  board.candle(0, '1m', 5, 2);
  board.candle(0, '1m', 5, 3);
  board.trades(0, 103, 1);
  hub.round();
  const [update, trade, ...none] = wire.take();
  assert.equal(none.length, 0);
  assert.ok(update && 'candles' in update && update.type === 'update');
  assert.equal(update.candles.length, 1);
  assert.equal(update.candles[0]?.volume, '0.00000003');
  assert.equal(update.candles[0]?.revision, 1);
  assert.equal(update.candles[0]?.is_final, false);
  assert.ok(trade && 'trades' in trade);
  assert.deepEqual(trade.trades[0], {
    trade_id: 'BINANCE-103',
    timestamp: '2025-03-04T00:00:00.000000Z',
    price: '90123456.78901234',
    quantity: '0.00000001',
    side: 'BUY',
    ingestion_timestamp: '2025-03-04T00:00:00.100000Z',
  });
  hub.request(client, request('unsubscribe', 0, '1m'));
  hub.request(client, request('unsubscribe', 0, undefined));
  assert.equal(hub.isWanted, false);
});

test('a request that is wrong gets one sentence, and changes nothing', () => {
  const { hub } = world();
  const wire = new FakeWire();
  const client = hub.join(wire) as StreamClient;
  const trades = { op: 'subscribe', channel: 'trades', exchange: 'KRAKEN', symbol: 'BTCUSD' };
  const wrong: [string, RegExp][] = [
    ['', /not JSON/],
    ['null', /^op must be/],
    ['[]', /^op must be/],
    [JSON.stringify({ ...trades, op: 'admin' }), /^op must be subscribe or unsubscribe\.$/],
    [JSON.stringify({ ...trades, channel: '__proto__' }), /^channel must be/],
    [JSON.stringify({ ...trades, exchange: 'MTGOX' }), /^exchange must be one of BINANCE/],
    [JSON.stringify({ ...trades, symbol: '<img src=x>' }), /no such symbol/],
    [JSON.stringify({ ...trades, symbol: 7 }), /^symbol must be a symbol/],
    [JSON.stringify({ ...trades, timeframe: '1m' }), /^timeframe is not a known key/],
    [JSON.stringify({ ...trades, limit: 129 }), /^limit must be an integer from 0 to 128/],
    [JSON.stringify({ ...trades, op: 'unsubscribe' }), /no such subscription/],
  ];
  for (const [text, detail] of wrong) {
    hub.request(client, text);
    const [message, ...more] = wire.take();
    assert.equal(more.length, 0);
    assert.ok(message?.type === 'error', JSON.stringify(message));
    assert.match(message.detail, detail);
    assert.ok(message.detail.length < 200);
  }
  assert.equal(client.subscriptions, 0);
  assert.equal(hub.isWanted, false);
});

test('subscriptions are counted, and each client has its own', () => {
  const board = new Board(200);
  const many = Array.from({ length: 200 }, (_, code) => ({
    ...(INSTRUMENTS[0] as (typeof INSTRUMENTS)[number]),
    code,
    symbol: `S${code}`,
  }));
  const clock = { nowUs: () => 0, monotonicMs: () => 0 };
  const hub = new PushHub({ instruments: many, sources: board.sources, clock, onWanted: () => {} });
  const wire = new FakeWire();
  const client = hub.join(wire) as StreamClient;
  const ask = (code: number): string | undefined => {
    const symbol = `S${code}`;
    hub.request(
      client,
      JSON.stringify({ op: 'subscribe', channel: 'trades', exchange: 'BINANCE', symbol }),
    );
    return wire.take().at(-1)?.type;
  };
  for (let code = 0; code < SUBSCRIPTIONS_MAX - 1; code++) assert.equal(ask(code), 'snapshot');
  assert.equal(ask(SUBSCRIPTIONS_MAX - 1), 'snapshot');
  assert.equal(ask(SUBSCRIPTIONS_MAX), 'error');
  assert.equal(ask(0), 'snapshot', 'what is subscribed already may be asked for again');
  hub.leave(client);
  assert.equal(hub.isWanted, false);
});

test('a client that does not read is left out, and closed when it stays so', () => {
  const { board, clock, hub } = world();
  const wire = new FakeWire();
  const client = hub.join(wire) as StreamClient;
  hub.request(client, request('subscribe', 0, undefined));
  wire.isStuck = true;
  let id = 0;
  for (let round = 0; round < 2_000; round++) {
    board.trades(0, id, 100);
    id += 100;
    clock.ms += 1;
    hub.round();
  }
  assert.ok(wire.bufferedBytes < BUFFER_BYTES_MAX + 64 * 1024, `${wire.bufferedBytes} bytes`);
  assert.ok(client.isBehind);
  wire.take();
  wire.drain();
  hub.round();
  const [snapshot, ...more] = wire.take();
  assert.equal(more.length, 0);
  assert.equal(snapshot?.type, 'snapshot');
  assert.ok(snapshot && 'next' in snapshot && snapshot.next === id);

  Object.assign(wire, { isStuck: true, bufferedBytes: BUFFER_BYTES_MAX });
  board.trades(0, id, 1);
  hub.round();
  assert.deepEqual(wire.closed, []);
  clock.ms += 14_000;
  hub.round();
  assert.deepEqual(wire.closed, []);
  clock.ms += 1_001;
  hub.round();
  assert.deepEqual(wire.closed, ['too slow']);
});
