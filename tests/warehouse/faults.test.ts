/**
 * A bucket whose server fails: what is answered wrongly, late or not at all is asked again without
 * doing anything twice, and what will not get better is said at once.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { WarehouseError } from '#src/warehouse/warehouse';
import { type Fault, S3Server } from '#tests/support/s3-server';
import { s3Warehouse } from '#tests/support/s3-warehouse';

const server = new S3Server();
before(() => server.listen());
after(() => server.close());
beforeEach(() => {
  server.fault = () => undefined;
  server.objects.clear();
  server.requests.length = 0;
});

const QUICK = { timeoutMs: 300 };
const FAULTS: readonly Fault[] = [
  'refused',
  'throttled',
  'failed',
  'cut',
  'silent',
  'torn',
  'slow',
];

/** The first `faults.length` requests meet these. */
function failing(faults: readonly (Fault | undefined)[]): void {
  server.requests.length = 0;
  server.fault = (_, count) => faults[count];
}

for (const fault of FAULTS) {
  test(`${fault}: every call comes to its end as if nothing had been`, async () => {
    const warehouse = s3Warehouse(server, 'p', QUICK);
    const mine = Buffer.from('mine');
    failing([fault]);
    await warehouse.put('a', mine);
    failing([fault]);
    assert.equal(await warehouse.create('t/v1', mine), true);
    failing([fault]);
    assert.equal(await warehouse.create('t/v1', Buffer.from('theirs')), false);
    failing([fault]);
    assert.deepEqual(await warehouse.get('t/v1'), mine);
    failing([fault]);
    assert.deepEqual(await warehouse.getRange('t/v1', 1, 2), Buffer.from('in'));
    failing([fault]);
    assert.equal(await warehouse.size('t/v1'), 4);
    failing([fault]);
    assert.deepEqual(
      (await warehouse.list('')).map(({ path }) => path),
      ['a', 't/v1'],
    );
    failing([fault]);
    await warehouse.delete(['a', 't/v1']);
    assert.equal(server.objects.size, 0);
  });
}

test('a create whose answer is lost is looked up before it is sent again', async () => {
  const warehouse = s3Warehouse(server, 'p', QUICK);
  for (const fault of ['failed', 'cut', 'silent'] as const) {
    failing([fault]);
    assert.equal(await warehouse.create(`t/${fault}`, Buffer.from('mine')), true);
    assert.deepEqual(
      server.requests.map(({ method }) => method),
      ['PUT', 'GET'],
      fault,
    );
  }
});

test('whatever answers are lost: one of two rivals creates the file, and both know who', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.option(fc.constantFrom<Fault>('refused', 'failed', 'cut')), { maxLength: 8 }),
      async (faults) => {
        server.objects.clear();
        failing(faults.map((fault) => fault ?? undefined));
        const rivals = ['first', 'second'].map((text) => Buffer.from(text));
        const won = await Promise.all(
          rivals.map((mine) => s3Warehouse(server, 'p').create('t/v1', mine)),
        );
        assert.equal(won.filter(Boolean).length, 1);
        assert.deepEqual(server.objects.get('p/t/v1'), rivals[won.indexOf(true)]);
      },
    ),
    { numRuns: 40 },
  );
});

test('an outage longer than allowed is an error that says so, and not an hour of waiting', async () => {
  const warehouse = s3Warehouse(server, 'p', { ...QUICK, outageMs: 5_000 });
  server.fault = () => 'throttled';
  await assert.rejects(warehouse.put('a', Buffer.from('x')), (error) => {
    assert.ok(error instanceof WarehouseError);
    assert.equal(error.code, 'EIO');
    return /^s3:\/\/warehouse\/p\/a cannot be reached \(503 SlowDown\)/.test(error.message);
  });
  // 100, 200, ... 1600 ms: the next pause would go beyond 5 s.
  assert.equal(server.requests.length, 6);
});

test('what will not get better is not asked for twice', async () => {
  const warehouse = s3Warehouse(server, 'p');
  process.env.AWS_SECRET_ACCESS_KEY = 'another';
  await assert.rejects(warehouse.get('a'), (error) => {
    return (
      error instanceof WarehouseError && error.code === 'EACCES' && !/another/.test(error.message)
    );
  });
  await assert.rejects(
    s3Warehouse(server, 'p').get('a'),
    (error) => error instanceof WarehouseError && error.code === 'ENOENT',
  );
});
