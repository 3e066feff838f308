/**
 * The tables in a bucket: a commit cut short at every named step and at every single request, answers
 * that are lost, a rival. The tables open all the while, and the next start finishes.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { COMMIT_STEPS } from '#src/iceberg/commit-steps';
import { WarehouseError } from '#src/warehouse/warehouse';
import { type SeenTable, seeTableIn } from '#tests/iceberg/independent-reader';
import { CANDLES, FEW_SNAPSHOTS, GOLD, LakeModel } from '#tests/iceberg/lake-model';
import { BUCKET, type Fault, S3Server } from '#tests/support/s3-server';
import { s3Warehouse } from '#tests/support/s3-warehouse';

const PREFIX = 'lakes/one';
const TABLES = [GOLD, CANDLES];

const server = new S3Server();
server.pageSize = 7;
/** A lake with some history, and one more epoch that is committed and not published. */
let model: LakeModel;
let unpublished: ReadonlyMap<string, Buffer>;
let published: ReadonlyMap<string, Buffer>;

before(async () => {
  await server.listen();
  model = new LakeModel(FEW_SNAPSHOTS, s3Warehouse(server, PREFIX, { outageMs: 20_000 }));
  await model.makeHistory();
  unpublished = new Map(server.objects);
  await model.publish();
  await model.recover();
  published = new Map(server.objects);
});
after(() => server.close());

function begin(): void {
  server.objects.clear();
  for (const [key, bytes] of unpublished) server.objects.set(key, bytes);
  server.requests.length = 0;
  server.fault = () => undefined;
  model.step = () => {};
}

function see(table: string): Promise<SeenTable> {
  const read = (path: string) => server.objects.get(`${PREFIX}/${path}`);
  return seeTableIn({ uri: `s3://${BUCKET}/${PREFIX}`, read }, table);
}

const paths = async (table: string): Promise<string[]> =>
  [...(await see(table)).files.keys()].sort();

const livePaths = (table: string): string[] =>
  model
    .filesOf(table)
    .map(({ path }) => path)
    .sort();

let shownBefore: ReadonlyMap<string, string[]> | undefined;

/** Both tables open and show either the epoch before or this one, whole. */
async function assertReadable(): Promise<void> {
  for (const table of TABLES) {
    const seen = JSON.stringify(await paths(table));
    const either = [shownBefore?.get(table), livePaths(table)].map((all) => JSON.stringify(all));
    assert.ok(either.includes(seen), `${table} shows ${seen}`);
  }
}

/** After the next start everything is as if nothing had happened, to the byte. */
async function assertRecovered(): Promise<void> {
  server.fault = () => undefined;
  model.step = () => {};
  await model.recover();
  assert.deepEqual([...server.objects.keys()].sort(), [...published.keys()].sort());
  for (const [key, bytes] of published) {
    assert.ok(server.objects.get(key)?.equals(bytes), `${key} has other bytes`);
  }
}

async function shown(): Promise<Map<string, string[]>> {
  const all = new Map<string, string[]>();
  for (const table of TABLES) all.set(table, await paths(table));
  return all;
}

for (const step of COMMIT_STEPS) {
  for (const table of TABLES) {
    test(`killed at ${step} of ${table}: the next start finishes it`, async () => {
      begin();
      shownBefore ??= await shown();
      await model.crashAt(step, table);
      await assertReadable();
      await assertRecovered();
    });
  }
}

test('whichever answer is lost or wrong, the epoch is published, and once', async () => {
  begin();
  await model.publish();
  const requests = server.requests.length;
  assert.ok(requests > 20, `${requests} requests`);
  for (const fault of ['refused', 'failed', 'cut'] as const satisfies readonly Fault[]) {
    for (let at = 0; at < requests; at++) {
      begin();
      server.fault = (_, count) => (count === at ? fault : undefined);
      await model.publish();
      server.fault = () => undefined;
      for (const table of TABLES) {
        const { snapshots } = await see(table);
        assert.deepEqual(
          snapshots.map(({ epoch }) => epoch),
          [3, 4],
          `${fault} ${at}`,
        );
        assert.deepEqual(await paths(table), livePaths(table));
      }
    }
  }
});

test('the store gone from any request on: the next start finishes it', async () => {
  begin();
  await model.publish();
  const requests = server.requests.length;
  for (let from = 0; from < requests; from++) {
    begin();
    server.fault = (_, count) => (count >= from ? 'throttled' : undefined);
    await assert.rejects(model.publish(), (error) => {
      assert.ok(error instanceof WarehouseError);
      assert.match(error.message, /^s3:\/\/warehouse\/lakes\/one\/.* cannot be reached \(503 /);
      return true;
    });
    await assertReadable();
    await assertRecovered();
  }
});

test('somebody else commits the version first: the commit goes on top of theirs', async () => {
  begin();
  let stolen = 0;
  model.step = (name, table) => {
    if (name !== 'after-metadata-tmp' || table !== GOLD || stolen === 2) return;
    stolen++;
    const folder = `${PREFIX}/${GOLD}/metadata`;
    const versions = [...server.objects.keys()].map((key) =>
      key.startsWith(folder) ? Number(/v(\d+)\.metadata\.json$/.exec(key)?.[1] ?? 0) : 0,
    );
    const newest = Math.max(...versions);
    const metadata = JSON.parse(String(server.objects.get(`${folder}/v${newest}.metadata.json`)));
    metadata.properties.note = `theirs ${stolen}`;
    const theirs = `${folder}/v${newest + 1}.metadata.json`;
    server.objects.set(theirs, Buffer.from(JSON.stringify(metadata)));
  };
  await model.publish();
  assert.equal(stolen, 2);
  assert.deepEqual(await paths(GOLD), livePaths(GOLD));
  model.step = () => {};
  await model.recover();
  assert.deepEqual(await paths(GOLD), livePaths(GOLD));
});
