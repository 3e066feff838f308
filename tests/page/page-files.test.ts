/** The page's files: what is served is what is on the list, and it fits the policy it is served with. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, it } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { createGateway } from '#src/api/gateway';
import { listen } from '#src/api/listen';
import { pageFiles } from '#src/api/page-files';
import { DEFAULT_LIMITS } from '#src/api/protection';
import { INSTRUMENTS } from '#tests/api/instruments';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

describe('page files', () => {
  let app: FastifyInstance;
  let port: number;

  before(async () => {
    app = await createGateway({
      instruments: INSTRUMENTS,
      candles: { candles: () => [] },
      status: { status: () => ({ exchanges: [], actors: [], last_epoch: null, problems: [] }) },
      nowUs: () => 0,
      cursorSecret: new Uint8Array(32),
      limits: { connections: 64, connectionsPerAddress: 64, requestsPerSecond: 10_000 },
      onFailure: assert.ifError,
    });
    port = await listen(app, '127.0.0.1', 0);
  });
  after(() => app.close());

  /** The path goes out as it is: `fetch` would tidy it up first. */
  const get = (path: string, headers: Record<string, string> = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path, headers, agent: false };
      const sent = request(options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
        );
      });
      sent.on('error', reject);
      sent.end();
    });

  it('serves every file of the list, with its type and the policy', async () => {
    const files = pageFiles();
    for (const { path, type, bytes } of files) {
      const { status, headers, text } = await get(path);
      assert.equal(status, 200, path);
      assert.equal(headers['content-type'], type);
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.match(String(headers['content-security-policy']), /^default-src 'self';/);
      assert.doesNotMatch(String(headers['content-security-policy']), /unsafe|\*|https?:/);
      assert.equal(text, bytes().toString());
      const again = await get(path, { 'if-none-match': String(headers.etag) });
      assert.deepEqual([again.status, again.text], [304, '']);
      const other = await get(path, { 'if-none-match': '"another"' });
      assert.equal(other.status, 200);
    }
    // A visitor may ask for five times as many files a second as for anything else.
    assert.ok(files.length < DEFAULT_LIMITS.requestsPerSecond, `${files.length} files`);
  });

  it('serves nothing else, however it is asked for', async () => {
    const paths = [
      '/index.html',
      '/page/',
      '/page',
      '/page/index.html',
      '/page/../page/main.js',
      '/page/..%2f..%2fpackage.json',
      '/page/%2e%2e/%2e%2e/package.json',
      '/page/..%5c..%5cpackage.json',
      '/page/%252e%252e%252fpackage.json',
      '/page/main.ts',
      '/page/tsconfig.json',
      '/page/main.js%00.css',
      '/page/main.js/',
      '/PAGE/MAIN.JS',
      '//page/main.js',
    ];
    for (const path of paths) {
      const { status, text } = await get(path);
      assert.equal(status, 404, path);
      assert.doesNotMatch(text, /"version"|import /, path);
    }
  });

  it('asks for nothing that the policy forbids or the list lacks', () => {
    const files = new Map(pageFiles().map(({ path, bytes }) => [path, bytes().toString()]));
    const html = files.get('/') ?? '';
    assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:/i);
    const named = [...html.matchAll(/\b(?:src|href)="([^"#]+)"/g)].map(([, url = '']) => url);
    for (const url of named) {
      if (url.startsWith('/page/')) assert.ok(files.has(url), url);
      // A link is followed by a person; nothing is loaded from there.
      else assert.match(url, /^\/(health|v1|docs)\b|^https:\/\/www\.tradingview\.com\/$/);
    }
    for (const [path, text] of files) {
      if (!path.endsWith('.js') || path.endsWith('/lightweight-charts.js')) continue;
      for (const [, module = ''] of text.matchAll(/\bfrom\s*'([^']+)'/g)) {
        assert.ok(files.has(new URL(module, `http://x${path}`).pathname), `${path} -> ${module}`);
      }
    }
    for (const [path, text] of files) {
      if (path.endsWith('.css')) assert.doesNotMatch(text, /@import|url\(|https?:/, path);
    }
  });
});
