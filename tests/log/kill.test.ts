/** kill -9 of a real process that appends: everything it called durable is there, and more. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { nodeDisk } from '#src/base/node-disk';
import { inTemporaryDirectory, openWriter, readLog, START_US } from '#tests/support/log-fixtures';

/** Appends until killed; prints the durable sequence after every sync. */
const VICTIM = `
  const [, dir, writerUrl, headUrl, diskUrl] = process.argv;
  const [{ LogWriter }, { LogHead }, { nodeDisk }] =
    await Promise.all([writerUrl, headUrl, diskUrl].map((url) => import(url)));
  const head = new LogHead(new SharedArrayBuffer(LogHead.byteSize), 0);
  const writer = LogWriter.open({
    disk: nodeDisk(), dir, exchange: 'BINANCE', head, segmentBytesMax: 200_000,
  });
  for (let i = writer.nextSequence; ; i++) {
    writer.append(Buffer.from('frame ' + i), 0, 0, ${START_US} + i);
    if (i % 13 === 0) writer.flush();
    if (i % 200 !== 0) continue;
    await writer.sync();
    process.stdout.write(writer.durableThrough + '\\n');
    await new Promise(setImmediate);
  }`;

test('kill -9 while appending, eight times on the same log', async () => {
  await inTemporaryDirectory(async (temporary) => {
    const dir = `${temporary}/bronze`;
    const disk = nodeDisk();
    const urls = ['log/log-writer', 'log/log-head', 'base/node-disk'].map((path) =>
      import.meta.resolve(`#src/${path}`),
    );
    let before = 0;
    for (let life = 0; life < 8; life++) {
      const args = ['--input-type=module', '-e', VICTIM, dir, ...urls];
      const victim = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      let printed = '';
      victim.stdout.on('data', (chunk) => {
        printed += chunk;
        // At least some work is acknowledged in each life; when it ends is left to chance.
        if (printed.length > 20 + 400 * life) victim.kill('SIGKILL');
      });
      const [, signal] = await once(victim, 'close');
      assert.equal(signal, 'SIGKILL');
      const durable = Number(printed.slice(0, printed.lastIndexOf('\n')).split('\n').at(-1));
      assert.ok(durable > before, `life ${life}: durable ${durable}, before ${before}`);

      const { frames, gaps } = readLog(disk, 0, dir);
      assert.deepEqual(gaps, []);
      assert.ok(
        frames.length >= durable,
        `life ${life}: ${durable} durable, ${frames.length} read`,
      );
      for (const [i, frame] of frames.entries()) {
        assert.equal(frame.sequence, i);
        assert.equal(frame.bytes.toString(), `frame ${i}`);
      }
      const writer = openWriter(disk, { dir });
      assert.equal(writer.nextSequence, frames.length);
      assert.deepEqual(writer.recovery.damage, []);
      await writer.close();
      before = frames.length;
    }
  });
});
