/**
 * The life of the process as its operator sees it: exit codes with one sentence each, an orderly end,
 * and commands that can be run again.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EXCHANGES, exchangeKey } from '#schemas/exchange';
import { StateStore } from '#src/state/store';
import { readSegments } from '#tests/support/process/bronze-reading';
import {
  Bullion,
  type Finished,
  pause,
  runFile,
  until,
} from '#tests/support/process/bullion-process';
import { checkDirectory } from '#tests/support/process/directory-check';
import { startWorld, type World } from '#tests/support/process/simulated-world';
import { temporaryDirectory } from '#tests/support/temporary-directory';

/** One sentence on standard error and nothing else, whatever log lines came before it. */
function sentence({ code, stderr }: Pick<Finished, 'code' | 'stderr'>, expected: number): string {
  const lines = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
  assert.equal(code, expected, stderr);
  assert.equal(lines.length, 1, stderr);
  assert.match(lines[0] as string, /^bullion: /);
  return lines[0] as string;
}

/** Per exchange: frames in bronze, and the first one the last epoch does not cover. */
async function covered({ dataDir }: World): Promise<{ frames: number[]; positions: number[] }> {
  const store = await StateStore.open(join(dataDir, 'state'), { readOnly: true });
  const { progress } = store.epoch();
  await store.close();
  const dirs = EXCHANGES.map((exchange) => join(dataDir, 'bronze', exchangeKey(exchange)));
  return {
    frames: dirs.map((dir) => readSegments(dir).reduce((sum, s) => sum + s.frames.length, 0)),
    positions: EXCHANGES.map(
      (exchange) => progress.find((p) => p.exchange === exchange)?.nextSequence ?? 0,
    ),
  };
}

test('what a person got wrong ends at once, with one sentence and its code', async (t) => {
  const cwd = temporaryDirectory(t);
  const dataDir = join(cwd, 'data');
  const env = { BULLION_DATA_DIR: dataDir, BULLION_HTTP_PORT: '0' };
  writeFileSync(join(cwd, 'wrong.yaml'), 'epochs:\n  intervall_ms: 1000\n');
  const run = (file: 'cli.js' | 'supervisor.js', ...args: string[]) =>
    runFile(file, args, { cwd, env });
  const [key, variable, option, command, input, nothing] = await Promise.all([
    run('supervisor.js', '--config', 'wrong.yaml'),
    runFile('supervisor.js', [], { cwd, env: { ...env, BULLION_EPOCH_INTERVAL_MS: '5' } }),
    run('supervisor.js', '--nonsense'),
    run('cli.js', 'frobnicate'),
    run('cli.js', 'import', '--exchange', 'binance', '--format', 'frames', 'missing.ndjson'),
    run('cli.js', 'gaps'),
  ]);
  assert.match(sentence(key, 78), /wrong\.yaml.*intervall_ms/);
  assert.match(sentence(variable, 78), /BULLION_EPOCH_INTERVAL_MS/);
  assert.match(sentence(option, 64), /--nonsense/);
  assert.match(sentence(command, 64), /frobnicate is not a command/);
  assert.match(sentence(input, 66), /missing\.ndjson/);
  assert.match(sentence(nothing, 66), /holds no Bullion data/);
  assert.ok(!existsSync(dataDir), 'a refused start leaves no directory behind');

  const layout = await run('supervisor.js', '--print-layout');
  assert.equal(layout.code, 0);
  for (const actor of ['supervisor', 'ingest-binance', 'validation-0', 'gold-0', 'candles']) {
    assert.match(layout.stdout, new RegExp(`^core \\d+: .*\\b${actor}\\b`, 'm'));
  }
  assert.ok(!existsSync(dataDir), 'a look at the layout makes nothing');

  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
  t.after(() => squatter.close());
  const { port } = squatter.address() as { port: number };
  const nowhere = Object.fromEntries(
    EXCHANGES.flatMap((exchange) => [
      [`BULLION_EXCHANGES_${exchange}_WS_URL`, 'ws://127.0.0.1:9'],
      [`BULLION_EXCHANGES_${exchange}_REST_URL`, 'http://127.0.0.1:9'],
    ]),
  );
  const taken = await runFile('supervisor.js', [], {
    cwd,
    env: { ...env, ...nowhere, BULLION_HTTP_PORT: String(port) },
  });
  assert.match(sentence(taken, 78), new RegExp(`${port}`));
});

test('a state that cannot be made for want of room ends the start with one sentence', (t) => {
  const cwd = temporaryDirectory(t);
  const program = fileURLToPath(new URL('../../supervisor.js', import.meta.url));
  // No file may be longer than 8 KiB, LMDB's lock file and first two pages: it would end with SIGSEGV.
  const script = `trap '' XFSZ; ulimit -f 8; exec "$0" "$@"`;
  const { status, signal, stderr } = spawnSync(
    'bash',
    ['--norc', '-c', script, process.execPath, program],
    {
      cwd,
      env: { BULLION_DATA_DIR: join(cwd, 'data'), BULLION_HTTP_PORT: '0' },
      encoding: 'utf8',
      timeout: 30_000,
      killSignal: 'SIGKILL',
    },
  );
  assert.equal(signal, null, stderr);
  assert.match(
    sentence({ code: status, stderr }, 74),
    /state.* cannot be opened \(EFBIG.*check the disk, its free space/,
  );
});

test('start, a second start, the orderly end, and an end in the middle of an epoch', async (t) => {
  const world = await startWorld(t, { seed: 11, ratePerSecond: 200 });
  const first = Bullion.start(t, world);
  await first.url();
  const second = await runFile('supervisor.js', [], world);
  assert.match(sentence(second, 75), /data/);
  t.diagnostic(`a second start ended after ${Math.round(second.ms)} ms`);
  const beside = await runFile('cli.js', ['gaps', '--json'], world);
  assert.equal(beside.code, 0, 'a command that only looks runs beside the server');
  const importing = ['import', '--exchange', 'kraken', '--format', 'frames', 'x.ndjson'];
  writeFileSync(join(world.cwd, 'x.ndjson'), '{"channel":"heartbeat"}\n');
  sentence(await runFile('cli.js', importing, world), 75);

  await first.said('epoch committed');
  const orderly = await first.end('SIGTERM');
  assert.deepEqual([orderly.code, orderly.signal], [0, null], first.text);
  assert.ok(orderly.ms < 10_000, `SIGTERM took ${orderly.ms} ms`);
  const after = await covered(world);
  assert.deepEqual(after.positions, after.frames, 'the last epoch covers everything received');
  assert.ok(Math.min(...after.frames) > 0);

  // Epochs without a pause, so that the signal meets one wherever it stands.
  const env = { ...world.env, BULLION_EPOCHS_INTERVAL_MS: '100' };
  const times = [Math.round(orderly.ms)];
  for (const delayMs of [0, 35, 70]) {
    const bullion = Bullion.start(t, { ...world, env });
    await bullion.said('epoch committed');
    await pause(delayMs);
    const { code, ms } = await bullion.end('SIGTERM');
    assert.equal(code, 0, bullion.text);
    assert.ok(!bullion.log.some(({ msg }) => msg.startsWith('stopped without')), bullion.text);
    const { frames, positions } = await covered(world);
    assert.deepEqual(positions, frames);
    times.push(Math.round(ms));
  }
  t.diagnostic(`SIGTERM to exit, ms: ${times.join(', ')}`);

  // SIGTERM before it is up, and a second one at once: an end like kill -9, and a start as after it.
  for (const delayMs of [250, 700]) {
    const early = Bullion.start(t, world);
    await pause(delayMs);
    const { code, signal } = await early.end('SIGTERM');
    assert.ok(code === 0 || signal === 'SIGTERM', `ended with ${code}\n${early.text}`);
  }
  const impatient = Bullion.start(t, world);
  await impatient.url();
  await pause(300);
  impatient.signal('SIGTERM');
  await impatient.said('stopping');
  const atOnce = await impatient.end('SIGTERM');
  assert.ok([0, 143].includes(atOnce.code ?? -1), `ended with ${atOnce.code}\n${impatient.text}`);
  assert.ok(atOnce.ms < 2_000, `the second SIGTERM took ${atOnce.ms} ms`);

  const last = Bullion.start(t, world);
  await last.url();
  world.simulator.pause();
  await until('every frame to be judged', async () =>
    (await last.health())?.exchanges.every(({ lag_frames }) => lag_frames === 0),
  );
  const end = await last.end('SIGTERM');
  assert.equal(end.code, 0, last.text);
  await checkDirectory(world);
});

/** Kraken trades with ids [from, to], one frame each. */
function krakenFrames(from: number, to: number, time: (id: number) => string): string {
  const frames: string[] = [];
  for (let id = from; id <= to; id++) {
    const trade = `"side":"buy","price":0.0931,"qty":${id}.00000001,"ord_type":"limit","trade_id":${id}`;
    frames.push(
      `{"channel":"trade","type":"update","data":[{"symbol":"DOGE/USD",${trade},"timestamp":"${time(id)}"}]}`,
    );
  }
  return `${frames.join('\n')}\n`;
}

test('an import twice adds only duplicates; dead letters are replayed once', async (t) => {
  const cwd = temporaryDirectory(t);
  const env = { BULLION_DATA_DIR: join(cwd, 'data') };
  const cli = async (args: readonly string[], more: Record<string, string> = {}) => {
    const done = await runFile('cli.js', [...args, '--json'], { cwd, env: { ...env, ...more } });
    assert.equal(done.code, 0, done.stderr);
    return done.stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  const soon = new Date(Date.now() + 600_000).toISOString();
  const text =
    krakenFrames(1, 50, (id) => `2026-07-07T10:00:${String(id).padStart(2, '0')}.000001Z`) +
    krakenFrames(51, 60, () => soon.replace('Z', '000Z'));
  writeFileSync(join(cwd, 'trades.ndjson'), text);
  const importing = ['import', '--exchange', 'kraken', '--format', 'frames', 'trades.ndjson'];

  const [once] = await cli(importing);
  assert.deepEqual(
    [once?.frames, once?.trades, once?.duplicates, once?.dead_letters],
    [60, 50, 0, 10],
  );
  const [twice] = await cli(importing);
  assert.deepEqual([twice?.frames, twice?.trades, twice?.duplicates], [60, 0, 50]);
  assert.equal(twice?.dead_letters, 10);

  const letters = await cli(['dlq', 'list', '--exchange', 'kraken']);
  assert.equal(letters.length, 20);
  assert.deepEqual(
    new Set(letters.map(({ error_reason }) => error_reason)),
    new Set(['timestamp_future']),
  );
  const shown = await runFile('cli.js', ['dlq', 'show', String(letters[0]?.offset)], { cwd, env });
  assert.equal(shown.code, 0, shown.stderr);
  assert.equal(shown.stdout, text.split('\n')[50]);

  const [strict] = await cli(['dlq', 'replay']);
  assert.deepEqual([strict?.replayed, strict?.trades], [0, 0]);
  const tolerant = { BULLION_VALIDATION_FUTURE_TOLERANCE_MS: '3600000' };
  const [replayed] = await cli(['dlq', 'replay'], tolerant);
  assert.deepEqual([replayed?.trades, replayed?.dead_letters], [10, 0]);
  const [again] = await cli(['dlq', 'replay'], tolerant);
  assert.deepEqual([again?.replayed, again?.trades, again?.duplicates], [0, 0, 0]);
  assert.equal((await cli(['trades'])).length, 60);
  assert.deepEqual(await cli(['gaps']), []);
});
