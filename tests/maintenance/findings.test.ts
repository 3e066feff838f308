/** What the runs of maintenance tell whoever looks at the health: as long as it may still be so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findingsOf } from '#src/maintenance/findings';
import type { JobOutcome, JobRun } from '#src/state/job-run';

let startedUs = 0;

function run(job: string, outcome: JobOutcome, detail = '', cursor?: string): JobRun {
  const none = { filesIn: 0, filesOut: 0, rowsIn: 0, rowsOut: 0, bytesIn: 0, bytesOut: 0 };
  const end = cursor === undefined ? {} : { cursor: `exchange_date=2026-11-23|${cursor}` };
  return { job, startedUs: startedUs++, tookMs: 1, outcome, detail, ...none, ...end };
}

test('nothing is found in runs that found nothing', () => {
  assert.deepEqual(findingsOf([]), []);
  assert.deepEqual(findingsOf([run('audit', 'done', '', 'a'), run('compaction', 'idle')]), []);
});

test('of a job the last run counts, one that was cut short tells nothing', () => {
  const failed = run('compaction', 'failed', 'a.parquet is damaged');
  const told = ['The job compaction failed: a.parquet is damaged.'];
  assert.deepEqual(findingsOf([failed]), told);
  assert.deepEqual(findingsOf([failed, run('compaction', 'abandoned')]), told);
  assert.deepEqual(findingsOf([failed, run('compaction', 'done')]), []);
});

test('what an audit found stays until it has looked at the same files again', () => {
  const bad = run('audit', 'failed', 'f.parquet is damaged', 'f');
  const told = ['The audit found: f.parquet is damaged.'];
  const done = (path: string): JobRun => run('audit', 'done', '', path);
  assert.deepEqual(findingsOf([bad]), told);
  assert.deepEqual(findingsOf([bad, done('k')]), told, 'other files');
  assert.deepEqual(findingsOf([bad, done('k'), done('p'), done('c')]), told, 'from the beginning');
  assert.deepEqual(findingsOf([bad, done('k'), done('p'), done('c'), done('h')]), []);
  assert.deepEqual(findingsOf([bad, done('f')]), [], 'all files in one run');
  const again = run('audit', 'failed', 'f.parquet is damaged', 'f');
  assert.deepEqual(findingsOf([bad, again]), told, 'and found again');
});

test('many findings are counted', () => {
  const detail = Array.from({ length: 8 }, (_, i) => `${i}.parquet is damaged`).join('; ');
  const told = findingsOf([run('audit', 'failed', detail, 'a')]);
  assert.equal(told.length, 6);
  assert.equal(told[5], 'Maintenance found 3 more; "bullion jobs" lists them.');
});
