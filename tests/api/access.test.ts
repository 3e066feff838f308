/**
 * Who may ask and how much, over real sockets: tokens and roles, Host and Origin, and every limit
 * one below, at and one above.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import { Access, type AccessRules, BEARER_PROTOCOL, THIS_MACHINE_ONLY } from '#src/api/access';
import { createGateway } from '#src/api/gateway';
import type { HistorySource } from '#src/api/history';
import { listen } from '#src/api/listen';
import { Problem } from '#src/api/problem';
import { type ConnectionLimits, DEFAULT_LIMITS } from '#src/api/protection';
import { answerRaw } from '#src/api/raw-answer';
import { EXIT } from '#src/base/errors';
import { loadTokens, requireToken } from '#src/config/tokens';
import { INSTRUMENTS } from '#tests/api/instruments';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const READ = 'read-token-0123456789-abcdef';
const ADMIN = 'admin-token-0123456789-abcde';

function digest(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

const RULES: AccessRules = {
  tokens: [
    { role: 'read', sha256: digest(READ) },
    { role: 'admin', sha256: digest(ADMIN) },
  ],
  hosts: ['Lake.example'],
  origins: ['https://charts.example'],
};

const NO_ROWS: HistorySource = {
  files: async () => ({ epoch: 1, committedUs: 0, files: [] }),
  withDigests: (files) => files,
  run: async () => ({ kind: 'rows', body: Buffer.from('[]'), rows: 0 }),
};

function gateway(
  access: AccessRules,
  limits: Partial<ConnectionLimits> = {},
  monotonicMs = () => performance.now(),
) {
  return createGateway({
    instruments: INSTRUMENTS,
    candles: { candles: () => [] },
    status: { status: () => ({ exchanges: [], actors: [], last_epoch: null, problems: [] }) },
    nowUs: () => 1,
    monotonicMs,
    cursorSecret: new Uint8Array(32),
    history: NO_ROWS,
    access,
    limits: { ...DEFAULT_LIMITS, requestsPerSecond: 100_000, ...limits },
    // Takes upgrades as the live stream does, and says with 418 that one was let in.
    push: (app, admission) => {
      app.server.on('upgrade', (request, socket) => {
        const isIn = admission.upgrade(request, socket, 'read');
        if (isIn) answerRaw(socket, new Problem(418, 'Let in.'));
      });
    },
    onFailure: (error) => assert.fail(String(error)),
  });
}

interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

function ask(
  port: number,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
  body = '',
): Promise<Got> {
  return new Promise((done, fail) => {
    const sent = request({ port, path, method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () =>
        done({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    sent.on('error', fail);
    sent.end(body);
  });
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('tokens', () => {
  let app: FastifyInstance;
  let port = 0;
  before(async () => {
    app = await gateway(RULES);
    port = await listen(app, '127.0.0.1', 0);
  });
  after(() => app.close());

  it('are needed for everything but being alive and the documents', async () => {
    for (const path of ['/v1/symbols', '/v1/dead-letters', '/health', '/udf/config', '/nothing']) {
      const got = await ask(port, path);
      assert.equal(got.status, 401, path);
      assert.equal(got.headers['www-authenticate'], 'Bearer realm="bullion"');
      assert.match(String(got.headers['content-type']), /^application\/problem\+json/);
    }
    assert.equal((await ask(port, '/health/live')).status, 200);
    assert.equal((await ask(port, '/docs/json')).status, 200);
  });

  it('have roles', async () => {
    for (const token of [READ, ADMIN]) {
      assert.equal((await ask(port, '/v1/symbols', bearer(token))).status, 200);
    }
    assert.equal((await ask(port, '/v1/dead-letters', bearer(ADMIN))).status, 200);
    for (const path of ['/v1/dead-letters', '/v1/dead-letters/BINANCE/1/raw']) {
      const refused = await ask(port, path, bearer(READ));
      assert.equal(refused.status, 403);
      assert.match(refused.text, /role admin/);
    }
  });

  it('are whole, or none', async () => {
    const wrong = [
      ...['', 'x', READ.slice(0, -1), `${READ}x`, READ.toUpperCase(), `${READ} `, ` ${READ}`],
      ...['x'.repeat(256), 'x'.repeat(257), 'x'.repeat(10_000), `${READ},${ADMIN}`],
    ];
    for (const token of wrong.filter((one) => one.trim() !== READ)) {
      assert.equal((await ask(port, '/v1/symbols', bearer(token))).status, 401, token.slice(0, 40));
    }
    for (const authorization of [READ, `Basic ${READ}`, `Bearer${READ}`, `Token ${READ}`]) {
      assert.equal((await ask(port, '/v1/symbols', { authorization })).status, 401);
    }
    assert.equal((await ask(port, `/v1/symbols?token=${READ}`)).status, 401);
  });

  it('come as a subprotocol where a browser can send no header', () => {
    const access = new Access(RULES);
    const host = 'localhost';
    const refusal = (protocol: string) =>
      access.refusal({ host, 'sec-websocket-protocol': protocol }, 'read')?.status;
    assert.equal(refusal(`bullion, ${BEARER_PROTOCOL}${READ}`), undefined);
    assert.equal(refusal(`${BEARER_PROTOCOL}${READ}x`), 401);
    assert.equal(refusal(READ), 401);
  });

  it('never decide how long a refusal takes by how much of one is right', async () => {
    const access = new Access(RULES);
    const took = (token: string): number => {
      const headers = { host: 'localhost', ...bearer(token) };
      const rounds: number[] = [];
      for (let round = 0; round < 60; round++) {
        const from = process.hrtime.bigint();
        for (let i = 0; i < 100; i++) access.refusal(headers, 'read');
        rounds.push(Number(process.hrtime.bigint() - from));
      }
      return rounds.sort((a, b) => a - b)[15] as number;
    };
    took(READ);
    const far = took('zzzzzzzzzzzzzzzzzzzzzzzzzzzz');
    const near = took(`${READ.slice(0, -1)}x`);
    // A comparison that stopped at the first wrong byte would still be within noise of this; what
    // is compared are digests, so a shared beginning of the token shares nothing.
    assert.ok(near < far * 3 && far < near * 3, `${near} ns against ${far} ns`);
  });

  it('answer to the names and origins that were configured', async () => {
    for (const host of ['lake.example', 'LAKE.example:8443', 'localhost']) {
      assert.equal((await ask(port, '/v1/symbols', { host, ...bearer(READ) })).status, 200, host);
    }
    for (const host of ['evil.example', 'lake.example.evil.example', 'lake.example:x']) {
      assert.equal((await ask(port, '/v1/symbols', { host, ...bearer(READ) })).status, 421, host);
    }
    const charts = { origin: 'https://charts.example', ...bearer(READ) };
    const shared = await ask(port, '/v1/symbols', charts);
    assert.equal(shared.status, 200);
    assert.equal(shared.headers['access-control-allow-origin'], 'https://charts.example');
    assert.equal(shared.headers.vary, 'origin');
    const preflight = await ask(port, '/v1/symbols', charts, 'OPTIONS');
    assert.equal(preflight.status, 204);
    assert.match(String(preflight.headers['access-control-allow-headers']), /authorization/);
    for (const origin of ['https://evil.example', 'null', 'http://charts.example', 'file://']) {
      const got = await ask(port, '/v1/symbols', { origin, ...bearer(READ) });
      assert.equal(got.status, 403, origin);
      assert.equal(got.headers['access-control-allow-origin'], undefined);
    }
    const own = { origin: `http://localhost:${port}`, host: `localhost:${port}`, ...bearer(READ) };
    assert.equal((await ask(port, '/v1/symbols', own)).status, 200);
  });
});

describe('limits', () => {
  const apps: FastifyInstance[] = [];
  const start = async (
    limits: Partial<ConnectionLimits>,
    monotonicMs?: () => number,
  ): Promise<number> => {
    const app = await gateway(THIS_MACHINE_ONLY, limits, monotonicMs);
    apps.push(app);
    return listen(app, '127.0.0.1', 0);
  };
  after(() => Promise.all(apps.map((app) => app.close())));

  it('count requests per second: n pass, n + 1 does not, the next second passes again', async () => {
    const port = await start({ requestsPerSecond: 5 });
    // All at once, so that they fall into one second.
    const burst = await Promise.all(Array.from({ length: 12 }, () => ask(port, '/health/live')));
    const passed = burst.filter(({ status }) => status === 200).length;
    assert.ok(passed >= 5 && passed <= 10, `${passed} of 12 passed`); // one second, or two
    const refused = burst.find(({ status }) => status === 429) as Got;
    assert.match(String(refused.headers['content-type']), /^application\/problem\+json/);
    assert.equal(refused.headers['x-content-type-options'], 'nosniff');
    assert.match(refused.text, /More than 5 requests in a second/);
    await new Promise((later) => setTimeout(later, 1_050));
    assert.equal((await ask(port, '/health/live')).status, 200);
    // What is no route counts too.
    const nothing = await Promise.all(Array.from({ length: 12 }, () => ask(port, '/nothing')));
    assert.ok(nothing.some(({ status }) => status === 429));
  });

  it('count one below, at and one above: whatever a request is, and however it is refused', async () => {
    let nowMs = 0;
    const port = await start({ requestsPerSecond: 5 }, () => nowMs);
    const bad = ['/nothing', '/%zz', '/v1/symbols', '/v1?'.padEnd(9_000, 'x'), '/health/live'];
    const evil = { host: 'evil.example' };
    const statuses = async (paths: readonly string[]): Promise<number[]> => {
      const all: number[] = [];
      for (const path of paths) {
        const headers = path === '/v1/symbols' ? evil : {};
        all.push((await ask(port, path, headers)).status);
      }
      return all;
    };
    assert.deepEqual(await statuses([...bad, ...bad]), [
      404,
      400,
      421,
      414,
      200,
      ...Array(5).fill(429),
    ]);
    nowMs = 999;
    assert.deepEqual(await statuses(['/health/live']), [429]);
    nowMs = 1_000;
    assert.deepEqual(await statuses(Array(6).fill('/health/live')), [...Array(5).fill(200), 429]);
    // An upgrade is a request, too; those that are refused here are not counted less.
    nowMs = 2_000;
    const upgrade = async (more: Record<string, string> = {}) =>
      (await ask(port, '/v1/stream', { connection: 'upgrade', upgrade: 'websocket', ...more }))
        .status;
    const asked = [
      await upgrade(),
      await upgrade(evil),
      await upgrade({ origin: 'https://x.example' }),
    ];
    assert.deepEqual(asked, [418, 421, 403]);
    assert.deepEqual(await statuses(['/health/live', '/health/live']), [200, 200]);
    assert.equal(await upgrade(), 429);
  });

  it('count the files of the page apart, five for each request', async () => {
    const port = await start({ requestsPerSecond: 4, connectionsPerAddress: 256 });
    const ask60 = (path: string) => Promise.all(Array.from({ length: 60 }, () => ask(port, path)));
    const passed = (answers: readonly Got[]): number =>
      answers.filter(({ status }) => status === 200).length;
    const [files, others] = await Promise.all([ask60('/page/main.js'), ask60('/health/live')]);
    const [ofFiles, ofOthers] = [passed(files), passed(others)];
    // In one second, or two.
    assert.ok(ofFiles === 20 || ofFiles === 40, `${ofFiles} files passed`);
    assert.ok(ofOthers === 4 || ofOthers === 8, `${ofOthers} other requests passed`);
  });

  it('count connections per address and in all', async () => {
    const open = async (limits: Partial<ConnectionLimits>, sockets: number): Promise<number> => {
      const port = await start(limits);
      const made: Socket[] = [];
      const alive = await Promise.all(
        Array.from({ length: sockets }, async () => {
          const socket = connect(port, '127.0.0.1');
          made.push(socket);
          socket.on('error', () => {});
          return new Promise<boolean>((done) => {
            socket.once('data', () => done(true));
            socket.once('close', () => done(false));
            socket.write('GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n');
          });
        }),
      );
      for (const socket of made) socket.destroy();
      return alive.filter(Boolean).length;
    };
    for (const sockets of [3, 4, 5]) {
      assert.equal(await open({ connectionsPerAddress: 4 }, sockets), Math.min(sockets, 4));
      assert.equal(await open({ connections: 4 }, sockets), Math.min(sockets, 4));
    }
  });

  it('give a connection back when it is closed', async () => {
    const port = await start({ connectionsPerAddress: 2 });
    for (let i = 0; i < 6; i++) assert.equal((await ask(port, '/health/live')).status, 200);
  });

  it('bound the URL, the headers and their number, the body, and what is in it', async () => {
    const port = await start({});
    const url = async (bytes: number) =>
      (await ask(port, '/health/live?'.padEnd(bytes, 'x'))).status;
    assert.deepEqual([await url(8_191), await url(8_192), await url(8_193)], [200, 200, 414]);

    // Node itself adds host and connection.
    const headers = async (count: number) => {
      const many = Array.from({ length: count - 2 }, (_, i) => [`x-${i}`, '1'] as const);
      return (await ask(port, '/health/live', Object.fromEntries(many))).status;
    };
    assert.deepEqual([await headers(63), await headers(64), await headers(65)], [200, 200, 431]);

    const body = async (bytes: number) => {
      const type = { 'content-type': 'application/json' };
      const text = `{"symbols":["TRXUSDT"]}`.padEnd(bytes, ' ');
      return (await ask(port, '/v1/replay', type, 'POST', text)).status;
    };
    assert.deepEqual([await body(65_535), await body(65_536), await body(65_537)], [200, 200, 413]);

    const json = (text: string, type = 'application/json') =>
      ask(port, '/v1/replay', { 'content-type': type }, 'POST', text);
    for (const [text, detail] of [
      ['', /The request body is empty/],
      ['{', /The request body is not valid JSON/],
      ['[]', /A JSON object is needed/],
      ['"x"', /A JSON object is needed/],
      ['{"__proto__":{"limit":1}}', /not valid JSON/],
      ['{"constructor":{"prototype":{}}}', /not valid JSON|is not a parameter/],
      ['['.repeat(30_000), /not valid JSON/],
      [`{"symbols":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, /^/],
    ] as const) {
      const got = await json(text);
      assert.equal(got.status, 400, text.slice(0, 40));
      assert.match(got.text, detail);
    }
    assert.equal((await json('{}', 'text/plain')).status, 415);
    assert.equal((await json('{}', 'application/xml')).status, 415);
  });

  it('bound a range, a page, a list, a batch', async () => {
    const port = await start({});
    const type = { 'content-type': 'application/json' };
    const post = async (path: string, body: unknown) =>
      (await ask(port, path, type, 'POST', JSON.stringify(body))).status;
    const replay = (more: object) => post('/v1/replay', more);
    const days = (end: string) => replay({ start: '2026-01-01', end });
    assert.deepEqual(
      [await days('2026-01-31'), await days('2026-02-01'), await days('2026-02-02')],
      [200, 200, 400],
    );
    const limit = (n: number) => replay({ limit: n });
    assert.deepEqual(
      [await limit(9_999), await limit(10_000), await limit(10_001)],
      [200, 200, 400],
    );
    assert.deepEqual([await limit(0), await limit(1), await limit(2)], [400, 200, 200]);
    const query = { timeframe: '1m', symbol: 'TRXUSDT', limit: 1 };
    const batch = (n: number) => post('/v1/ohlcv/batch', { queries: Array(n).fill(query) });
    assert.deepEqual(
      [await batch(0), await batch(1), await batch(4), await batch(5), await batch(6)],
      [400, 200, 200, 200, 400],
    );
    const together = (last: number) =>
      post('/v1/ohlcv/batch', {
        queries: [10_000, 10_000, last].map((each) => ({ ...query, limit: each })),
      });
    assert.deepEqual(
      [await together(4_999), await together(5_000), await together(5_001)],
      [200, 200, 400],
    );
    const windows = (end: string) =>
      post('/v1/aggregations', {
        kind: 'ohlcv',
        symbol: 'TRXUSDT',
        interval: '1s',
        start: '2026-01-01T00:00:00',
        end,
      });
    assert.deepEqual(
      [
        await windows('2026-01-01T02:46:39'),
        await windows('2026-01-01T02:46:40'),
        await windows('2026-01-01T02:46:41'),
      ],
      [200, 200, 400],
    );
  });
});

describe('tokens of a configuration', () => {
  const dir = temporaryDirectory({ after }, 'tokens');
  const file = (text: string, mode = 0o600): string => {
    const path = join(dir, 'tokens');
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };
  const load = (env: Record<string, string>, path = '') =>
    loadTokens({ env, cwd: dir, file: path });

  it('come from the environment and from a file of mode 0600, as digests', () => {
    const found = load(
      { BULLION_HTTP_READ_TOKEN: READ },
      file(`# ours\n\nadmin ${ADMIN}\nread   ${READ}x\n`),
    );
    assert.deepEqual(found, [
      { role: 'read', sha256: digest(READ) },
      { role: 'admin', sha256: digest(ADMIN) },
      { role: 'read', sha256: digest(`${READ}x`) },
    ]);
    assert.ok(!JSON.stringify(found).includes(READ));
    assert.deepEqual(load({}), []);
  });

  it('are refused in one sentence that never repeats them', () => {
    const cases: readonly [() => unknown, RegExp][] = [
      [
        () => load({ BULLION_HTTP_READ_TOKEN: 'short' }),
        /^BULLION_HTTP_READ_TOKEN must hold a token of 24/,
      ],
      [
        () => load({ BULLION_HTTP_ADMIN_TOKEN: `${ADMIN}!` }),
        /^BULLION_HTTP_ADMIN_TOKEN must hold/,
      ],
      [() => load({ BULLION_HTTP_ADMIN_TOKEN: 'a'.repeat(257) }), /must hold a token of 24 to 256/],
      [() => load({}, file(`read ${READ}`, 0o644)), /can be read by others: chmod 600 it$/],
      [() => load({}, file(`read ${READ}`, 0o640)), /can be read by others/],
      [() => load({}, file(`root ${READ}`)), /:1 must be `read TOKEN` or `admin TOKEN`$/],
      [() => load({}, file(`read ${READ} more`)), /:1 must be/],
      [() => load({}, file(`read short-secret`)), /:1 must hold a token of 24/],
      [() => load({}, file('\n# none\n')), /holds no token$/],
      [() => load({}, join(dir, 'absent')), /cannot be read \(ENOENT\)$/],
    ];
    for (const [run, message] of cases) {
      assert.throws(run, (error: Error & { exitCode?: number }) => {
        assert.match(error.message, message);
        assert.equal(error.exitCode, EXIT.config);
        assert.ok(!/short-secret|0123456789/.test(error.message), error.message);
        return true;
      });
    }
  });

  it('are needed by a server that other machines may reach: code 78 and one sentence', () => {
    const supervisor = fileURLToPath(import.meta.resolve('#src/supervisor'));
    const start = (env: Record<string, string>) =>
      spawnSync(process.execPath, [supervisor, '--print-layout'], {
        encoding: 'utf8',
        env: { ...process.env, BULLION_DATA_DIR: join(dir, 'data'), ...env },
      });
    const open = { BULLION_HTTP_ALLOW_REMOTE: 'true', BULLION_HTTP_HOST: '0.0.0.0' };
    const bare = start(open);
    assert.equal(bare.status, EXIT.config);
    assert.match(bare.stderr, /^bullion: http\.allow_remote is true and there is no token: .*\n$/);
    const local = start({ BULLION_HTTP_HOST: '0.0.0.0', BULLION_HTTP_READ_TOKEN: READ });
    assert.equal(local.status, EXIT.config);
    assert.match(local.stderr, /http\.host must be 127\.0\.0\.1 or ::1 unless/);
    const good = start({ ...open, BULLION_HTTP_READ_TOKEN: READ });
    assert.equal(good.status, 0, good.stderr);
    assert.ok(![bare, local, good].some(({ stdout, stderr }) => (stdout + stderr).includes(READ)));
  });

  it('are needed to be reachable from other machines', () => {
    assert.throws(() => requireToken(true, []), { exitCode: EXIT.config });
    requireToken(false, []);
    requireToken(true, load({ BULLION_HTTP_READ_TOKEN: READ }));
  });
});
