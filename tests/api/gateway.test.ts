/** The gateway over a real socket on this machine: answers, refusals, headers and limits. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { FastifyInstance } from 'fastify';
import type { CandleRange } from '#src/api/candle-source';
import { createGateway } from '#src/api/gateway';
import type { SystemStatus } from '#src/api/health';
import { listen } from '#src/api/listen';
import { DEFAULT_LIMITS } from '#src/api/protection';
import { EXIT, UserError } from '#src/base/errors';
import { type CandleRow, candleRow } from '#src/output/candle-row';
import { INSTRUMENTS, TRX } from '#tests/api/instruments';
import { candleRecord } from '#tests/output/candle-record';

const HOST = '127.0.0.1';

const ROW: CandleRow = candleRow(
  candleRecord({
    timeframe: '5m',
    windowStartUs: Date.UTC(2025, 2, 4) * 1000,
    open: 23_120_000n,
    high: 23_130_000n,
    low: 23_040_000n,
    close: 23_050_000n,
    volume: 345_954_920_000_000n,
    quoteVolume: 7_987_654_321_098_765_432_109n,
    tradeCount: 1234,
    firstTradeId: 2 ** 53 - 2,
    lastTradeId: 2 ** 53 - 1,
    complete: true,
  }),
  TRX,
);

const STATUS: SystemStatus = {
  exchanges: [
    {
      exchange: 'BINANCE',
      state: 'connected',
      connections: 1,
      last_frame_age_ms: 12,
      lag_frames: 0,
      lag_ms: 0,
    },
  ],
  actors: [
    {
      actor: 'gold-0',
      state: 'running',
      cores: [0],
      counters: { frames: 1 },
      heartbeat_age_ms: 3,
      restarts: 0,
      throughput: { per_second: 9, unit: 'trades' },
      waiting: { count: 2, unit: 'batches' },
    },
  ],
  last_epoch: { number: 7, committed_at: '2025-03-04T00:05:00.000Z', age_ms: 1500 },
  problems: [],
};

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  json: unknown;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

describe('gateway', () => {
  let app: FastifyInstance;
  let port: number;
  let status = STATUS;
  let answer: (range: CandleRange) => readonly CandleRow[] = () => [ROW];
  const failures: unknown[] = [];

  before(async () => {
    app = await createGateway({
      instruments: INSTRUMENTS,
      nowUs: () => 0,
      cursorSecret: new Uint8Array(32),
      candles: { candles: (range) => answer(range) },
      status: { status: () => status },
      limits: { ...DEFAULT_LIMITS, requestsPerSecond: 10_000 },
      onFailure: (error) => failures.push(error),
    });
    port = await listen(app, HOST, 0);
  });
  after(() => app.close());

  const send = (
    path: string,
    {
      method = 'GET',
      headers = {},
      body = '',
    }: {
      method?: string;
      headers?: Record<string, string>;
      body?: string;
    } = {},
  ): Promise<Answer> =>
    new Promise((done, fail) => {
      const options = { host: HOST, port, path, method, headers, agent: false };
      const sent = request(options, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (piece: string) => {
          text += piece;
        });
        response.on('end', () => {
          const { statusCode, headers: got } = response;
          done({ status: statusCode ?? 0, headers: got, text, json: parsed(text) });
        });
      });
      sent.on('error', fail);
      sent.end(body);
    });

  /** Bytes as they are, and all that comes back until the server closes. */
  const sendRaw = (bytes: string): Promise<string> =>
    new Promise((done, fail) => {
      const socket = connect(port, HOST, () => socket.write(bytes, 'latin1'));
      let text = '';
      socket.setEncoding('latin1');
      socket.on('data', (piece: string) => {
        text += piece;
      });
      socket.on('error', fail);
      socket.on('close', () => done(text));
    });

  const assertProblem = (got: Answer, code: number, detail: string | RegExp): void => {
    assert.equal(got.status, code, got.text);
    assert.match(String(got.headers['content-type']), /^application\/problem\+json/);
    const body = got.json as Record<string, unknown>;
    assert.deepEqual(Object.keys(body).sort(), ['detail', 'status', 'title', 'type']);
    assert.equal(body.status, code);
    if (typeof detail === 'string') assert.equal(body.detail, detail);
    else assert.match(String(body.detail), detail);
    assert.doesNotMatch(got.text, /node_modules|\.js\b|\.ts\b|\bat .*:\d|stack/, 'no internals');
    assertSafe(got);
  };

  const assertSafe = ({ headers }: Answer): void => {
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['x-frame-options'], 'DENY');
    assert.equal(headers['cache-control'], 'no-store');
    assert.match(String(headers['content-security-policy']), /default-src 'self'/);
    for (const name of Object.keys(headers)) {
      assert.doesNotMatch(name, /^access-control-|^server$|^x-powered-by$/);
    }
  };

  it('gives candles with exact text decimals', async () => {
    let asked: CandleRange | undefined;
    answer = (range) => {
      asked = range;
      return [ROW];
    };
    const query = 'symbol=TRXUSDT&exchange=BINANCE&start=2025-03-04&end=1741046700000&limit=3';
    const got = await send(`/v1/ohlcv/5m?${query}`);
    assert.equal(got.status, 200, got.text);
    assert.match(String(got.headers['content-type']), /^application\/json/);
    assertSafe(got);
    assert.deepEqual(got.json, {
      symbol: 'TRXUSDT',
      exchange: 'BINANCE',
      timeframe: '5m',
      candles: [ROW],
    });
    assert.deepEqual(asked, {
      timeframe: '5m',
      instrument: TRX,
      fromUs: Date.UTC(2025, 2, 4) * 1000,
      toUs: 1_741_046_700_000_000,
      limit: 3,
      which: 'first',
      fill: undefined,
    });
  });

  it('gives an empty list where there are none', async () => {
    answer = () => [];
    const got = await send('/v1/ohlcv/1d?symbol=TRXUSDT');
    assert.equal(got.status, 200);
    assert.deepEqual((got.json as { candles: unknown }).candles, []);
  });

  it('lists the symbols', async () => {
    const got = await send('/v1/symbols');
    assert.equal(got.status, 200);
    assertSafe(got);
    const { symbols } = got.json as { symbols: unknown[] };
    assert.equal(symbols.length, 3);
    assert.deepEqual(symbols[1], {
      symbol: 'BTCUSD',
      exchange: 'KRAKEN',
      native_symbol: 'BTC/USD',
      base_asset: 'BTC',
      quote_asset: 'USD',
    });
  });

  it('is healthy, not ready, and alive all the same', async () => {
    status = STATUS;
    const well = await send('/health');
    assert.equal(well.status, 200);
    assert.deepEqual(well.json, { live: true, ready: true, reasons: [], ...STATUS });

    const binance = STATUS.exchanges[0] as SystemStatus['exchanges'][number];
    const gold = STATUS.actors[0] as SystemStatus['actors'][number];
    status = {
      exchanges: [{ ...binance, state: 'waiting', last_frame_age_ms: null }],
      actors: [{ ...gold, state: 'restarting' }],
      last_epoch: null,
      problems: [],
    };
    const ill = await send('/health');
    assert.equal(ill.status, 503);
    const reasons = ['The actor gold-0 is restarting.', 'BINANCE is not connected: waiting.'];
    assert.deepEqual(ill.json, { live: true, ready: false, reasons, ...status });
    assert.equal((await send('/health/live')).status, 200);
    status = { ...STATUS, problems: ['The audit found: a file is damaged.'] };
    const damaged = await send('/health');
    assert.equal(damaged.status, 200, 'fit to serve the rest');
    assert.deepEqual(damaged.json, { live: true, ready: true, reasons: [], ...status });
    status = STATUS;
  });

  it('answers bad parameters with 400 and the sentence', async () => {
    const wrong = await send('/v1/ohlcv/7m?symbol=TRXUSDT');
    assertProblem(wrong, 400, 'timeframe must be one of 1m, 5m, 15m, 30m, 1h, 1d, got "7m"');
    assertProblem(
      await send('/v1/ohlcv/5m?symbol=TRXUSDT&limit=10001'),
      400,
      'limit must be an integer from 1 to 10000, got "10001"',
    );
    assertProblem(
      await send('/v1/ohlcv/5m?symbol=TRXUSDT&symbol=TRXUSDT'),
      400,
      'symbol must be given once',
    );
    assertProblem(await send('/v1/ohlcv/5m?symbol=%27%3B--'), 400, /^symbol must be one of/);
    assertProblem(await send('/v1/ohlcv/5m?__proto__=x'), 400, /^"__proto__" is not a parameter/);
  });

  it('answers unknown routes with 404 and the routes there are', async () => {
    const detail =
      /^There is no such route; there are GET \/v1\/ohlcv\/:timeframe, .*GET \/health\/live\.$/;
    const paths = [
      '/index.html',
      '/v1',
      '/v1/ohlcv',
      '/v1/ohlcv/5m/x',
      '/V1/symbols',
      '/health/../x',
    ];
    for (const path of paths) assertProblem(await send(path), 404, detail);
    assertProblem(await send('/v1/symbols', { method: 'DELETE' }), 404, detail);
    assertProblem(await send('/v1/symbols', { method: 'POST', body: '{' }), 404, detail);
  });

  it('answers only to names of this machine', async () => {
    for (const host of ['localhost', `localhost:${port}`, `127.0.0.1:${port}`, '[::1]:1']) {
      assert.equal((await send('/health/live', { headers: { host } })).status, 200, host);
    }
    for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost:x', '0.0.0.0']) {
      assertProblem(
        await send('/v1/symbols', { headers: { host } }),
        421,
        'The Host header must be localhost, 127.0.0.1 or [::1].',
      );
    }
    const none = await sendRaw('GET /v1/symbols HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n');
    assert.match(none, /^HTTP\/1\.1 421 /);
    const old = await sendRaw('GET /v1/symbols HTTP/1.0\r\n\r\n');
    assert.match(old, /^HTTP\/1\.1 421 /);
  });

  it('sends no CORS headers, asked or not', async () => {
    const origin = { origin: 'https://evil.example', 'access-control-request-method': 'GET' };
    assertProblem(await send('/v1/symbols', { headers: origin }), 403, /^Pages of other origins/);
    const preflight = await send('/v1/symbols', { method: 'OPTIONS', headers: origin });
    assertProblem(preflight, 403, /^Pages of other origins/);
  });

  it('bounds the URL, the headers and the body', async () => {
    const path = (bytes: number) => '/v1/symbols?'.padEnd(bytes, 'x');
    assert.equal((await send(path(8 * 1024))).status, 200);
    assertProblem(await send(path(8 * 1024 + 1)), 414, 'The URL must be at most 8192 bytes long.');

    const large = await send('/health/live', { headers: { pad: 'x'.repeat(17 * 1024) } });
    assertProblem(large, 431, 'The request headers are larger than allowed.');
    assert.equal(
      (await send('/health/live', { headers: { pad: 'x'.repeat(15 * 1024) } })).status,
      200,
    );

    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify('x'.repeat(65 * 1024));
    const refused = await send('/v1/symbols', { method: 'POST', headers, body });
    assert.ok([404, 413].includes(refused.status), String(refused.status));
    assertProblem(refused, refused.status, /./);
  });

  it('gives slow and idle clients seconds, not minutes', () => {
    const { headersTimeout, requestTimeout, keepAliveTimeout, maxConnections } = app.server;
    assert.deepEqual(
      { headersTimeout, requestTimeout, keepAliveTimeout, maxConnections },
      {
        headersTimeout: 10_000,
        requestTimeout: 30_000,
        keepAliveTimeout: 5_000,
        maxConnections: 256,
      },
    );
  });

  it('answers what is not HTTP and closes', async () => {
    for (const bytes of ['hello\r\n\r\n', 'GET / HTTP/1.1\r\nHost : x\r\n\r\n', '\x16\x03\x01\0']) {
      const text = await sendRaw(bytes);
      assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\n/);
      assert.match(text, /application\/problem\+json/);
      assert.match(text, /nosniff/);
      assert.match(text, /"detail":"The request is not valid HTTP\."/);
    }
    const badEscape = await sendRaw(
      'GET /%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    );
    assert.match(badEscape, /^HTTP\/1\.1 400 /);
    assert.match(badEscape, /nosniff/);
    assert.doesNotMatch(badEscape, /FST_ERR|zz/);
  });

  it('says nothing of the inside when it fails, and tells its owner', async () => {
    answer = () => {
      throw new Error('secret path /var/lib/x');
    };
    failures.length = 0;
    const got = await send('/v1/ohlcv/5m?symbol=TRXUSDT');
    assertProblem(got, 500, 'The server failed to answer; its log says why.');
    assert.doesNotMatch(got.text, /secret/);
    assert.match(String(failures[0]), /secret path/);
    assert.equal(failures.length, 1);

    // An error of the store may carry a status of its own; it is a failure all the same.
    answer = () => {
      throw Object.assign(new Error('secret'), { statusCode: 200 });
    };
    assertProblem(await send('/v1/ohlcv/5m?symbol=TRXUSDT'), 500, /log says why/);
    assert.equal(failures.length, 2);
    answer = () => [];
  });

  it('gives the largest answer whole', async () => {
    answer = ({ limit }) => Array.from({ length: limit }, () => ROW);
    const got = await send('/v1/ohlcv/5m?symbol=TRXUSDT&limit=10000');
    assert.equal((got.json as { candles: unknown[] }).candles.length, 10_000);
    answer = () => [];
  });

  it('says who to ask when the port is taken', async () => {
    const second = await createGateway({
      instruments: INSTRUMENTS,
      nowUs: () => 0,
      cursorSecret: new Uint8Array(32),
      candles: { candles: () => [] },
      status: { status: () => STATUS },
      onFailure: () => {},
    });
    await assert.rejects(listen(second, HOST, port), {
      name: UserError.name,
      exitCode: EXIT.config,
      message: `port ${port} on 127.0.0.1 is taken: stop what holds it or set http.port`,
    });
    await second.close();
  });

  it('stops at once although a client holds its connection', async () => {
    const own = await createGateway({
      instruments: INSTRUMENTS,
      nowUs: () => 0,
      cursorSecret: new Uint8Array(32),
      candles: { candles: () => [] },
      status: { status: () => STATUS },
      onFailure: () => {},
    });
    const ownPort = await listen(own, HOST, 0);
    const closed = new Promise<void>((done) => {
      const socket = connect(ownPort, HOST, () => {
        socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n');
        void own.close();
      });
      socket.on('error', () => {});
      socket.on('close', () => done());
    });
    await closed;
    assert.equal(own.server.listening, false);
  });
});
