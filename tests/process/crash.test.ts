/**
 * kill -9, ten times, at random moments of a running Bullion whose exchanges misbehave: after the
 * last restart the tables equal the exchanges' journal. Nothing twice, nothing lost that was durable.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { EXCHANGES, type ExchangeKey, exchangeKey } from '#schemas/exchange';
import { Random } from '#src/base/random';
import { readSegments } from '#tests/support/process/bronze-reading';
import { Bullion, pause, runFile, until } from '#tests/support/process/bullion-process';
import { checkDirectory, idsToFetch } from '#tests/support/process/directory-check';
import { startWorld, type World } from '#tests/support/process/simulated-world';

const KILLS = 10;
const TRADES_PER_SECOND = 300;
/** Of market time: about ten lives with their starts, and a quiet end. */
const SECONDS = 30;
const FILL_MS_MAX = 40_000;
const POLL_MS = 60;

/** Frames durable, by exchange, as the running process says. */
type Durable = Record<ExchangeKey, number>;

async function durableNow(bullion: Bullion): Promise<Durable | undefined> {
  const health = await bullion.health();
  if (health === undefined) return undefined;
  const frames = (key: ExchangeKey): number =>
    health.actors.find(({ actor }) => actor === `ingest-${key}`)?.counters.durable_frames ?? 0;
  return { binance: frames('binance'), kraken: frames('kraken'), coinbase: frames('coinbase') };
}

/** Whole blocks of every segment on the disk, by path. */
function bronzeNow({ dataDir }: World): Map<string, { bytes: Buffer; frames: number }> {
  const found = new Map<string, { bytes: Buffer; frames: number }>();
  for (const exchange of EXCHANGES) {
    const dir = join(dataDir, 'bronze', exchangeKey(exchange));
    if (!existsSync(dir)) continue;
    for (const { name, bytes, frames } of readSegments(dir)) {
      found.set(`${exchangeKey(exchange)}/${name}`, { bytes, frames: frames.length });
    }
  }
  return found;
}

test('ten times kill -9: after restart the tables equal the journal', async (t) => {
  const seed = Number(process.env.CRASH_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed} (CRASH_SEED=${seed} draws the same faults and moments again)`);
  const random = new Random(seed);
  const world = await startWorld(t, {
    seed,
    ratePerSecond: TRADES_PER_SECOND,
    finishAfterTrades: TRADES_PER_SECOND * SECONDS,
  });

  let before = bronzeNow(world);
  const startsMs: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const bullion = Bullion.start(t, world);
    // Every other life is cut from its first instruction on, the others once they are up.
    const isFromStart = kill % 2 === 1;
    if (!isFromStart) {
      await bullion.url();
      startsMs.push(performance.now() - bullion.startedMs);
    }
    const killAtMs =
      performance.now() + random.between(isFromStart ? 50 : 100, isFromStart ? 2_000 : 4_500);
    let durable: Durable | undefined;
    while (performance.now() + POLL_MS < killAtMs) {
      durable = (await durableNow(bullion)) ?? durable;
      await pause(POLL_MS);
    }
    await pause(killAtMs - performance.now());
    const { signal } = await bullion.end('SIGKILL');
    assert.equal(signal, 'SIGKILL', `it ended by itself:\n${bullion.text}`);

    // A killed process leaves its writes behind: what was whole before is still there, byte by byte.
    const now = bronzeNow(world);
    for (const [path, { bytes }] of before) {
      const there = now.get(path)?.bytes.subarray(0, bytes.length);
      assert.ok(
        there?.equals(bytes),
        `${path} lost bytes that had been written before kill ${kill}`,
      );
    }
    before = now;
    for (const [key, frames] of Object.entries(durable ?? {})) {
      const found = [...now].filter(([path]) => path.startsWith(`${key}/`));
      const total = found.reduce((sum, [, segment]) => sum + segment.frames, 0);
      assert.ok(total >= frames, `${key}: ${frames} frames were durable, ${total} are there`);
    }
    const said = bullion.log.filter(({ msg }) => msg === 'epoch committed').length;
    t.diagnostic(`kill ${kill}: durable ${JSON.stringify(durable)}, ${said} epochs`);
  }

  // One life is enough, however short the others were: its first epoch judges what they left in the
  // log, and the gaps that come to light then are fetched.
  const bullion = Bullion.start(t, world);
  await bullion.url();
  startsMs.push(performance.now() - bullion.startedMs);
  await world.simulator.finished;
  // What it was down for comes back over REST, at the pace each exchange allows.
  const isFilled = await until(
    'the ledger to name nothing but what the exchanges lost',
    async () => (await idsToFetch(world)).length === 0,
    FILL_MS_MAX,
    1_000,
  ).catch(() => false);
  const { code, ms } = await bullion.end('SIGTERM');
  assert.equal(code, 0, bullion.text);
  assert.ok(ms < 10_000, `SIGTERM took ${ms} ms`);

  for (const [path, { bytes }] of before) {
    assert.ok(bronzeNow(world).get(path)?.bytes.subarray(0, bytes.length).equals(bytes), path);
  }
  const checked = await checkDirectory(world);
  t.diagnostic(JSON.stringify(checked));
  t.diagnostic(
    `start to ready ${startsMs.map(Math.round).join(', ')} ms; SIGTERM ${Math.round(ms)} ms`,
  );
  const open = await idsToFetch(world);
  assert.ok(isFilled && open.length === 0, `never fetched: ${open.slice(0, 20).join(', ')}`);

  const rebuilt = await runFile('cli.js', ['rebuild', '--json'], world);
  assert.equal(rebuilt.code, 0, rebuilt.stderr + rebuilt.stdout);
});
