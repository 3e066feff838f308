/** kill -9 at random moments: what was acknowledged is there, and every epoch is whole. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EXIT } from '#src/base/errors';
import { StateStore } from '#src/state/store';
import { CREATED_US, epochCommit, INSTRUMENTS, MINUTE_US } from '#tests/state/fixtures';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const VICTIM = fileURLToPath(new URL('./crash-victim.js', import.meta.url));
const CYCLES = 12;

/** Runs the victim, kills it `delayMs` after its first line; the last epoch it printed. */
async function runAndKill(directory: string, delayMs: number | 'at once'): Promise<number> {
  const child = spawn(process.execPath, [VICTIM, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  let timer: NodeJS.Timeout | undefined;
  if (delayMs === 'at once')
    timer = setTimeout(() => child.kill('SIGKILL'), 50 + 60 * Math.random());
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
    if (delayMs !== 'at once') timer ??= setTimeout(() => child.kill('SIGKILL'), delayMs);
  });
  const [[, signal]] = await Promise.all([once(child, 'exit'), once(child.stdout, 'end')]);
  clearTimeout(timer);
  assert.equal(signal, 'SIGKILL', 'the victim ends by the kill and by nothing else');
  return Number(printed.trimEnd().split('\n').at(-1));
}

async function checkStore(
  t: TestContext,
  directory: string,
  acknowledged: number,
): Promise<number> {
  const store = await StateStore.open(directory, { createdUs: CREATED_US });
  const { epoch, progress, gold } = store.epoch();
  t.diagnostic(`acknowledged ${acknowledged}, found ${epoch}`);
  assert.ok(epoch >= acknowledged, `epoch ${acknowledged} was acknowledged, ${epoch} is there`);
  // One commit may have reached the disk without its line reaching us.
  assert.ok(epoch <= acknowledged + 1 || acknowledged === 0);
  store.verify();
  if (epoch > 0) {
    const last = epochCommit(epoch);
    assert.deepEqual(progress, last.progress);
    assert.deepEqual(gold, last.gold);
    const intervals = Buffer.from(last.instruments[0]!.intervals);
    assert.deepEqual(store.intervals(INSTRUMENTS[0]!), intervals);
    const candles = [...store.candles(0, 0, 0, (epoch + 9) * MINUTE_US)];
    const counts = candles.map((c) =>
      Number(new DataView(c.buffer, c.byteOffset).getBigInt64(96, true)),
    );
    const expected = Array.from({ length: epoch + 1 }, (_, i) => Math.min(i + 1, epoch));
    assert.deepEqual(counts, expected);
    assert.equal([...store.pendingCandles()].length, 1);
    assert.equal([...store.files('gold_crypto_trades')].length, epoch);
    assert.equal(store.removedFiles().length, epoch - 1);
  }
  await store.close();
  return epoch;
}

test('no acknowledged epoch is lost at kill -9, no epoch is half there', async (t) => {
  const directory = join(temporaryDirectory(t), 'state');
  let acknowledged = 0;
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const delayMs = cycle < 2 ? 'at once' : Math.floor(Math.random() * 40);
    const printed = await runAndKill(directory, delayMs);
    acknowledged = Math.max(acknowledged, printed || 0);
    acknowledged = await checkStore(t, directory, acknowledged);
  }
  assert.ok(acknowledged > CYCLES, 'the victim made progress');
});

test('a full disk fails the commit with one sentence and keeps the last epoch', async (t) => {
  const directory = join(temporaryDirectory(t), 'state');
  await (await StateStore.open(directory, { createdUs: CREATED_US })).close();
  // 200 KiB is the largest file the victim may write: LMDB's writes fail with EFBIG after that.
  const script = `trap '' XFSZ; ulimit -f 200; exec "$0" "$@"`;
  const { status, signal, stdout, stderr } = spawnSync(
    'bash',
    ['-c', script, process.execPath, VICTIM, directory],
    { encoding: 'utf8', timeout: 20_000 },
  );
  assert.deepEqual([status, signal], [EXIT.io, null], stderr);
  assert.match(
    stderr,
    /could not be written \((File too large|Input\/output error)\); check the disk/,
  );
  await checkStore(t, directory, Number(stdout.trimEnd().split('\n').at(-1)));
});
