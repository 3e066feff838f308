/**
 * The whole process with its tables in a bucket, while trades come in: the store goes away for a while,
 * and loses answers; the process is killed with kill -9 and started again. In the end the bucket holds
 * what the exchanges sent, once, and nothing that is not named.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { GOLD_TRADES } from '#schemas/trade';
import { Random } from '#src/base/random';
import { StateStore } from '#src/state/store';
import { seeTableIn } from '#tests/iceberg/independent-reader';
import { Bullion, pause, runFile, until } from '#tests/support/process/bullion-process';
import { checkDirectory } from '#tests/support/process/directory-check';
import { startWorld } from '#tests/support/process/simulated-world';
import { BUCKET, type Fault, S3Server, SECRET_KEY } from '#tests/support/s3-server';

const PREFIX = 'live';
const OUTAGE_MS = 4_000;
/** One in ten requests comes to grief. */
const FAULTS: readonly Fault[] = ['refused', 'throttled', 'failed', 'cut'];

test('tables in a bucket, with outages, lost answers and kill -9', async (t) => {
  const server = new S3Server();
  await server.listen();
  t.after(() => server.close());
  const world = await startWorld(t, { seed: 21, ratePerSecond: 200 });
  const env = {
    ...world.env,
    ...server.environment(PREFIX),
    BULLION_EPOCHS_INTERVAL_MS: '1000',
    BULLION_MAINTENANCE_SNAPSHOTS_KEEP_MAX: '5',
  };
  const start = () => Bullion.start(t, { ...world, env });
  const epochs = (bullion: Bullion): number =>
    bullion.log.filter(({ msg }) => msg === 'epoch committed').length;
  const random = new Random(21);
  const flaky = (): Fault | undefined =>
    random.chance(0.1) ? FAULTS[random.below(FAULTS.length)] : undefined;
  server.fault = flaky;

  const first = start();
  await first.url();
  await until('some epochs', async () => epochs(first) > 3, 60_000);
  server.fault = () => 'throttled';
  await pause(OUTAGE_MS);
  const duringOutage = epochs(first);
  const health = await first.health();
  assert.deepEqual(health?.reasons, [], 'an outage of the store is no outage of the process');
  server.fault = flaky;
  await until('epochs after the outage', async () => epochs(first) > duringOutage + 2, 60_000);
  const { signal } = await first.end('SIGKILL');
  assert.equal(signal, 'SIGKILL', first.text);

  const second = start();
  await second.url();
  await until('epochs after the kill', async () => epochs(second) > 2, 60_000);
  world.simulator.pause();
  const { code } = await second.end('SIGTERM');
  assert.equal(code, 0, second.text);
  assert.ok(!second.text.includes(SECRET_KEY));

  const store = await StateStore.open(join(world.dataDir, 'state'), { readOnly: true });
  const read = (path: string) => server.objects.get(`${PREFIX}/${path}`);
  const seen = await seeTableIn({ uri: `s3://${BUCKET}/${PREFIX}`, read }, GOLD_TRADES);
  const live = Array.from(store.files(GOLD_TRADES), ({ path }) => path);
  assert.deepEqual([...seen.files.keys()].sort(), live.sort());
  const named = [...store.allLivePaths(), ...store.removedFiles().map(({ path }) => path)];
  await store.close();
  const data = [...server.objects.keys()].filter((key) => key.endsWith('.parquet'));
  assert.deepEqual(data.sort(), named.map((path) => `${PREFIX}/${path}`).sort());
  // The data files brought home into the directory, which makes its tables of them at its next start:
  // what any directory is checked by is true of this one.
  for (const key of data) {
    const path = join(world.dataDir, 'lake', key.slice(PREFIX.length + 1));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, server.objects.get(key) as Buffer);
  }
  const home = await runFile('cli.js', ['jobs', 'run', 'manifests'], world);
  assert.equal(home.code, 0, home.stderr);
  const checked = await checkDirectory(world);
  t.diagnostic(`${server.requests.length} requests; ${JSON.stringify(checked)}`);
  assert.ok(checked.gold > 500, `only ${checked.gold} trades in gold`);
});
