/**
 * Commits through an external REST catalog: every epoch is in the table once, whatever answers are lost,
 * late or wrong, and whoever else commits.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { systemClock } from '#src/base/clock';
import { EXIT, UserError } from '#src/base/errors';
import { COMMIT_STEPS } from '#src/iceberg/commit-steps';
import { RestCatalog } from '#src/iceberg/rest-catalog';
import { TABLES } from '#src/iceberg/table-definition';
import { type SeenTable, seeTableIn } from '#tests/iceberg/independent-reader';
import { CANDLES, FEW_SNAPSHOTS, GOLD, LAKE, LakeModel } from '#tests/iceberg/lake-model';
import { type CatalogFault, RestCatalogServer, TOKEN } from '#tests/support/rest-catalog-server';

/** The parts of a table that a rival changes. */
interface TableJson {
  snapshots: Record<string, number>[];
  refs: { main: Record<string, number> };
  [key: string]: unknown;
}

const BOTH = [GOLD, CANDLES];

const server = new RestCatalogServer();
before(() => server.listen());
after(() => server.close());

function catalog(token: string | undefined = TOKEN): RestCatalog {
  let pausedMs = 0;
  return new RestCatalog({
    uri: server.uri,
    warehouse: 'ours',
    token,
    patience: {
      clock: { monotonicMs: () => systemClock().monotonicMs() + pausedMs },
      pause: async (ms) => {
        pausedMs += ms;
        await new Promise((resolve) => setTimeout(resolve, 20)); // what is late comes to its end
      },
      timeoutMs: 500,
      outageMs: 20_000,
    },
  });
}

/** A lake with some history, and one more epoch that is committed and not published. */
async function beforePublish(): Promise<LakeModel> {
  server.tables.clear();
  server.namespaces.clear();
  server.fault = () => undefined;
  const model = new LakeModel(FEW_SNAPSHOTS, undefined, catalog());
  await model.makeHistory();
  server.requests.length = 0;
  return model;
}

function see(model: LakeModel, table: string): Promise<SeenTable> {
  const read = (path: string) => {
    const full = `${LAKE}/${path}`;
    return model.disk.stat(full) === undefined ? undefined : model.disk.contents(full);
  };
  const metadata = server.tables.get(table) as Record<string, unknown>;
  return seeTableIn({ uri: `file://${LAKE}`, read, metadata }, table);
}

async function assertPublished(model: LakeModel, what: string): Promise<void> {
  for (const table of BOTH) {
    const seen = await see(model, table);
    const live = model.filesOf(table).map(({ path }) => path);
    assert.deepEqual([...seen.files.keys()].sort(), live.sort(), what);
    assert.deepEqual(
      seen.snapshots.map(({ epoch }) => epoch),
      [3, 4],
      what,
    );
  }
}

test('tables are made with our field ids, and every epoch is a snapshot', async () => {
  const model = await beforePublish();
  assert.deepEqual([...server.namespaces], ['market_data']);
  assert.deepEqual([...server.tables.keys()].sort(), [...TABLES.keys()].sort());
  const gold = server.tables.get(GOLD);
  assert.equal(gold?.location, `file://${LAKE}/${GOLD}`);
  assert.equal(gold?.schemas[0].fields[10].type['element-id'], 18);
  assert.equal(gold?.properties['gc.enabled'], 'false');
  await model.publish();
  await assertPublished(model, 'published');
  // A start finds everything in order and commits nothing; nothing of the file catalog is written.
  server.requests.length = 0;
  await model.recover();
  assert.deepEqual(
    server.requests.filter(({ method }) => method !== 'GET'),
    [],
  );
  const files = model.disk.readdir(`${LAKE}/${GOLD}/metadata`);
  assert.deepEqual(
    files.filter((name) => !name.endsWith('.avro')),
    [],
  );
});

test('whichever answer is lost, late or wrong, the epoch is published, and once', async () => {
  const whole = await beforePublish();
  await whole.publish();
  const requests = server.requests.length;
  const faults: readonly CatalogFault[] = [
    'refused',
    'failed',
    'timedOut',
    'cut',
    'silent',
    'late',
  ];
  for (const fault of faults) {
    for (let at = 0; at < requests; at++) {
      const model = await beforePublish();
      server.fault = (_, count) => (count === at ? fault : undefined);
      await model.publish();
      await assertPublished(model, `${fault} ${at}`);
    }
  }
});

test('a commit without an answer is looked up before anything is sent again', async () => {
  const model = await beforePublish();
  server.fault = ({ method }) => {
    if (method !== 'POST') return undefined;
    server.fault = () => undefined;
    return 'timedOut';
  };
  await model.publish();
  // Of the table it happened to: one POST, and the load that found it done.
  const [first] = server.requests.filter(({ method }) => method === 'POST');
  const ofTable = server.requests.filter(({ path }) => path === first?.path);
  assert.deepEqual(
    ofTable.map(({ method }) => method),
    ['GET', 'POST', 'GET'],
  );
  await assertPublished(model, 'looked up');
});

for (const step of COMMIT_STEPS) {
  test(`killed at ${step}: the next start finishes it`, async () => {
    for (const table of BOTH) {
      const model = await beforePublish();
      await model.crashAt(step, table);
      await model.recover();
      await assertPublished(model, step);
      const left = model.disk.readdir(`${LAKE}/${table}/metadata`);
      const lists = left.filter((name) => name.startsWith('snap-'));
      assert.equal(lists.length, 2, `${left}`);
    }
  });
}

test('somebody else commits first: the commit goes on top of theirs', async () => {
  const model = await beforePublish();
  let stolen = 0;
  model.step = (name, table) => {
    if (name !== 'after-metadata-tmp' || table !== GOLD || stolen === 2) return;
    stolen++;
    // The catalog's `main` moves: a snapshot of theirs with the same files.
    const metadata = structuredClone(server.tables.get(GOLD)) as TableJson;
    const current = metadata.snapshots.at(-1) as Record<string, number>;
    const sequence = (current['sequence-number'] as number) + 1;
    const theirs: Record<string, number> = {
      ...current,
      'snapshot-id': 1000 + stolen,
      'parent-snapshot-id': current['snapshot-id'] as number,
      'sequence-number': sequence,
    };
    metadata.snapshots.push(theirs);
    metadata['last-sequence-number'] = sequence;
    metadata['current-snapshot-id'] = theirs['snapshot-id'];
    metadata.refs.main['snapshot-id'] = 1000 + stolen;
    server.tables.set(GOLD, metadata);
  };
  await model.publish();
  assert.equal(stolen, 2);
  const live = model.filesOf(GOLD).map(({ path }) => path);
  assert.deepEqual([...(await see(model, GOLD)).files.keys()].sort(), live.sort());
});

test('a table of somebody else is not touched; one of ours that is ahead is made anew', async () => {
  const model = await beforePublish();
  await model.publish();
  const theirs = { ...server.tables.get(GOLD), location: 's3://theirs/table' };
  server.tables.set(GOLD, theirs);
  await assert.rejects(model.recover(), (error) => {
    return (
      error instanceof UserError &&
      error.exitCode === EXIT.config &&
      /s3:\/\/theirs/.test(error.message)
    );
  });
  assert.equal(server.tables.get(GOLD), theirs);
  const young = new LakeModel(FEW_SNAPSHOTS, undefined, catalog());
  server.tables.delete(GOLD);
  await young.recover(); // the candles of another state are ahead of it
  assert.deepEqual(server.tables.get(CANDLES)?.snapshots, []);
});

test('an outage, and a refusal, are one sentence without the token', async () => {
  const model = await beforePublish();
  server.fault = () => 'refused';
  await assert.rejects(model.publish(), (error) => {
    assert.ok(error instanceof UserError);
    assert.match(
      error.message,
      /^The catalog http:\/\/127.* cannot be reached \(503 at \/v1\/w\/ours/,
    );
    return error.exitCode === EXIT.io;
  });
  server.fault = () => undefined;
  const wrong = new LakeModel(FEW_SNAPSHOTS, undefined, catalog('another-token'));
  await assert.rejects(wrong.recover(), (error) => {
    assert.ok(error instanceof UserError);
    assert.match(
      error.message,
      /refuses GET \/v1\/config\?warehouse=ours \(401 NotAuthorizedException/,
    );
    return !error.message.includes('another-token');
  });
});
