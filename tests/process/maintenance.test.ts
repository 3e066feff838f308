/**
 * Maintenance in a whole tree while trades come in: every job runs on schedule beside the pipeline,
 * another process sees the history, and the directory at the end is what the exchanges sent.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '#src/base/clock';
import { nodeDisk } from '#src/base/node-disk';
import { JOBS } from '#src/maintenance/job-names';
import { type JobRun, NO_FIGURES } from '#src/state/job-run';
import { StateStore } from '#src/state/store';
import { seeTable } from '#tests/iceberg/independent-reader';
import { until } from '#tests/support/process/bullion-process';
import { checkDirectory } from '#tests/support/process/directory-check';
import { settled, startTree } from '#tests/support/process/running-tree';
import { startWorld } from '#tests/support/process/simulated-world';

const DAY_US = 86_400_000_000;

test('every job runs beside the pipeline, and compaction goes with an epoch', async (t) => {
  const world = await startWorld(t, { seed: 11, ratePerSecond: 200 });
  const stateDir = join(world.dataDir, 'state');
  const nowUs = systemClock().nowUs();
  // A directory that is a day old, so that every job is due; compaction when there are some files.
  const store = await StateStore.open(stateDir, { createdUs: nowUs - DAY_US });
  const startedUs = nowUs - 52_000_000;
  await store.recordJobRun({
    job: 'compaction',
    startedUs,
    tookMs: 1,
    outcome: 'idle',
    ...NO_FIGURES,
    detail: '',
  });
  await store.close();

  const running = await startTree(t, world, {
    BULLION_MAINTENANCE_CHECK_INTERVAL_MS: '300',
    BULLION_MAINTENANCE_EVERY_MINUTES_COMPACTION: '1',
    BULLION_MAINTENANCE_COMPACTION_FILES_MAX: '2',
  });
  await settled(running);
  const runsOf = async (job: string): Promise<JobRun[]> => {
    const reader = await StateStore.open(stateDir, { readOnly: true });
    try {
      return reader.jobRuns().filter((run) => run.job === job && run.startedUs > nowUs);
    } finally {
      await reader.close();
    }
  };
  for (const { name } of JOBS) {
    await until(`${name} to have run`, async () => (await runsOf(name)).length > 0, 40_000);
    const [run] = (await runsOf(name)) as [JobRun];
    t.diagnostic(
      `${name}: ${run.outcome} in ${run.tookMs} ms, ${run.filesIn} files -> ${run.filesOut}`,
    );
    assert.ok(run.outcome === 'done' || run.outcome === 'idle', `${name}: ${run.detail}`);
  }
  const [compaction] = (await runsOf('compaction')) as [JobRun];
  assert.equal(compaction.outcome, 'done');
  assert.equal(compaction.rowsIn, compaction.rowsOut);
  assert.ok(compaction.filesIn > compaction.filesOut);

  world.simulator.pause();
  await running.stop();
  assert.deepEqual(running.gaveUp, []);
  const lake = join(world.dataDir, 'lake');
  const { snapshots } = await seeTable(nodeDisk(), lake, 'gold_crypto_trades');
  // The compaction is a snapshot of its own beside the epoch's rows.
  assert.equal(snapshots.filter(({ operation }) => operation === 'replace').length, 1);
  assert.ok(snapshots.every(({ operation }) => ['append', 'replace'].includes(operation)));
  const checked = await checkDirectory(world);
  t.diagnostic(JSON.stringify(checked));
  assert.ok(checked.gold > 500, `only ${checked.gold} trades in gold`);
});
