/**
 * What a warehouse promises, of the disk's and the bucket's alike: any sequence of calls has the effects
 * it has on a map in memory.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { errorCode } from '#src/base/errors';
import { nodeDisk } from '#src/base/node-disk';
import { DiskWarehouse } from '#src/warehouse/disk-warehouse';
import { forEachOf, pathIn, uriOf, type Warehouse } from '#src/warehouse/warehouse';
import { MemoryDisk } from '#tests/support/memory-disk';
import { S3Server } from '#tests/support/s3-server';
import { s3Warehouse } from '#tests/support/s3-warehouse';

const server = new S3Server();
server.pageSize = 2;
const directory = mkdtempSync(join(tmpdir(), 'bullion-warehouse-'));
before(() => server.listen());
after(async () => {
  rmSync(directory, { recursive: true });
  await server.close();
});

const path = fc.constantFrom(
  'a.parquet',
  't/metadata/v1.metadata.json',
  't/data/exchange_date=2026-11-23/exchange_hour=07/x & y+z.parquet',
  't/data/exchange_date=2026-11-23/exchange_hour=08/x.parquet',
  'tt/data/x.parquet',
);
const bytes = fc.uint8Array({ maxLength: 20 });
const call = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), path, bytes }),
  fc.record({ kind: fc.constant('create' as const), path, bytes }),
  fc.record({ kind: fc.constant('get' as const), path }),
  fc.record({ kind: fc.constant('range' as const), path, start: fc.nat(25), length: fc.nat(9) }),
  fc.record({ kind: fc.constant('size' as const), path }),
  fc.record({ kind: fc.constant('list' as const), folder: fc.constantFrom('', 't', 't/data') }),
  fc.record({ kind: fc.constant('delete' as const), paths: fc.array(path) }),
);
type Call = typeof call extends fc.Arbitrary<infer T> ? T : never;

async function ask(warehouse: Warehouse, one: Call): Promise<unknown> {
  const read = async (answer: Promise<Buffer>): Promise<unknown> => {
    try {
      return [...(await answer)];
    } catch (error) {
      return errorCode(error);
    }
  };
  switch (one.kind) {
    case 'put':
      return warehouse.put(one.path, one.bytes);
    case 'create':
      return warehouse.create(one.path, one.bytes);
    case 'get':
      return read(warehouse.get(one.path));
    case 'range':
      return read(warehouse.getRange(one.path, one.start, 1 + one.length));
    case 'size':
      return warehouse.size(one.path);
    case 'list':
      return warehouse.list(one.folder);
    case 'delete':
      return warehouse.delete(one.paths);
  }
}

/** `sameIsOurs`: a bucket cannot tell its own lost write from the same bytes of somebody else. */
function expected(model: Map<string, Uint8Array>, one: Call, sameIsOurs: boolean): unknown {
  switch (one.kind) {
    case 'put':
      model.set(one.path, one.bytes);
      return undefined;
    case 'create': {
      const there = model.get(one.path);
      if (there !== undefined) return sameIsOurs && Buffer.from(there).equals(one.bytes);
      model.set(one.path, one.bytes);
      return true;
    }
    case 'get': {
      const found = model.get(one.path);
      return found ? [...found] : 'ENOENT';
    }
    case 'range': {
      const found = model.get(one.path);
      return found ? [...found.slice(one.start, one.start + 1 + one.length)] : 'ENOENT';
    }
    case 'size':
      return model.get(one.path)?.length;
    case 'list':
      return [...model]
        .filter(([name]) => one.folder === '' || name.startsWith(`${one.folder}/`))
        .map(([name, content]) => ({ path: name, bytes: content.length }))
        .sort((a, b) => (a.path < b.path ? -1 : 1));
    case 'delete':
      for (const name of one.paths) model.delete(name);
      return undefined;
  }
}

let made = 0;
const kinds: readonly (readonly [string, () => Warehouse, boolean])[] = [
  ['a folder in memory', () => new DiskWarehouse(memoryDisk(), '/w'), false],
  ['a folder', () => new DiskWarehouse(nodeDisk(), join(directory, `w${made++}`)), false],
  ['a bucket', () => s3Warehouse(server, `some/prefix-${made++}`), true],
];

function memoryDisk(): MemoryDisk {
  const disk = new MemoryDisk();
  disk.mkdir('/w');
  return disk;
}

for (const [name, make, sameIsOurs] of kinds) {
  test(`${name}: any calls have the effects they have on a map`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(call, { maxLength: 30 }), async (calls) => {
        const warehouse = make();
        const model = new Map<string, Uint8Array>();
        for (const one of calls) {
          assert.deepEqual(await ask(warehouse, one), expected(model, one, sameIsOurs), one.kind);
        }
      }),
      { numRuns: 40 },
    );
  });

  test(`${name}: of many who create a file at once, one does`, async () => {
    const warehouse = make();
    const rivals = Array.from({ length: 8 }, (_, i) => Buffer.from([i]));
    const won = await Promise.all(rivals.map((mine) => warehouse.create('t/v1', mine)));
    assert.equal(won.filter(Boolean).length, 1);
    assert.deepEqual(await warehouse.get('t/v1'), rivals[won.indexOf(true)]);
    const wholes = (await warehouse.list('')).map((file) => file.path);
    assert.deepEqual(wholes, ['t/v1']);
  });
}

test('a URI is the path after the root, and foreign ones are nobody', () => {
  const place = { uri: 's3://bucket/prefix' };
  assert.equal(uriOf(place, 't/data/x'), 's3://bucket/prefix/t/data/x');
  assert.equal(pathIn(place, 's3://bucket/prefix/t/data/x'), 't/data/x');
  for (const foreign of ['s3://bucket/prefix2/x', 's3://other/prefix/x', 'file:///prefix/x']) {
    assert.equal(pathIn(place, foreign), undefined);
  }
});

test('work in lanes: never more at once than may, and no lane goes on after an error', async () => {
  let running = 0;
  let most = 0;
  const begun: number[] = [];
  const work = async (item: number): Promise<void> => {
    begun.push(item);
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    if (item === 4) throw new Error('four');
  };
  const items = Array.from({ length: 20 }, (_, i) => i);
  await assert.rejects(forEachOf({ parallel: 3 }, items, work), /four/);
  assert.equal(most, 3);
  assert.equal(running, 0);
  assert.ok(begun.length < items.length, `${begun.length} of ${items.length} were begun`);
});
