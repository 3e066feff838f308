import assert from 'node:assert/strict';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { EXIT, UserError } from '#src/base/errors';
import { nodeDisk } from '#src/base/node-disk';
import { LakeEncoder } from '#src/lake/lake-encoder';
import { LakePool } from '#src/lake/pool';
import { INSTRUMENTS, trade, tradesJob } from '#tests/lake/trade-rows';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const worker = new URL('../../actors/lake-worker.js', import.meta.url);
const directory = temporaryDirectory(test, 'lake');

function newPool(t: { after(close: () => Promise<void>): void }, lakeDir: string): LakePool {
  const pool = new LakePool({
    worker,
    warehouse: { kind: 'disk', dir: lakeDir },
    instruments: INSTRUMENTS,
    queueMax: 1,
  });
  t.after(() => pool.destroy());
  return pool;
}

test('many more jobs than the queue holds all come back, each as without a thread', async (t) => {
  const pool = newPool(t, join(directory, 'pool'));
  const here = new LakeEncoder(INSTRUMENTS, { lakeDir: join(directory, 'here'), disk: nodeDisk() });
  const jobs = Array.from({ length: 12 }, (_, k) =>
    tradesJob(fc.sample(trade, { numRuns: 3, seed: k + 1 }), `job-${k}`),
  );
  assert.equal(pool.hasRoom, true);
  const answers = jobs.map((job) => pool.run(job));
  assert.equal(pool.hasRoom, false);
  assert.equal(pool.pending, 12);
  await pool.drain();
  assert.equal(pool.pending, 0);
  assert.equal(pool.hasRoom, true);
  assert.deepEqual(
    await Promise.all(answers),
    jobs.map((job) => here.run(job)),
  );
});

test('a disk error is a UserError on the other side, and the worker goes on', async (t) => {
  const lakeDir = join(directory, 'blocked');
  const pool = newPool(t, lakeDir);
  writeFileSync(lakeDir, 'a file where the lake should be');
  const job = tradesJob(fc.sample(trade, { numRuns: 1, seed: 1 }), 'job');
  await assert.rejects(pool.run(job), (error) => {
    return (
      error instanceof UserError && error.exitCode === EXIT.io && /blocked/.test(error.message)
    );
  });
  rmSync(lakeDir);
  const [file] = await pool.run(job);
  assert.ok(file && existsSync(join(lakeDir, file.path)));
});

test('a bug in a job rejects that job only', async (t) => {
  const pool = newPool(t, join(directory, 'bug'));
  const job = tradesJob(fc.sample(trade, { numRuns: 2, seed: 1 }), 'job');
  const [bad, good] = await Promise.allSettled([
    pool.run({ ...job, rows: job.capacity + 1 }),
    pool.run(job),
  ]);
  assert.equal(bad.status, 'rejected');
  assert.ok(bad.status === 'rejected' && !(bad.reason instanceof UserError));
  assert.equal(good.status, 'fulfilled');
});

test('a job that does not end fails alone: its thread is ended, the next job has a new one', async (t) => {
  const hanging = new URL('./hanging-worker.js', import.meta.url);
  const lakeDir = join(directory, 'hanging');
  const warehouse = { kind: 'disk', dir: lakeDir } as const;
  const options = { worker: hanging, warehouse, instruments: INSTRUMENTS };
  const pool = new LakePool({ ...options, jobMsMax: 500 });
  t.after(() => pool.destroy());
  const job = tradesJob(fc.sample(trade, { numRuns: 2, seed: 1 }), 'hangs');
  await assert.rejects(pool.run(job), /job hangs did not end within 500 ms/);
  assert.equal(pool.pending, 0);
  await assert.rejects(pool.run(job), /did not end/);
});

test('a destroyed pool settles every job and takes no more', async (t) => {
  const pool = newPool(t, join(directory, 'destroyed'));
  const jobs = Array.from({ length: 6 }, (_, k) =>
    tradesJob(fc.sample(trade, { numRuns: 3, seed: k + 1 }), `job-${k}`),
  );
  const settled = Promise.allSettled(jobs.map((job) => pool.run(job)));
  await pool.destroy();
  assert.equal((await settled).at(-1)?.status, 'rejected');
  assert.equal(pool.pending, 0);
  assert.throws(() => pool.run(jobs[0] as (typeof jobs)[number]), /closed/);
});
