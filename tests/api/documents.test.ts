/** The OpenAPI document: valid, and exactly the routes there are. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import type { FastifyInstance } from 'fastify';
import { createGateway } from '#src/api/gateway';
import { listen } from '#src/api/listen';
import { INSTRUMENTS } from '#tests/api/instruments';
import { findChromium, launch, NO_CHROMIUM } from '#tests/page/chromium';

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}
interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<Record<string, unknown>>;
}

const chromium = findChromium();

describe('the documents', () => {
  let app: FastifyInstance;
  let base = '';
  let document: Document;

  before(async () => {
    const nothing = async () => ({ epoch: 0, committedUs: 0, files: [] });
    app = await createGateway({
      instruments: INSTRUMENTS,
      candles: { candles: () => [] },
      status: { status: () => ({ exchanges: [], actors: [], last_epoch: null, problems: [] }) },
      nowUs: () => 0,
      cursorSecret: new Uint8Array(32),
      history: { files: nothing, withDigests: (files) => files, run: async () => 'busy' },
      ledger: { stats: () => Promise.reject(new Error('not asked')), gaps: () => [] },
      iceberg: { namespace: 'market_data', tables: [], load: async () => undefined },
      limits: { connections: 64, connectionsPerAddress: 64, requestsPerSecond: 10_000 },
      onFailure: () => {},
    });
    base = `http://127.0.0.1:${await listen(app, '127.0.0.1', 0)}`;
    document = (await (await fetch(`${base}/docs/json`)).json()) as Document;
  });
  after(() => app.close());

  it('are valid OpenAPI', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document) as never);
    assert.ok(valid, JSON.stringify(errors, null, 1)?.slice(0, 3_000));
    assert.match(document.openapi, /^3\./);
  });

  it('list exactly the routes there are', async () => {
    const listed = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    // Fastify's own tree, which knows nothing of the documents.
    const tree = app.printRoutes({ commonPrefix: false, includeHooks: false });
    const routes: string[] = [];
    const trail: string[] = [];
    for (const line of tree.split('\n')) {
      const [, indent = '', rest = ''] = /^([\s│]*)(?:├──|└──)\s(.*)$/.exec(line) ?? [];
      if (rest === '') continue;
      const depth = indent.length / 4;
      const [, part = '', methods = ''] = /^(\S*)(?:\s\((.+)\))?$/.exec(rest) ?? [];
      trail.length = depth;
      trail[depth] = part;
      for (const method of methods.split(', ').filter(Boolean)) {
        routes.push(`${method} ${trail.join('').replace(/:(\w+)/g, '{$1}')}`);
      }
    }
    // The pages and their files are no part of the API.
    const own = routes.filter((route) => !/^\w+ (\/|\/(docs|page)(\/.*)?)$/.test(route));
    const withoutHead = own.filter(
      (route) => !(route.startsWith('HEAD ') && own.includes(route.replace('HEAD', 'GET'))),
    );
    assert.ok(withoutHead.length > 25, tree);
    assert.deepEqual(
      listed.filter((route) => !route.startsWith('HEAD ')).sort(),
      withoutHead.sort(),
    );
  });

  it('say of each what it is, and name every parameter', () => {
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, { summary, parameters = [], responses }] of Object.entries(operations)) {
        assert.ok(summary, `${method} ${path} has no summary`);
        assert.ok(Object.keys(responses).length > 0);
        for (const [, name] of path.matchAll(/\{(\w+)\}/g)) {
          assert.ok(
            parameters.some((one) => one.in === 'path' && one.name === name),
            `${path} does not say what ${name} is`,
          );
        }
      }
    }
  });

  it('are shown on a page of our own origin, under the same policy as everything', async () => {
    const page = await fetch(`${base}/docs/`);
    const html = await page.text();
    assert.equal(page.status, 200);
    assert.match(String(page.headers.get('content-security-policy')), /default-src 'self'/);
    assert.doesNotMatch(String(page.headers.get('content-security-policy')), /unsafe|http/);
    assert.doesNotMatch(html, /(src|href)="(https?:)?\/\//);
    assert.doesNotMatch(html, /<script>|<style>|\son\w+=/);
    for (const [, path] of html.matchAll(/(?:src|href)="([^"]+)"/g)) {
      const file = await fetch(new URL(path as string, `${base}/docs/`));
      assert.equal(file.status, 200, path);
      await file.arrayBuffer();
    }
    for (const path of [
      'static/../../package.json',
      'static/%2e%2e%2fpackage.json',
      'static/..%5cx',
      'static/',
      'static/index.html',
    ]) {
      assert.equal((await fetch(`${base}/docs/${path}`)).status, 404, path);
    }
  });

  it('cost nothing for each reader that does not read', async () => {
    const path = '/docs/static/swagger-ui-bundle.js';
    const whole = (await (await fetch(`${base}${path}`)).arrayBuffer()).byteLength;
    const before = process.memoryUsage().arrayBuffers;
    const port = Number(new URL(base).port);
    const readers = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const socket = connect(port, '127.0.0.1');
        socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
        await once(socket, 'readable'); // the answer has begun, and is not read any further
        return socket;
      }),
    );
    const grown = process.memoryUsage().arrayBuffers - before;
    for (const socket of readers) socket.destroy();
    assert.ok(whole > 1_000_000, `${whole} bytes are soon sent`);
    assert.ok(grown < 2 * whole, `${grown} bytes for ${readers.length} readers of ${whole}`);
  });

  it('work in a real Chromium under that policy', {
    skip: chromium === undefined ? NO_CHROMIUM : false,
    timeout: 60_000,
  }, async (t) => {
    const browser = await launch(chromium as string);
    t.after(() => browser.close());
    const page = await browser.newPage();
    const wrong: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') wrong.push(message.text());
    });
    page.on('pageerror', (error) => wrong.push(String(error)));
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(`${base}/`) && !url.startsWith('data:')) wrong.push(`asked for ${url}`);
    });
    await page.goto(`${base}/docs/`);
    await page.getByText('/v1/aggregations').first().waitFor();
    // Opened, with its parameters, which "try it out" lets people fill in.
    await page.locator('.opblock-summary-control').first().click();
    await page.locator('.opblock-body').first().waitFor();
    assert.deepEqual(wrong, []);
  });
});
