/**
 * kill -9 of the whole process at every named step of a compaction, while trades come in: the tables
 * open every time, the next start finishes or undoes what was under way, and in the end gold is what
 * the exchanges sent, once.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { GOLD_TRADES } from '#schemas/trade';
import { systemClock } from '#src/base/clock';
import { nodeDisk } from '#src/base/node-disk';
import { COMMIT_STEPS } from '#src/iceberg/commit-steps';
import { UPKEEP_STEPS } from '#src/maintenance/upkeep-steps';
import { StateStore } from '#src/state/store';
import { seeTable } from '#tests/iceberg/independent-reader';
import { assertLakeInLine } from '#tests/iceberg/lake-check';
import { Bullion, type Exit, pause, until } from '#tests/support/process/bullion-process';
import { checkDirectory } from '#tests/support/process/directory-check';
import { startWorld } from '#tests/support/process/simulated-world';

const KILLED_AT_STEP = new URL('./killed-at-step.js', import.meta.url).href;
/** What an orderly end says that leaves something to the next start. */
const CUT_SHORT = /cut short|without a last epoch/;
const DAY_US = 86_400_000_000;
const KILL_MS_MAX = 120_000;
const [STAGED, COMMITTED, PUBLISHED, DELETED] = UPKEEP_STEPS;
const POINTS = [
  STAGED,
  COMMITTED,
  // Of gold, in the epoch that takes the compaction along.
  ...COMMIT_STEPS.map((step) => `${COMMITTED},${step} of ${GOLD_TRADES}`),
  PUBLISHED,
  DELETED,
];

/** On a busy machine an end may be cut short; what it leaves is the next start's to put right. */
async function endInOrder(
  bullion: Bullion,
  again: () => Promise<Bullion>,
  tries = 3,
): Promise<void> {
  await bullion.judged();
  const { code } = await bullion.end('SIGTERM');
  assert.equal(code, 0, bullion.text);
  if (!CUT_SHORT.test(bullion.text)) return;
  assert.ok(tries > 1, `no orderly end in time:\n${bullion.text}`);
  await endInOrder(await again(), again, tries - 1);
}

test('kill -9 at every named step of a compaction', async (t) => {
  const world = await startWorld(t, { seed: 12, ratePerSecond: 150 });
  const stateDir = join(world.dataDir, 'state');
  const lake = join(world.dataDir, 'lake');
  const nowUs = systemClock().nowUs();
  // Compaction is due at every start: a run that is cut short is not remembered. One that comes before
  // there is anything to do is, and the next comes a minute later.
  const store = await StateStore.open(stateDir, { createdUs: nowUs - DAY_US });
  await store.close();
  const env = {
    ...world.env,
    BULLION_EPOCHS_INTERVAL_MS: '500',
    // Every restart fetches trades again: their duplicates need not be a file per 64.
    BULLION_BATCHES_CHUNK_ROWS: '16384',
    BULLION_MAINTENANCE_CHECK_INTERVAL_MS: '4000',
    BULLION_MAINTENANCE_EVERY_MINUTES_COMPACTION: '1',
    BULLION_MAINTENANCE_COMPACTION_FILES_MAX: '2',
    BULLION_MAINTENANCE_EVERY_MINUTES_RETENTION: '0',
    BULLION_MAINTENANCE_EVERY_MINUTES_SNAPSHOTS: '0',
    BULLION_MAINTENANCE_EVERY_MINUTES_MANIFESTS: '0',
    BULLION_MAINTENANCE_EVERY_MINUTES_ORPHANS: '0',
    BULLION_MAINTENANCE_EVERY_MINUTES_AUDIT: '0',
    // What is replaced is deleted at once.
    BULLION_MAINTENANCE_SNAPSHOTS_KEEP_MAX: '1',
    BULLION_MAINTENANCE_SNAPSHOTS_AGE_HOURS: '0',
  };
  for (const point of POINTS) {
    const nodeArgs = ['--import', KILLED_AT_STEP];
    const bullion = Bullion.start(t, { ...world, nodeArgs, env: { ...env, KILL_AT: point } });
    let exit: Exit | undefined;
    void bullion.exited.then((how) => {
      exit = how;
    });
    const { signal } = await until(`death at ${point}`, () => exit, KILL_MS_MAX);
    assert.equal(signal, 'SIGKILL', `${point}: it ended by itself:\n${bullion.text}`);
    // Whoever reads now finds a whole table.
    const { files } = await seeTable(nodeDisk(), lake, GOLD_TRADES);
    for (const { path, bytes } of files.values()) {
      assert.equal(nodeDisk().stat(join(lake, path))?.bytes, bytes, `${point}: ${path}`);
    }
  }
  const bullion = Bullion.start(t, { ...world, env });
  await bullion.url();
  const compacted = (): boolean =>
    bullion.log.some(({ msg }) => msg === 'maintenance: compaction done');
  await until('a compaction to come to its end', async () => compacted(), 30_000);
  world.simulator.pause();
  await pause(100);
  await endInOrder(bullion, async () => {
    const next = Bullion.start(t, { ...world, env });
    await next.url();
    return next;
  });
  const after = await StateStore.open(stateDir, { readOnly: true });
  try {
    await assertLakeInLine(lake, after);
  } finally {
    await after.close();
  }
  const checked = await checkDirectory(world);
  t.diagnostic(JSON.stringify(checked));
  assert.ok(checked.gold > 500, `only ${checked.gold} trades in gold`);
});
