/** The life of an exchange's connections, in a world where time and the exchange obey the test. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FRAME_BYTES_MAX } from '#src/log/frame';
import {
  beatForEver,
  binanceTrade,
  instruments,
  serveBinance,
  serveKraken,
  startFeed,
} from '#tests/feed/fake-feed';
import { type FakeSocket, FakeWorld } from '#tests/feed/fake-world';

const HOUR_MS = 3_600_000;
const TRADES = { channel: 'trade', backfill: false } as const;

function texts(socket: FakeSocket): string[] {
  return socket.sent.map((message) => message.text);
}

test('subscribes, is live once acknowledged, and stores every frame as it came', () => {
  const world = new FakeWorld();
  serveBinance(world);
  const { session, stored, counters } = startFeed(world, 'BINANCE', ['BTCUSDT', 'ETHUSDT'], TRADES);
  assert.equal(session.status()[0]?.state, 'connecting');
  world.advance(10);
  assert.deepEqual(texts(world.last), [
    '{"method":"SUBSCRIBE","params":["btcusdt@trade","ethusdt@trade"],"id":1}',
  ]);
  assert.equal(session.status()[0]?.state, 'live');
  const frames = [binanceTrade('BTCUSDT', 1), 'not JSON {', '', '{"e":"depthUpdate"}', '[1,2'];
  for (const frame of frames) world.last.frame(frame);
  assert.deepEqual(
    stored.map(({ text, kind, connection }) => [text, kind, connection]),
    ['{"result":null,"id":1}', ...frames].map((text) => [text, 0, 1]),
  );
  assert.equal(counters.controlFrames, 5);
  assert.deepEqual(session.status(), [
    {
      connection: 1,
      state: 'live',
      host: 'stream.binance.com:9443',
      symbols: 2,
      sinceUs: session.status()[0]?.sinceUs,
      frames: 6,
      lastFrameAgeMs: 0,
      reconnects: 0,
      lastError: '',
    },
  ]);
});

test('one message of ours at a time, never more than five a second', () => {
  const world = new FakeWorld();
  serveBinance(world);
  const symbols = Array.from({ length: 2_500 }, (_, i) => `S${i}USDT`);
  const { session } = startFeed(world, 'BINANCE', symbols, TRADES);
  world.advance(10_000);
  assert.equal(world.opened.length, 3, '2,500 streams need three connections of at most 1,024');
  const asked = world.opened.flatMap((socket) =>
    texts(socket).flatMap((text) => JSON.parse(text).params as string[]),
  );
  assert.equal(new Set(asked).size, 2_500);
  assert.equal(asked.length, 2_500);
  for (const socket of world.opened) {
    const times = socket.sent.map((message) => message.atMs);
    for (const t of times) assert.ok(times.filter((u) => u >= t && u < t + 1_000).length <= 4);
  }
  assert.ok(session.status().every(({ state }) => state === 'live'));
});

test('kraken: an unknown symbol is reported once, over all reconnects, and the rest goes live', () => {
  const world = new FakeWorld();
  serveKraken(world, new Set(['BAD/USD']));
  const { session, events, counters } = startFeed(
    world,
    'KRAKEN',
    ['XBT/USD', 'BAD/USD', 'ETH/USD'],
    TRADES,
  );
  world.advance(100);
  assert.equal(session.status()[0]?.state, 'live');
  world.last.end(1006);
  world.advance(60_000);
  assert.equal(session.status()[0]?.state, 'live');
  assert.equal(world.opened.length, 2);
  const rejected = events.filter((e) => e.event === 'symbol_rejected');
  assert.deepEqual(
    rejected.map((e) => e.text),
    ['KRAKEN: BAD/USD was refused (Currency pair not supported BAD/USD); the rest goes on'],
  );
  assert.equal(counters.symbolsRejected, 1);
});

test('binance: a message refused as a whole is halved until the bad stream stands alone', () => {
  const world = new FakeWorld();
  world.onText = (socket, text) => {
    const { id, params } = JSON.parse(text) as { id: number; params: string[] };
    const isBad = params.some((name) => name.startsWith('b%d'));
    const error = { code: 2, msg: 'Invalid request: invalid stream' };
    socket.frame(isBad ? { error, id } : { result: null, id });
  };
  const symbols = ['AUSDT', 'CUSDT', 'B%D', 'DUSDT', 'EUSDT', 'FUSDT', 'GUSDT'];
  const { session, events } = startFeed(world, 'BINANCE', symbols, TRADES);
  world.advance(5_000);
  assert.equal(session.status()[0]?.state, 'live');
  const rejected = events.filter((e) => e.event === 'symbol_rejected').map((e) => e.text);
  assert.equal(rejected.length, 1);
  assert.match(rejected[0]!, /^BINANCE: B%D was refused/);
});

test('coinbase: products left unanswered by a refusal are asked again, the delisted one is not', () => {
  const world = new FakeWorld();
  const good = new Set<string>();
  world.onText = (socket, text) => {
    const { product_ids } = JSON.parse(text) as { product_ids: string[] };
    if (product_ids.includes('YFI-USD')) {
      const reason = 'YFI-USD is delisted';
      socket.frame({ type: 'error', message: 'Failed to subscribe', reason });
      return;
    }
    for (const id of product_ids) good.add(id);
    const channels = ['matches', 'heartbeat'].map((name) => ({ name, product_ids: [...good] }));
    socket.frame({ type: 'subscriptions', channels });
  };
  const symbols = ['BTC-USD', 'YFI-USD', 'ETH-USD'];
  const options = { channel: 'matches', backfill: false } as const;
  const { session, events } = startFeed(world, 'COINBASE', symbols, options);
  world.advance(4_000);
  assert.equal(session.status()[0]?.state, 'live');
  assert.deepEqual([...good], ['BTC-USD', 'ETH-USD']);
  assert.equal(events.filter((e) => e.event === 'symbol_rejected').length, 1);
});

test('a missing acknowledgement: asked again, reported once, and the rest goes live', () => {
  const world = new FakeWorld();
  const asked: string[] = [];
  world.onText = (socket, text) => {
    const { method, params, req_id } = JSON.parse(text);
    if (method !== 'subscribe') return;
    beatForEver(world, socket, () => socket.frame({ channel: 'heartbeat' }));
    for (const symbol of params.symbol) {
      asked.push(symbol);
      if (symbol === 'MUTE/USD') continue;
      socket.frame({ method, result: { symbol }, success: true, req_id });
    }
  };
  const { session, events, counters } = startFeed(world, 'KRAKEN', ['BTC/USD', 'MUTE/USD'], TRADES);
  world.advance(9_000);
  assert.equal(session.status()[0]?.state, 'subscribing');
  world.advance(15_000);
  assert.equal(session.status()[0]?.state, 'live');
  assert.deepEqual(asked, ['BTC/USD', 'MUTE/USD', 'MUTE/USD']);
  assert.equal(counters.acksMissing, 1);
  assert.deepEqual(
    events.filter((e) => e.event === 'ack_missing').map((e) => e.text),
    ['KRAKEN: MUTE/USD was never acknowledged; the rest goes on'],
  );
});

test('no acknowledgement at all ends the connection within its deadline', () => {
  const world = new FakeWorld();
  const { session } = startFeed(world, 'BINANCE', ['BTCUSDT'], TRADES);
  world.advance(10_001);
  assert.equal(world.opened[0]?.isClosing, true);
  assert.match(session.status()[0]!.lastError, /no subscription was acknowledged/);
  assert.equal(session.status()[0]?.state, 'backing_off');
});

test('a handshake that is never answered is given up after 15 s', () => {
  const world = new FakeWorld();
  world.onOpen = () => {};
  const { session } = startFeed(world, 'KRAKEN', ['BTC/USD'], TRADES);
  world.advance(16_500);
  assert.match(session.status()[0]!.lastError, /no answer to the handshake/);
  assert.equal(world.opened.length, 2);
});

for (const [exchange, symbol, silenceMs] of [
  ['BINANCE', 'BTCUSDT', 60_000],
  ['KRAKEN', 'BTC/USD', 10_000],
  ['COINBASE', 'BTC-USD', 10_000],
] as const) {
  test(`${exchange}: a half-open connection is dropped after ${silenceMs / 1000} s of silence`, () => {
    const world = new FakeWorld();
    world.onText = (socket, text) => {
      const { id, params, req_id } = JSON.parse(text);
      if (exchange === 'BINANCE') socket.frame({ result: null, id });
      if (exchange === 'KRAKEN' && params !== undefined) {
        socket.frame({ method: 'subscribe', result: { symbol }, success: true, req_id });
      }
      if (exchange === 'COINBASE') {
        const channels = [{ name: 'matches', product_ids: [symbol] }];
        socket.frame({ type: 'subscriptions', channels });
      }
    };
    // The peer is gone: it answers no close, and nothing tells us.
    world.onCloseAsked = () => {};
    const channel = exchange === 'COINBASE' ? 'matches' : 'trade';
    const { counters } = startFeed(world, exchange, [symbol], { channel, backfill: false });
    world.advance(5);
    const first = world.last;
    assert.equal(counters.connected, 1);
    world.advance(silenceMs - 10);
    assert.equal(first.isClosing, false);
    world.advance(silenceMs / 4 + 10);
    assert.equal(first.isClosing, true);
    assert.equal(counters.silences, 1);
    world.advance(600);
    assert.equal(world.opened.length, 2, 'back within the shortest back-off');
  });
}

test('pings and heartbeats keep a connection without trades for ever', () => {
  const binance = new FakeWorld();
  serveBinance(binance);
  startFeed(binance, 'BINANCE', ['BTCUSDT'], TRADES);
  binance.advance(2 * HOUR_MS);
  const kraken = new FakeWorld();
  serveKraken(kraken);
  startFeed(kraken, 'KRAKEN', ['BTC/USD'], TRADES);
  kraken.advance(HOUR_MS / 6);
  assert.deepEqual([binance.opened.length, kraken.opened.length], [1, 1]);
  const pings = texts(kraken.last).filter((text) => text === '{"method":"ping"}');
  assert.equal(pings.length, 30, 'one every 20 s of ten minutes');
});

test('a server that accepts and drops is met with growing, bounded, jittered delays', () => {
  const world = new FakeWorld(7);
  world.onOpen = (socket) => {
    socket.accept();
    socket.end(1012);
  };
  startFeed(world, 'BINANCE', ['BTCUSDT'], TRADES);
  world.advance(600_000);
  const gaps = world.opened.slice(1).map((s, i) => s.openedMs - world.opened[i]!.openedMs);
  gaps.forEach((gapMs, i) => {
    assert.ok(gapMs <= Math.min(30_000, 500 * 2 ** i) + 1, `gap ${i} of ${gapMs} ms`);
  });
  assert.ok(gaps.slice(6).some((gapMs) => gapMs > 15_000));
  assert.ok(world.opened.length < 80);
});

test('no behaviour of the exchange makes us exceed its limit on attempts', () => {
  const fate = fc.constantFrom('drop', 'refuse', 'mute', 'shutdown', 'live');
  fc.assert(
    fc.property(fc.array(fate, { minLength: 1, maxLength: 8 }), fc.nat(1000), (fates, seed) => {
      const world = new FakeWorld(seed);
      const fateOf = (socket: FakeSocket): string =>
        fates[world.opened.indexOf(socket) % fates.length]!;
      world.onOpen = (socket) => {
        const what = fateOf(socket);
        if (what === 'refuse') {
          socket.handlers.onRefused(503, undefined);
          socket.end(1006);
          return;
        }
        socket.accept();
        if (what === 'drop') socket.end(1001);
      };
      world.onText = (socket, text) => {
        const { product_ids } = JSON.parse(text);
        const what = fateOf(socket);
        if (what === 'mute') return;
        if (what === 'shutdown') socket.end(1012);
        socket.frame({ type: 'subscriptions', channels: [{ name: 'matches', product_ids }] });
      };
      const symbols = Array.from({ length: 30 }, (_, i) => `S${i}-USD`);
      const options = { channel: 'matches', backfill: false, streamsPerConnectionMax: 1 } as const;
      startFeed(world, 'COINBASE', symbols, options);
      world.advance(20_000);
      const times = world.opened.map((socket) => socket.openedMs);
      for (const t of times) {
        const inWindow = times.filter((u) => u >= t && u < t + 1_000).length;
        assert.ok(inWindow <= 8, `${inWindow} attempts in the second from ${t}`);
      }
    }),
    { numRuns: 25 },
  );
});

for (const [status, retryAfter, leastMs, mostMs] of [
  [429, '17', 17_000, 19_200],
  [418, undefined, 120_000, 132_500],
  [429, undefined, 60_000, 66_500],
  [403, undefined, 30_000, 33_500],
] as const) {
  test(`a handshake refused with ${status}, Retry-After ${retryAfter}: no attempt before`, () => {
    const world = new FakeWorld();
    world.onOpen = (socket) => {
      socket.handlers.onRefused(status, retryAfter);
      socket.handlers.onError(new Error('closed before the connection was established'));
      socket.end(1006);
    };
    const { session } = startFeed(world, 'BINANCE', ['BTCUSDT'], TRADES);
    world.advance(leastMs - 1);
    assert.equal(world.opened.length, 1);
    assert.equal(session.status()[0]?.state, 'backing_off');
    assert.equal(session.status()[0]?.lastError, `refused with HTTP status ${status}`);
    world.advance(mostMs - leastMs + 1);
    assert.equal(world.opened.length, 2);
  });
}

test('an oversize message is counted, reported, and answered with a new connection', () => {
  const world = new FakeWorld();
  serveBinance(world);
  const { events, counters } = startFeed(world, 'BINANCE', ['BTCUSDT'], TRADES);
  world.advance(10);
  const tooBig = `Max payload size exceeded: ${FRAME_BYTES_MAX}`;
  const error = Object.assign(new RangeError(tooBig), {
    code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
  });
  world.last.handlers.onError(error);
  world.advance(1_000);
  assert.equal(counters.oversize, 1);
  assert.equal(events.filter((e) => e.event === 'oversize').length, 1);
  assert.equal(world.live.length, 1);
  assert.equal(world.opened.length, 2);
});

test('planned rotation: the new connection is live before the old one closes; nothing is lost', () => {
  const world = new FakeWorld(3);
  serveBinance(world);
  let id = 0;
  // Every trade goes to whoever is subscribed when it happens; the old socket lags by a second.
  const trade = (): void => {
    id++;
    const frame = binanceTrade('BTCUSDT', id);
    for (const socket of world.opened) {
      if (!socket.isOpen || socket.sent.length === 0) continue;
      const lagMs = socket === world.opened[0] ? 1_000 : 0;
      world.timers.after(lagMs, () => socket.frame(frame));
    }
    world.timers.after(400, trade);
  };
  const { session, stored, counters } = startFeed(world, 'BINANCE', ['BTCUSDT'], TRADES);
  world.advance(23 * HOUR_MS);
  assert.equal(world.opened.length, 1);
  const { onOpen } = world;
  world.onOpen = (socket) => void world.timers.after(500, () => onOpen(socket));
  trade();
  for (let i = 0; i < 4 * 60 * 60 && world.opened.length < 2; i++) world.advance(250);
  assert.equal(session.status()[0]?.state, 'rotating');
  const rotatedMs = world.nowMs;
  assert.ok(rotatedMs < 23.7 * HOUR_MS);
  world.advance(4_000);
  assert.deepEqual([world.live.length, counters.connected], [2, 1]);
  world.advance(60_000);
  assert.deepEqual([world.live.length, counters.connected], [1, 1]);
  assert.equal(session.status()[0]?.connection, 2);
  const ids = new Set(stored.map(({ text }) => JSON.parse(text).t as number));
  for (let i = 1; i < id - 3; i++) assert.ok(ids.has(i), `trade ${i} of ${id}`);
});

test('serverShutdown opens a replacement at once, without spinning on repetition', () => {
  const world = new FakeWorld();
  serveBinance(world);
  const { events } = startFeed(world, 'BINANCE', ['BTCUSDT'], TRADES);
  world.advance(40_000);
  const old = world.last;
  old.frame('{"e":"serverShutdown","E":1783382400000}');
  world.advance(10);
  assert.deepEqual([world.opened.length, old.isClosing], [2, false]);
  world.advance(6_000);
  assert.equal(old.isClosing, true);
  assert.equal(events.filter((e) => e.event === 'shutdown_notice').length, 1);

  const { onText } = world;
  world.onText = (socket, text) => {
    onText(socket, text);
    socket.frame('{"e":"serverShutdown","E":1783382400000}');
  };
  world.last.frame('{"e":"serverShutdown","E":1783382400000}');
  const before = world.opened.length;
  world.advance(60_000);
  assert.ok(world.opened.length - before < 25, `${world.opened.length - before} in a minute`);
  assert.ok(world.live.length >= 1);
});

test('the old connection dies while its replacement is on its way: one attempt, no second', () => {
  const world = new FakeWorld();
  serveBinance(world);
  const { session, counters } = startFeed(world, 'BINANCE', ['BTCUSDT'], TRADES);
  world.advance(40_000);
  const old = world.last;
  world.onOpen = () => {};
  old.frame('{"e":"serverShutdown","E":1}');
  world.advance(10);
  old.end(1006);
  assert.equal(session.status()[0]?.state, 'connecting');
  assert.equal(counters.connected, 0);
  world.advance(10_000);
  assert.equal(world.opened.length, 2);
  world.last.accept();
  world.advance(10);
  assert.equal(session.status()[0]?.state, 'live');
});

test('a replacement that fails leaves the old connection in place and is tried again', () => {
  const world = new FakeWorld();
  serveBinance(world);
  const { session } = startFeed(world, 'BINANCE', ['BTCUSDT'], TRADES);
  world.advance(40_000);
  const old = world.last;
  const { onOpen } = world;
  world.onOpen = (socket) => socket.end(1006);
  old.frame('{"e":"serverShutdown","E":1}');
  world.advance(5_000);
  assert.ok(world.opened.length >= 3);
  assert.equal(old.isClosing, false);
  assert.equal(session.status()[0]?.connection, 1);
  world.onOpen = onOpen;
  world.advance(60_000);
  assert.equal(old.isEnded, true);
  assert.equal(world.live.length, 1);
  assert.equal(session.status()[0]?.state, 'live');
});

test('stop in any state leaves no timer and no socket behind, and resolves', async () => {
  const moments = [0, 1, 2, 50, 300, 700, 11_000, 40_001, 40_400, 46_000];
  for (const momentMs of moments) {
    for (const isMute of [false, true]) {
      for (const isOrderly of [false, true]) {
        const world = new FakeWorld(momentMs + 1);
        world.onText = (socket, text) => {
          const { id, params } = JSON.parse(text) as { id: number; params: string[] };
          if (!isMute || params.length > 1) socket.frame({ result: null, id });
        };
        if (isMute) world.onCloseAsked = () => {};
        const symbols = ['AUSDT', 'BUSDT', 'CUSDT'];
        const options = { channel: 'trade', streamsPerConnectionMax: 2 } as const;
        const { session, stored } = startFeed(world, 'BINANCE', symbols, options);
        world.advance(momentMs);
        world.live[0]?.frame('{"e":"serverShutdown","E":1}');
        if (momentMs % 100 === 1) world.advance(1);
        let hasStopped = false;
        const stopped = session.stop(isOrderly).then(() => {
          hasStopped = true;
        });
        world.live[0]?.frame('late');
        await world.run(5_100, 500);
        await stopped;
        assert.ok(hasStopped);
        assert.equal(world.pendingTimers, 0, `at ${momentMs} ms, mute ${isMute}`);
        assert.ok(world.opened.every((socket) => socket.isEnded || socket.isClosing));
        assert.ok(session.status().every(({ state }) => state === 'stopped' || state === 'idle'));
        const attempts = world.opened.length;
        world.opened[0]?.frame('too late');
        assert.ok(stored.every(({ text }) => text !== 'too late'));
        world.advance(120_000);
        assert.equal(world.opened.length, attempts);
      }
    }
  }
});

test('frames that arrive between our close and the answer are kept', async () => {
  const world = new FakeWorld();
  serveBinance(world);
  world.onCloseAsked = (socket) => {
    socket.frame(binanceTrade('BTCUSDT', 9));
    socket.end(1000);
  };
  const { session, stored } = startFeed(world, 'BINANCE', ['BTCUSDT'], TRADES);
  world.advance(10);
  const stopped = session.stop(true);
  await world.run(100);
  await stopped;
  assert.equal(stored.at(-1)?.text, binanceTrade('BTCUSDT', 9));
});

test('a flood of garbage is stored whole and reported five times a second', () => {
  const world = new FakeWorld();
  serveBinance(world);
  const { stored, events } = startFeed(world, 'BINANCE', ['BTCUSDT'], TRADES);
  world.advance(10);
  for (let i = 0; i < 1_000; i++) world.last.frame(`garbage ${i}`);
  assert.equal(stored.length, 1_001);
  assert.equal(events.filter((e) => e.event === 'notice').length, 5);
  assert.equal(world.live.length, 1);
});

test('chaos: whatever the exchange does, every frame of an open connection is stored in order', () => {
  const act = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('trade'), n: fc.nat(3) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait'), n: fc.nat(30_000) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constantFrom('drop', 'shutdown', 'garbage', 'error', 'refuse-next', 'mute-next'),
        n: fc.nat(3),
      }),
    },
  );
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), fc.nat(10_000), (acts, seed) => {
      const world = new FakeWorld(seed);
      let refuse = 0;
      let mute = 0;
      world.onOpen = (socket) => {
        if (refuse > 0) {
          refuse--;
          socket.handlers.onRefused(503, undefined);
          socket.end(1006);
        } else socket.accept();
      };
      world.onText = (socket, text) => {
        if (mute > 0) mute--;
        else socket.frame({ result: null, id: JSON.parse(text).id });
      };
      const options = { channel: 'trade', streamsPerConnectionMax: 2, backfill: false } as const;
      const symbols = instruments('BINANCE', ['AUSDT', 'BUSDT', 'CUSDT']).map((i) => i.symbol);
      const { stored, session } = startFeed(world, 'BINANCE', symbols, options);
      const sent: string[] = [];
      let n = 0;
      for (const { kind, n: which } of acts) {
        const socket = world.live[which % Math.max(1, world.live.length)];
        if (kind === 'wait') world.advance(which);
        if (kind === 'refuse-next') refuse++;
        if (kind === 'mute-next') mute++;
        if (socket === undefined) continue;
        if (kind === 'drop') socket.end(1006);
        const frame = {
          trade: binanceTrade('AUSDT', n),
          garbage: `garbage ${n}`,
          error: `{"error":{"code":2,"msg":"no"},"id":${n}}`,
          shutdown: `{"e":"serverShutdown","E":${n}}`,
        }[kind as 'trade'];
        n++;
        if (frame === undefined) continue;
        sent.push(frame);
        socket.frame(frame);
      }
      const kept = stored.map(({ text }) => text).filter((text) => !text.startsWith('{"result"'));
      assert.deepEqual(kept, sent);
      // Left in peace, it always comes back.
      refuse = 0;
      mute = 0;
      const { onOpen } = world;
      world.onOpen = (socket) => {
        onOpen(socket);
        beatForEver(world, socket, () => socket.handlers.onPing());
      };
      for (const socket of world.live) {
        beatForEver(world, socket, () => socket.handlers.onPing());
      }
      world.advance(180_000);
      const states = session.status().map(({ state }) => state);
      assert.ok(
        states.every((state) => state === 'live' || state === 'rotating'),
        states.join(),
      );
    }),
    { numRuns: 60 },
  );
});
