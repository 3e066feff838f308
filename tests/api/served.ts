/**
 * A data directory made by the real pipeline and served by the real gateway thread, with its store,
 * its query workers and its port, in this process.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Remote } from 'comlink';
import { start } from '#actors/gateway-thread';
import { EXCHANGES, exchangeKey } from '#schemas/exchange';
import type { AccessRules } from '#src/api/access';
import { THIS_MACHINE_ONLY } from '#src/api/access';
import { systemClock } from '#src/base/clock';
import { nodeDisk } from '#src/base/node-disk';
import { systemTimers } from '#src/base/timers';
import { allocateLiveCandles } from '#src/candles/live-candles';
import { loadConfig } from '#src/config/load';
import { PACKAGE_ROOT } from '#src/config/package-root';
import { allocateDoorbells } from '#src/runtime/group-memory';
import { runActor } from '#src/runtime/host';
import type { SupervisorLine } from '#src/runtime/supervisor-line';
import { lmdbDatabases } from '#src/state/open-environment';
import { StateStore } from '#src/state/store';
import { Board } from '#src/supervision/board';
import { dataPaths } from '#src/supervision/data-directory';
import { allocateLiveTrades } from '#src/trades/live-trades';
import { frames } from '#tests/api/market-day';
import { bullion } from '#tests/commands/cli';

export interface Lake {
  readonly dataDir: string;
  remove(): void;
}

/** Imports both halves of the market day: two epochs, gaps, duplicates and dead letters. */
export function importMarketDay(): Lake {
  const root = mkdtempSync(join(tmpdir(), 'bullion-api-'));
  const dataDir = join(root, 'data');
  for (const half of [0, 1] as const) {
    for (const exchange of EXCHANGES) {
      const key = exchangeKey(exchange);
      const file = join(root, `${key}-${half}.ndjson`);
      writeFileSync(file, `${frames(exchange, half).join('\n')}\n`);
      const args = ['import', '--exchange', key, '--format', 'frames', file];
      const { status, stderr } = bullion(dataDir, ...args);
      if (status !== 0) throw new Error(`import ended with ${status}: ${stderr}`);
    }
  }
  return { dataDir, remove: () => rmSync(root, { recursive: true, force: true }) };
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bytes: Buffer;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at field by field
  readonly json: any;
}

/** An error as every client gets it: one sentence, and nothing of the inside. */
export function assertProblem(got: Answer, status: number, detail: RegExp | string): void {
  assert.equal(got.status, status, got.text.slice(0, 500));
  assert.match(String(got.headers['content-type']), /^application\/problem\+json/);
  if (typeof detail === 'string') assert.equal(got.json.detail, detail);
  else assert.match(got.json.detail, detail);
  assert.doesNotMatch(got.text, /node_modules|\.js\b|\.ts\b|\bat .*:\d|stack|parquet\b.*\//);
}

export interface Served {
  readonly port: number;
  /** What the gateway told its supervisor. */
  readonly log: { readonly level: string; readonly fields: unknown }[];
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  send(options: {
    method: string;
    path: string;
    headers?: Record<string, string>;
    body?: string;
  }): Promise<Answer>;
  stop(): Promise<void>;
}

export interface ServeOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly access?: AccessRules;
}

export async function serve(dataDir: string, options: ServeOptions = {}): Promise<Served> {
  const paths = dataPaths(dataDir);
  const store = await StateStore.open(paths.state, { readOnly: true });
  const instruments = store.instruments();
  await store.close();
  const config = loadConfig({
    cwd: PACKAGE_ROOT,
    env: {
      BULLION_DATA_DIR: dataDir,
      BULLION_HTTP_PORT: '0',
      BULLION_HTTP_REQUESTS_PER_SECOND: '100000',
      // How long a first query takes, its thread's start included, is no matter of these tests.
      BULLION_HTTP_QUERIES_TIMEOUT_MS: '60000',
      ...options.env,
    },
  });
  const board = new Board(['gateway']);
  const log: { level: string; fields: unknown }[] = [];
  const line = {
    log: async (level: string, _message: string, fields: unknown) =>
      void log.push({ level, fields }),
  } as unknown as Remote<SupervisorLine>;
  const gateway = await start(
    {
      id: 'gateway',
      role: 'gateway',
      cores: [],
      board: board.memory,
      boardRow: 0,
      paths,
      instruments,
      config,
      access: options.access ?? THIS_MACHINE_ONLY,
      cursorSecret: new Uint8Array(32).fill(7),
      live: allocateLiveCandles(instruments.length),
      liveTrades: allocateLiveTrades(instruments.length),
      doorbells: allocateDoorbells({
        validationShards: 1,
        goldShards: 1,
        slotsPerShard: 4,
        rowsPerSlot: 16,
      }),
    },
    line,
    {
      clock: systemClock(),
      timers: systemTimers,
      disk: nodeDisk(),
      databases: lmdbDatabases,
      run: runActor,
    },
  );
  const port = gateway.control.port();
  const send: Served['send'] = ({ method, path, headers = {}, body = '' }) =>
    new Promise((done, fail) => {
      const sent = request({ port, method, path, headers, agent: false }, (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('error', fail);
        response.on('end', () => {
          const bytes = Buffer.concat(pieces);
          const text = bytes.toString();
          const isJson = String(response.headers['content-type']).includes('json');
          done({
            status: response.statusCode ?? 0,
            headers: response.headers,
            bytes,
            text,
            json: isJson ? JSON.parse(text) : undefined,
          });
        });
      });
      sent.on('error', fail);
      sent.end(body);
    });
  return {
    port,
    log,
    send,
    get: (path, headers = {}) => send({ method: 'GET', path, headers }),
    post: (path, body, headers = {}) =>
      send({
        method: 'POST',
        path,
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }),
    async stop() {
      await gateway.control.stop();
      await gateway.run;
    },
  };
}
