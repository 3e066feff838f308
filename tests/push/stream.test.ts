/** The stream over real sockets: WebSocket and server-sent events, and those who misbehave on them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type FastifyInstance, fastify } from 'fastify';
import { WebSocket } from 'ws';
import { Problem } from '#src/api/problem';
import { answerRaw } from '#src/api/raw-answer';
import { systemClock } from '#src/base/clock';
import { systemTimers } from '#src/base/timers';
import type { StreamMessage } from '#src/push/messages';
import { CLIENTS_MAX } from '#src/push/push-hub';
import { REQUESTS_BURST } from '#src/push/request-rate';
import { openStream, type Stream } from '#src/push/stream';
import { INSTRUMENTS } from '#tests/api/instruments';
import { Board } from '#tests/push/board';

const CANDLES = {
  op: 'subscribe',
  channel: 'candles',
  exchange: 'KRAKEN',
  symbol: 'BTCUSD',
  timeframe: '1m',
};
const TRADES = { op: 'subscribe', channel: 'trades', exchange: 'KRAKEN', symbol: 'BTCUSD' };

/** A bell as src/ring/doorbell.ts, on one thread. */
class TestBell {
  count = 0;
  #wake: () => void = () => {};

  ring(): void {
    this.count++;
    this.#wake();
  }

  async rest(seen: number, timeoutMs: number): Promise<void> {
    if (this.count !== seen) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** A client that keeps what it hears. */
class Client {
  readonly socket: WebSocket;
  readonly #heard: StreamMessage[] = [];
  #wake: () => void = () => {};

  constructor(url: string, options: object = {}, protocols: string[] = []) {
    this.socket = new WebSocket(url, protocols, options);
    this.socket.on('message', (data) => {
      this.#heard.push(JSON.parse(String(data)));
      this.#wake();
    });
    this.socket.on('error', () => {});
  }

  async open(): Promise<this> {
    await once(this.socket, 'open');
    return this;
  }

  say(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  async hear(): Promise<StreamMessage> {
    while (this.#heard.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#heard.shift() as StreamMessage;
  }

  async closed(): Promise<[number, string]> {
    const [code, reason] = await once(this.socket, 'close');
    return [code, String(reason)];
  }
}

describe('stream', () => {
  const board = new Board(INSTRUMENTS.length);
  const bell = new TestBell();
  const failures: unknown[] = [];
  let app: FastifyInstance;
  let stream: Stream;
  let port: number;
  let isAdmitted = true;

  before(async () => {
    app = fastify();
    app.setErrorHandler((error, _request, reply) => {
      void reply.code(error instanceof Problem ? error.status : 500).send(String(error));
    });
    stream = openStream({
      instruments: INSTRUMENTS,
      sources: board.sources,
      bell,
      clock: systemClock(),
      timers: systemTimers,
      onFailure: (error) => failures.push(error),
    });
    stream.attach(app, {
      upgrade: (_request, socket) => {
        if (!isAdmitted) answerRaw(socket, new Problem(403, 'Not here.'));
        return isAdmitted;
      },
    });
    await app.listen({ host: '127.0.0.1', port: 0 });
    const address = app.server.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
  });

  after(async () => {
    stream.end();
    await stream.run;
    await app.close();
    assert.deepEqual(failures, []);
  });

  const url = (path = '/v1/stream'): string => `ws://127.0.0.1:${port}${path}`;
  const connect = (options?: object, protocols?: string[]): Promise<Client> =>
    new Client(url(), options, protocols).open();
  const gone = async (): Promise<void> => {
    while (stream.clients > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  };

  it('pushes candles and trades over a WebSocket', async () => {
    const client = await connect();
    client.say(CANDLES);
    client.say(TRADES);
    const first = [await client.hear(), await client.hear()];
    assert.deepEqual(
      first.map(({ type }) => type),
      ['snapshot', 'snapshot'],
    );
    board.trades(1, 500, 2);
    board.candle(1, '1m', 7, 42);
    bell.ring();
    const updates = [await client.hear(), await client.hear()];
    const [candles, trades] = updates;
    assert.ok(candles && 'candles' in candles && trades && 'trades' in trades);
    assert.equal(candles.candles[0]?.window_start, '1970-01-01T00:07:00Z');
    assert.equal(candles.candles[0]?.volume, '0.00000042');
    assert.deepEqual(
      trades.trades.map(({ trade_id }) => trade_id),
      ['KRAKEN-500', 'KRAKEN-501'],
    );
    client.socket.close();
    await client.closed();
    await gone();
  });

  it('says the same as server-sent events', async () => {
    const path =
      '/v1/stream?candles=KRAKEN:BTCUSD:1m&trades=KRAKEN:BTCUSD&trades=BINANCE:TRXUSDT&limit=1';
    const response = await new Promise<IncomingMessage>((resolve) =>
      get(`http://127.0.0.1:${port}${path}`, resolve),
    );
    assert.equal(response.statusCode, 200);
    assert.match(String(response.headers['content-type']), /^text\/event-stream/);
    let text = '';
    response.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    const until = async (events: number): Promise<void> => {
      while (text.split('\n\n').length <= events) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    await until(3);
    board.trades(0, 900, 1);
    bell.ring();
    await until(4);
    const events = text
      .trimEnd()
      .split('\n\n')
      .map((event) => event.split('\n'));
    assert.deepEqual(
      events.map(([name]) => name),
      ['event: snapshot', 'event: snapshot', 'event: snapshot', 'event: update'],
    );
    const data = events.map(([, line = '']) => JSON.parse(line.replace(/^data: /, '')));
    assert.equal(data[0].candles.length, 1);
    assert.equal(data[3].trades[0].trade_id, 'BINANCE-900');
    response.destroy();
    await gone();
  });

  it('has no stream without a body', async () => {
    const url = `http://127.0.0.1:${port}/v1/stream?trades=KRAKEN:BTCUSD`;
    assert.equal((await fetch(url, { method: 'HEAD' })).status, 404);
    assert.equal(stream.clients, 0);
  });

  it('refuses a stream of events that asks for nothing, too much or nonsense', async () => {
    const ask = async (query: string): Promise<string> => {
      const response = await fetch(`http://127.0.0.1:${port}/v1/stream${query}`);
      assert.equal(response.status, 400, query);
      return response.text();
    };
    assert.match(await ask(''), /must name 1 to 100 subscriptions/);
    assert.match(await ask(`?${'trades=KRAKEN:BTCUSD&'.repeat(101)}`), /must name 1 to 100/);
    assert.match(await ask('?trades=KRAKEN:BTCUSD:1m'), /trades must look like/);
    assert.match(await ask('?candles=KRAKEN:BTCUSD:2m'), /timeframe must be one of/);
    assert.match(await ask('?candles=KRAKEN:..%2f:1m'), /no such symbol/);
    assert.match(await ask('?trades=KRAKEN:BTCUSD&limit=501'), /limit must be/);
    assert.match(await ask('?trades=KRAKEN:BTCUSD&x=1'), /parameters are/);
    assert.equal(stream.clients, 0);
  });

  it('answers what is wrong with a sentence and goes on', async () => {
    const client = await connect();
    client.socket.send('{');
    client.socket.send(Buffer.from([1, 2, 3]), { binary: true });
    client.say({ ...CANDLES, symbol: '__proto__' });
    for (let i = 0; i < 3; i++) assert.equal((await client.hear()).type, 'error');
    client.say(TRADES);
    assert.equal((await client.hear()).type, 'snapshot');
    client.socket.terminate();
    await gone();
  });

  it('bounds messages: 64 KiB pass, one byte more closes', async () => {
    const client = await connect();
    client.socket.send('x'.repeat(64 * 1024));
    assert.equal((await client.hear()).type, 'error');
    const closed = client.closed();
    client.socket.send('x'.repeat(64 * 1024 + 1));
    assert.equal((await closed)[0], 1009);
    await gone();
  });

  it('bounds fragments', async () => {
    const client = await connect();
    const closed = client.closed();
    for (let i = 0; i <= 64; i++) client.socket.send('x', { fin: false });
    assert.ok([1008, 1009].includes((await closed)[0]));
    await gone();
  });

  it('bounds how often a client asks', async () => {
    const client = await connect();
    const closed = client.closed();
    for (let i = 0; i < REQUESTS_BURST + 50; i++) client.say(TRADES);
    assert.deepEqual(await closed, [1008, 'too many requests: 20/s']);
    await gone();
  });

  it('ends a flood of pings', async () => {
    const client = await connect();
    const closed = client.closed();
    for (let i = 0; i < REQUESTS_BURST + 50; i++) client.socket.ping();
    // By our count, or sooner by the one of `ws`, which does not take leave.
    assert.ok([1006, 1008].includes((await closed)[0]));
    await gone();
  });

  it('lets in only whom the gateway lets in, and only at its own path', async () => {
    isAdmitted = false;
    const refused = new Client(url());
    const [, answer] = await once(refused.socket, 'unexpected-response');
    assert.equal((answer as IncomingMessage).statusCode, 403);
    isAdmitted = true;
    const astray = new Client(url('/v1/streams'));
    const [, other] = await once(astray.socket, 'unexpected-response');
    assert.equal((other as IncomingMessage).statusCode, 404);
    refused.socket.terminate();
    astray.socket.terminate();
  });

  it('outlives clients that reset their connection while they are refused', async () => {
    isAdmitted = false;
    const asks = `GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`;
    for (let i = 0; i < 50; i++) {
      const socket = connectSocket(port, '127.0.0.1');
      socket.on('error', () => {});
      await once(socket, 'connect');
      const closed = once(socket, 'close');
      socket.write(asks, () => setTimeout(() => socket.resetAndDestroy(), i % 5));
      await closed;
    }
    isAdmitted = true;
    const alive = await connect();
    alive.socket.terminate();
    await gone();
  });

  it('names its protocol back, and none that it does not know', async () => {
    const known = await connect({}, ['bullion.bearer.secret', 'bullion.v1']);
    assert.equal(known.socket.protocol, 'bullion.v1');
    known.socket.terminate();
    const plain = await connect();
    assert.equal(plain.socket.protocol, '');
    assert.equal(plain.socket.extensions, '', 'nothing is compressed');
    plain.socket.terminate();
    await gone();
  });

  it('takes as many clients as it says and not one more', async () => {
    const clients = await Promise.all(Array.from({ length: CLIENTS_MAX }, () => connect()));
    const late = await connect();
    assert.deepEqual(await late.closed(), [1013, 'too many clients']);
    const response = await fetch(`http://127.0.0.1:${port}/v1/stream?trades=KRAKEN:BTCUSD`);
    assert.equal(response.status, 503);
    await response.text();
    clients[0]?.say(TRADES);
    assert.equal((await (clients[0] as Client).hear()).type, 'snapshot');
    for (const { socket } of clients) socket.terminate();
    await gone();
  });

  it('keeps its memory and the others when one does not read', async () => {
    const slow = await connect();
    const quick = await connect();
    slow.say(TRADES);
    quick.say(TRADES);
    await slow.hear();
    await quick.hear();
    slow.socket.pause();
    const heapBefore = process.memoryUsage().arrayBuffers;
    let id = 10_000;
    let next = 0;
    for (let i = 0; i < 600; i++) {
      board.trades(1, id, 128);
      id += 128;
      bell.ring();
      const message = await quick.hear();
      assert.ok('next' in message && message.next > next);
      next = message.next;
    }
    const grownMiB = (process.memoryUsage().arrayBuffers - heapBefore) / 2 ** 20;
    assert.ok(grownMiB < 32, `${grownMiB} MiB more for one client that does not read`);
    slow.socket.resume();
    // It gets what had been sent, and then how things stand now.
    for (;;) {
      const message = await slow.hear();
      if (message.type === 'snapshot') {
        assert.ok('next' in message && message.next === next);
        break;
      }
    }
    slow.socket.terminate();
    quick.socket.terminate();
    await gone();
  });

  it('takes leave when the server stops', async () => {
    const client = await connect();
    const closed = client.closed();
    stream.end();
    assert.deepEqual(await closed, [1001, 'server stopping']);
  });
});
