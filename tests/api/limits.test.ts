/** What a request may ask for, and what may be under way: each limit one below, at and one above. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type FastifyInstance, fastify } from 'fastify';
import { tradeColumn } from '#schemas/trade';
import { Answers } from '#src/api/answers';
import { createGateway } from '#src/api/gateway';
import { listen } from '#src/api/listen';
import { Problem } from '#src/api/problem';
import { DEFAULT_LIMITS } from '#src/api/protection';
import type { QueryPlace } from '#src/query/run-query';
import { runQuery } from '#src/query/run-query';
import { allocateLiveTrades, LiveTradesReader } from '#src/trades/live-trades';
import { TRX } from '#tests/api/instruments';

const INSTRUMENTS = Array.from({ length: 51 }, (_, code) => ({
  ...TRX,
  code,
  symbol: `A${code}USDT`,
}));

describe('a request', () => {
  let app: FastifyInstance;
  let base = '';
  before(async () => {
    app = await createGateway({
      instruments: INSTRUMENTS,
      candles: { candles: () => [] },
      status: { status: () => ({ exchanges: [], actors: [], last_epoch: null, problems: [] }) },
      nowUs: () => Date.parse('2026-11-23') * 1_000,
      cursorSecret: new Uint8Array(32),
      history: {
        files: async () => ({ epoch: 1, committedUs: 0, files: [] }),
        withDigests: (files) => files,
        run: async () => ({ kind: 'rows', body: Buffer.from('[]'), rows: 0 }),
      },
      liveTrades: new LiveTradesReader(allocateLiveTrades(INSTRUMENTS.length)),
      ledger: { gaps: () => [], stats: () => Promise.reject(new Error('not asked for')) },
      limits: { ...DEFAULT_LIMITS, requestsPerSecond: 100_000 },
      onFailure: (error) => assert.fail(String(error)),
    });
    base = `http://127.0.0.1:${await listen(app, '127.0.0.1', 0)}`;
  });
  after(() => app.close());

  const status = async (path: string, body?: object): Promise<number> => {
    const headers = { 'content-type': 'application/json' };
    const post = { method: 'POST', headers, body: JSON.stringify(body) };
    const response = await fetch(base + path, body === undefined ? {} : post);
    await response.arrayBuffer();
    return response.status;
  };
  const ofSymbol = 'symbol=A0USDT';

  for (const [path, max] of [
    [`/v1/ohlcv/1m?${ofSymbol}&limit=`, 10_000],
    [`/v1/trades?${ofSymbol}&limit=`, 10_000],
    [`/v1/trades/recent?${ofSymbol}&limit=`, 500],
    ['/v1/gaps?limit=', 10_000],
    ['/v1/dead-letters?limit=', 1_000],
    ['/v1/dead-letters?raw_bytes=', 4_096],
  ] as const) {
    it(`has at most ${max}: ${path}`, async () => {
      const statuses = [max - 1, max, max + 1].map((n) => status(path + n));
      assert.deepEqual(await Promise.all(statuses), [200, 200, 400]);
    });
  }

  it('has at most 10,000 rows of a snapshot', async () => {
    const ask = (limit: number) =>
      status('/v1/snapshots/1/query', { symbol: 'A0USDT', start: '2026-11-22', limit });
    assert.deepEqual(
      [await ask(9_999), await ask(10_000), await ask(10_001), await ask(0)],
      [200, 200, 400, 400],
    );
  });

  it('has at most 50 symbols', async () => {
    const symbols = INSTRUMENTS.map(({ symbol }) => symbol);
    for (const path of ['/v1/trades/query', '/v1/replay']) {
      const ask = (n: number) => status(path, { symbols: symbols.slice(0, n) });
      assert.deepEqual(
        [await ask(0), await ask(1), await ask(49), await ask(50), await ask(51)],
        [400, 200, 200, 200, 400],
      );
    }
    const named = (n: number) => status(`/v1/gaps?symbols=${symbols.slice(0, n).join(',')}`);
    assert.deepEqual([await named(49), await named(50), await named(51)], [200, 200, 400]);
  });

  it('spans at most a month of trades, and a year of dead letters', async () => {
    const trades = (end: string) =>
      status(`/v1/trades?${ofSymbol}&start=2026-01-01T00:00:00Z&end=${end}`);
    assert.deepEqual(
      [
        await trades('2026-01-31T23:59:59.999999Z'),
        await trades('2026-02-01T00:00:00Z'),
        await trades('2026-02-01T00:00:00.000001Z'),
      ],
      [200, 200, 400],
    );
    const letters = (end: string) => status(`/v1/dead-letters?start=2025-01-01&end=${end}`);
    assert.deepEqual(
      [await letters('2026-01-01'), await letters('2026-01-02'), await letters('2026-01-03')],
      [200, 200, 400],
    );
  });
});

describe('an answer', () => {
  const MIB = 1024 * 1024;

  it('has at most 16 MiB', async () => {
    const encode = (text: string) =>
      runQuery({} as QueryPlace, {
        kind: 'encode',
        columns: [tradeColumn('symbol')],
        rows: [{ symbol: text }],
        format: 'json',
      });
    const short = await encode('');
    assert.equal(short.kind, 'rows');
    const around = short.kind === 'rows' ? short.body.byteLength : 0;
    const kinds: string[] = [];
    for (const bytes of [16 * MIB - 1, 16 * MIB, 16 * MIB + 1]) {
      const answer = await encode('x'.repeat(bytes - around));
      if (answer.kind === 'rows') assert.equal(answer.body.byteLength, bytes);
      kinds.push(answer.kind);
    }
    assert.deepEqual(kinds, ['rows', 'rows', 'refused']);
  });

  it('waits for its client as long as 64 MiB in all do', async (t) => {
    const answers = new Answers();
    const body = new Uint8Array(17 * MIB);
    const app = fastify();
    app.setErrorHandler((error, _request, reply) => {
      void reply.code(error instanceof Problem ? error.status : 500).send();
    });
    app.get<{ Params: { bytes: string } }>('/:bytes', (request, reply) => {
      const { bytes } = request.params;
      void answers.sendBytes(reply, 'text/plain', body.subarray(0, Number(bytes)));
    });
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as AddressInfo;
    const open = new Set<Socket>();
    t.after(async () => {
      for (const socket of open) socket.destroy();
      await app.close();
    });
    /** Asks, and reads the first line only. */
    const begin = async (bytes: number): Promise<{ status: number; socket: Socket }> => {
      const socket = connect(port, '127.0.0.1').setEncoding('latin1');
      open.add(socket);
      socket.write(`GET /${bytes} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      const [text] = (await once(socket, 'data')) as [string];
      socket.pause();
      return { status: Number(text.slice(9, 12)), socket };
    };
    for (let i = 0; i < 3; i++) assert.equal((await begin(16 * MIB)).status, 200);
    for (const [bytes, status] of [
      [16 * MIB + 1, 503],
      [16 * MIB, 200],
      [16 * MIB - 1, 200],
    ] as const) {
      const got = await begin(bytes);
      assert.equal(got.status, status, `${bytes} bytes more`);
      if (status === 200) assert.equal((await begin(2)).status, 503, 'there is no more room');
      const gone = once(got.socket, 'close');
      got.socket.destroy();
      await gone;
      // The server hears of it a moment later.
      while ((await begin(16 * MIB - 2)).status === 503 && status === 200) {
        await new Promise((later) => setTimeout(later, 5));
      }
      const last = [...open].at(-1) as Socket;
      last.destroy();
      await once(last, 'close');
    }
  });
});
