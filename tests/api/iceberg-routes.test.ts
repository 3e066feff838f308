/** The read-only Iceberg REST catalog over a real socket, in the words of its specification. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, it } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { createGateway } from '#src/api/gateway';
import { listen } from '#src/api/listen';
import { DEFAULT_LIMITS } from '#src/api/protection';
import { catalogReader } from '#src/iceberg/catalog-reader';
import { FILE_CATALOG } from '#src/iceberg/file-catalog';
import { TABLES } from '#src/iceberg/table-definition';
import { DiskWarehouse } from '#src/warehouse/disk-warehouse';
import { INSTRUMENTS } from '#tests/api/instruments';
import { dataFile, GOLD, LAKE, LakeModel } from '#tests/iceberg/lake-model';

interface Json {
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at field by field
  readonly [name: string]: any;
}

describe('iceberg catalog', () => {
  const model = new LakeModel();
  const failures: unknown[] = [];
  let app: FastifyInstance;
  let base = '';
  let fail: Error | undefined;

  before(async () => {
    await model.recover();
    for (const name of ['a', 'b']) {
      const file = dataFile(GOLD, 'exchange_date=2026-11-23/exchange_hour=07', name, 5);
      model.commit({ added: [file] });
      await model.publish();
    }
    const reader = catalogReader(FILE_CATALOG, new DiskWarehouse(model.disk, LAKE));
    app = await createGateway({
      instruments: INSTRUMENTS,
      nowUs: () => 0,
      cursorSecret: new Uint8Array(32),
      candles: { candles: () => [] },
      status: { status: () => ({ exchanges: [], actors: [], last_epoch: null, problems: [] }) },
      iceberg: {
        ...reader,
        async load(table) {
          if (fail !== undefined) throw fail;
          return reader.load(table);
        },
      },
      limits: { ...DEFAULT_LIMITS, requestsPerSecond: 10_000 },
      onFailure: (error) => failures.push(error),
    });
    base = `http://127.0.0.1:${await listen(app, '127.0.0.1', 0)}/iceberg`;
  });
  after(() => app.close());

  const get = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(base + path, init);
    const text = await response.text();
    return { response, text, json: (text === '' ? {} : JSON.parse(text)) as Json };
  };

  const assertError = async (path: string, code: number, type: string, init: RequestInit = {}) => {
    const { response, json, text } = await get(path, init);
    assert.equal(response.status, code, text);
    assert.match(String(response.headers.get('content-type')), /^application\/json/);
    assert.deepEqual(Object.keys(json), ['error']);
    assert.equal(json.error.code, code);
    assert.equal(json.error.type, type);
    assert.ok(json.error.message.length > 10);
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
    return response;
  };

  it('answers what a client asks first', async () => {
    const { json } = await get('/v1/config?warehouse=anything');
    assert.deepEqual([json.defaults, json.overrides], [{}, {}]);
    assert.ok(json.endpoints.includes('GET /v1/{prefix}/namespaces/{namespace}/tables/{table}'));
    assert.ok(json.endpoints.every((endpoint: string) => /^(GET|HEAD) /.test(endpoint)));
  });

  it('lists its namespace and all tables', async () => {
    assert.deepEqual((await get('/v1/namespaces')).json, { namespaces: [['market_data']] });
    assert.deepEqual((await get('/v1/namespaces?parent=market_data')).json, { namespaces: [] });
    const one = await get('/v1/namespaces/market_data');
    assert.deepEqual(one.json, { namespace: ['market_data'], properties: {} });
    const { json } = await get('/v1/namespaces/market_data/tables');
    assert.deepEqual(
      new Set(json.identifiers.map((id: Json) => `${id.namespace.join('.')}.${id.name}`)),
      new Set([...TABLES.keys()].map((name) => `market_data.${name}`)),
    );
    const head = await get('/v1/namespaces/market_data', { method: 'HEAD' });
    assert.deepEqual([head.response.status, head.text], [204, '']);
  });

  it('gives the metadata as it is, once', async () => {
    const path = `/v1/namespaces/market_data/tables/${GOLD}`;
    const { response, json } = await get(path);
    assert.equal(response.status, 200);
    assert.equal(json['metadata-location'], `file://${LAKE}/${GOLD}/metadata/v3.metadata.json`);
    const file = model.disk.contents(`${LAKE}/${GOLD}/metadata/v3.metadata.json`).toString();
    assert.deepEqual(json.metadata, JSON.parse(file));
    assert.equal(json.metadata.snapshots.length, 2);
    const etag = String(response.headers.get('etag'));
    const again = await get(path, { headers: { 'if-none-match': etag } });
    assert.deepEqual([again.response.status, again.text], [304, '']);
    const other = await get(path, { headers: { 'if-none-match': '"other"' } });
    assert.equal(other.response.status, 200);
    const refs = await get(`${path}?snapshots=refs`);
    const current = refs.json.metadata['current-snapshot-id'];
    const ids = refs.json.metadata.snapshots.map((snapshot: Json) => snapshot['snapshot-id']);
    assert.deepEqual(ids, [current]);
    assert.notEqual(refs.response.headers.get('etag'), etag);
    const head = await get(path, { method: 'HEAD' });
    assert.deepEqual([head.response.status, head.text], [204, '']);
    const file3 = dataFile(GOLD, 'exchange_date=2026-11-23/exchange_hour=08', 'c', 5);
    model.commit({ added: [file3] });
    await model.publish();
    const newer = await get(path, { headers: { 'if-none-match': etag } });
    assert.equal(newer.response.status, 200);
    assert.equal(newer.json.metadata.snapshots.length, 3);
  });

  it('says what is not there in the words clients know', async () => {
    await assertError('/v1/namespaces/other', 404, 'NoSuchNamespaceException');
    await assertError('/v1/namespaces/other/tables', 404, 'NoSuchNamespaceException');
    await assertError('/v1/namespaces?parent=other', 404, 'NoSuchNamespaceException');
    await assertError('/v1/namespaces/market_data/tables/other', 404, 'NoSuchTableException');
    await assertError('/v1/namespaces/market_data/tables/..%2f..', 404, 'NoSuchTableException');
    await assertError('/v1/namespaces/market_data/views', 404, 'NotFoundException');
    for (const path of ['/v1/namespaces/other', '/v1/namespaces/market_data/tables/other']) {
      const { response, text } = await get(path, { method: 'HEAD' });
      assert.deepEqual([response.status, text], [404, '']);
    }
  });

  it('refuses every verb that writes, whatever comes with it', async () => {
    const paths = [
      '/v1/namespaces',
      '/v1/namespaces/market_data',
      '/v1/namespaces/market_data/properties',
      '/v1/namespaces/market_data/tables',
      `/v1/namespaces/market_data/tables/${GOLD}`,
      '/v1/transactions/commit',
      '/v1/tables/rename',
    ];
    const before = model.disk.operations;
    for (const path of paths) {
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
        for (const type of ['application/json', 'text/x-odd']) {
          const init = { method, headers: { 'content-type': type }, body: '{"requirements":' };
          const response = await assertError(path, 405, 'UnsupportedOperationException', init);
          assert.equal(response.headers.get('allow'), 'GET, HEAD');
        }
      }
    }
    assert.equal(model.disk.operations, before, 'nothing was even looked at');
  });

  it('tells a client nothing of its own failures', async () => {
    fail = new Error('secret path /x');
    const response = await get(`/v1/namespaces/market_data/tables/${GOLD}`);
    fail = undefined;
    assert.equal(response.response.status, 500);
    assert.doesNotMatch(response.text, /secret/);
    assert.equal(response.json.error.type, 'InternalServerError');
    assert.equal(failures.length, 1);
  });

  it('answers only to names of this machine', async () => {
    const { port } = new URL(base);
    const status = await new Promise((done, reject) => {
      const headers = { host: 'evil.example' };
      const sent = request(
        { host: '127.0.0.1', port, path: '/iceberg/v1/config', headers },
        (got) => {
          got.resume();
          done(got.statusCode);
        },
      );
      sent.on('error', reject);
      sent.end();
    });
    assert.equal(status, 421);
  });
});
