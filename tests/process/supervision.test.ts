/**
 * Faults inside actors, in a whole tree with misbehaving exchanges: every kind of actor throws,
 * hangs and dies. The supervisor notices, restarts what it should and nothing else, and the tables
 * at the end are as if nothing had happened.
 */
import assert from 'node:assert/strict';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Random } from '#src/base/random';
import { until } from '#tests/support/process/bullion-process';
import { checkDirectory } from '#tests/support/process/directory-check';
import { EVERY_START, FAULTS } from '#tests/support/process/faulty-thread';
import { everyActorRuns, settled, startTree } from '#tests/support/process/running-tree';
import { FAULTS as EXCHANGE_FAULTS, startWorld } from '#tests/support/process/simulated-world';

const INGEST = ['ingest-binance', 'ingest-kraken', 'ingest-coinbase'];
const GROUP = ['validation-0', 'gold-0', 'candles'];
/** One actor of every role, and those that share the restart with it. */
const VICTIMS: readonly (readonly [victim: string, together: readonly string[]])[] = [
  ['ingest-kraken', ['ingest-kraken']],
  ['validation-0', GROUP],
  ['gold-0', GROUP],
  ['candles', GROUP],
  ['gateway', ['gateway']],
];
const EVERYBODY = [...INGEST, ...GROUP, 'gateway'];

/** Without cut connections: after a few in a row an exchange is left alone for half a minute. */
const STEADY_FAULTS = { ...EXCHANGE_FAULTS, disconnect: 0, abort: 0 };

/** One shard each: the crash test has two, and every thread less makes a restart shorter. */
const ONE_SHARD = { BULLION_LAYOUT_VALIDATION_SHARDS: '1', BULLION_LAYOUT_GOLD_SHARDS: '1' };

/** Short enough for a test, long enough for a thread on a busy machine. */
const HANG_LIMIT_MS = 1_500;

test('every kind of actor throws, hangs and dies: noticed, restarted alone or as one, nothing lost', async (t) => {
  const seed = Number(process.env.CRASH_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed}`);
  const random = new Random(seed);
  const world = await startWorld(t, { seed, ratePerSecond: 150, faults: STEADY_FAULTS });
  const running = await startTree(t, world, {
    ...ONE_SHARD,
    // An epoch is nearly always under way when the fault strikes.
    BULLION_EPOCHS_INTERVAL_MS: '100',
    BULLION_SUPERVISION_HANG_LIMIT_MS: String(HANG_LIMIT_MS),
    BULLION_SUPERVISION_RESTART_INTENSITY: '100',
  });
  await settled(running);

  const expected = new Map(EVERYBODY.map((actor) => [actor, 0]));
  const restartMs: Record<string, number[]> = {};
  for (const [victim, together] of VICTIMS) {
    for (const fault of FAULTS) {
      await new Promise((resolve) => setTimeout(resolve, random.between(0, 300)));
      const armedMs = performance.now();
      running.arm({ actor: victim, fault });
      for (const actor of together) expected.set(actor, (expected.get(actor) ?? 0) + 1);
      await until(
        `${victim} to be restarted after ${fault}`,
        async () => (await running.actor(victim)).restarts >= (expected.get(victim) as number),
      );
      await everyActorRuns(running);
      restartMs[fault] = [...(restartMs[fault] ?? []), Math.round(performance.now() - armedMs)];
      const { actors } = await running.tree.status();
      const restarts = new Map(actors.map((actor) => [actor.actor, actor.restarts]));
      assert.deepEqual(restarts, expected, `after ${victim} ${fault}`);
    }
  }
  await settled(running);
  assert.deepEqual(running.gaveUp, []);
  t.diagnostic(`from the fault to whole again, ms: ${JSON.stringify(restartMs)}`);

  world.simulator.pause();
  await running.stop();
  const checked = await checkDirectory(world);
  t.diagnostic(JSON.stringify(checked));
  assert.ok(checked.gold > 1_000, `only ${checked.gold} trades in gold`);
});

test('more restarts than the intensity allows: given up once, with one reason and code 70', async (t) => {
  t.after(() => delete process.env[EVERY_START]);
  const world = await startWorld(t, { seed: 7, faults: {} });
  for (const [victim, who] of [
    ['gold-0', 'the processing group'],
    ['ingest-binance', 'ingest-binance'],
  ] as const) {
    const running = await startTree(t, world, {
      ...ONE_SHARD,
      BULLION_SUPERVISION_RESTART_INTENSITY: '2',
    });
    await settled(running);
    process.env[EVERY_START] = `${victim} throw`;
    running.arm({ actor: victim, fault: 'throw' });
    await until('the tree to give up', () => running.gaveUp.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.deepEqual(
      running.gaveUp.map(({ exitCode }) => exitCode),
      [70],
    );
    const reason = running.gaveUp[0]?.reason ?? '';
    assert.match(reason, new RegExp(`^${who} failed more than 2 times in 30 s.*: an armed fault$`));
    assert.doesNotMatch(reason, /\n/);
    delete process.env[EVERY_START];
    await running.stop();
  }
});

test('a table that cannot be written ends the process with 74, and nothing is lost by it', async (t) => {
  const world = await startWorld(t, { seed: 8, ratePerSecond: 150, faults: STEADY_FAULTS });
  const lake = join(world.dataDir, 'lake');
  const failing = await startTree(t, world, ONE_SHARD);
  await settled(failing);
  renameSync(lake, `${lake}.away`);
  writeFileSync(lake, 'in the way');
  await until('the tree to give up', () => failing.gaveUp.length > 0);
  await failing.stop();
  assert.equal(failing.gaveUp.length, 1);
  assert.equal(failing.gaveUp[0]?.exitCode, 74);
  assert.match(failing.gaveUp[0]?.reason ?? '', /^Cannot write \d+ bytes to .*lake.*ENOTDIR/);

  rmSync(lake);
  renameSync(`${lake}.away`, lake);
  const mended = await startTree(t, world, ONE_SHARD);
  await settled(mended);
  world.simulator.pause();
  await mended.stop();
  await checkDirectory(world);
});
