/** Full disks, failing disks and power losses: what was called durable is there afterwards. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EXIT, errorCode, UserError } from '#src/base/errors';
import type { LogWriter } from '#src/log/log-writer';
import { segmentPath } from '#src/log/segment-files';
import {
  appendFrame,
  asRead,
  DIR,
  frameOf,
  openWriter,
  randomFrom,
  readLog,
} from '#tests/support/log-fixtures';
import { MemoryDisk } from '#tests/support/memory-disk';

function isFull(error: unknown): boolean {
  return (
    error instanceof UserError && error.exitCode === EXIT.io && errorCode(error.cause) === 'ENOSPC'
  );
}

const frames = Array.from({ length: 60 }, (_, i) => frameOf(i, 40));

/** Everything read is a frame that was appended, at its own sequence. */
function assertTrue(disk: MemoryDisk): number {
  const read = readLog(disk);
  const expected = asRead(frames);
  for (const frame of read.frames) assert.deepEqual(frame, expected[frame.sequence]);
  for (const [i, frame] of read.frames.entries()) assert.equal(frame.sequence, i);
  return read.frames.length;
}

test('short writes are continued until everything is written', async () => {
  const disk = new MemoryDisk();
  disk.fault = (operation, count) =>
    operation === 'write' ? { shortBytes: 1 + (count % 7) } : undefined;
  const writer = openWriter(disk, { segmentBytesMax: 700 });
  for (const frame of frames) appendFrame(writer, frame);
  await writer.close();
  assert.deepEqual(readLog(disk).frames, asRead(frames));
});

test('a full disk refuses frames, loses none it took, and goes on when there is space', async () => {
  for (let capacityBytes = 0; capacityBytes < 1_600; capacityBytes += 13) {
    const disk = new MemoryDisk();
    disk.mkdir(DIR);
    disk.capacityBytes = capacityBytes;
    const writer = openWriter(disk, { segmentBytesMax: 500 });
    let refused = 0;
    for (const frame of frames.slice(0, 20)) {
      appendFrame(writer, frame);
      try {
        writer.flush();
        await writer.sync();
      } catch (error) {
        assert.ok(isFull(error), String(error));
        refused++;
      }
    }
    assert.equal(writer.poisoned, undefined);
    assert.ok(refused > 0);
    // A power loss now: everything called durable is there.
    const after = disk.crash(randomFrom(capacityBytes));
    assert.ok(assertTrue(after) >= writer.durableThrough);

    disk.capacityBytes = Number.POSITIVE_INFINITY;
    for (const frame of frames.slice(20)) appendFrame(writer, frame);
    await writer.close();
    assert.deepEqual(readLog(disk).frames, asRead(frames));
    assert.deepEqual(readLog(disk).gaps, []);
  }
});

test('append refuses a frame while its block cannot be written, and takes it later', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk);
  const large = frameOf(0, 60_000);
  appendFrame(writer, large);
  disk.capacityBytes = 1_000;
  for (let attempt = 0; attempt < 3; attempt++) {
    assert.throws(() => appendFrame(writer, large), isFull);
    assert.equal(writer.nextSequence, 1);
    assert.equal(writer.writtenThrough, 0);
  }
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  assert.equal(appendFrame(writer, large), 1);
  await writer.close();
  assert.deepEqual(readLog(disk).frames, asRead([large, large]));
});

test('sync promises only what was written before it was called', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk);
  let release = (): void => {};
  disk.gate = new Promise((resolve) => {
    release = resolve;
  });
  appendFrame(writer, frames[0] as never);
  writer.flush();
  const first = writer.sync();
  appendFrame(writer, frames[1] as never);
  writer.flush();
  const second = writer.sync();
  assert.equal(writer.sync(), second);
  assert.equal(writer.durableThrough, 0);
  release();
  await first;
  assert.equal(writer.durableThrough, 1);
  await second;
  assert.equal(writer.durableThrough, 2);
  appendFrame(writer, frames[2] as never);
  await writer.sync();
  assert.equal(writer.durableThrough, 2, 'a frame that was not flushed is not written');
  await writer.close();
});

test('a segment is not ended under a sync', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk, { segmentBytesMax: 300 });
  let release = (): void => {};
  disk.gate = new Promise((resolve) => {
    release = resolve;
  });
  appendFrame(writer, frames[0] as never);
  writer.flush();
  const syncing = writer.sync();
  for (const frame of frames.slice(1, 30)) {
    appendFrame(writer, frame);
    writer.flush();
  }
  assert.deepEqual(disk.readdir(DIR), ['00000000000000000000.log']);
  release();
  await syncing;
  for (const frame of frames.slice(30)) {
    appendFrame(writer, frame);
    writer.flush();
  }
  await writer.close();
  assert.ok(disk.readdir(DIR).length > 3);
  assert.deepEqual(readLog(disk).frames, asRead(frames));
});

test('a failed fsync poisons the writer for good', async () => {
  for (const failing of ['datasync', 'fsync'] as const) {
    const disk = new MemoryDisk();
    const writer = openWriter(disk, { segmentBytesMax: 400 });
    disk.fault = (operation, _, path) =>
      operation === failing && path.endsWith('.log') ? { code: 'EIO' } : undefined;
    const isPoison = (error: unknown): boolean =>
      error instanceof UserError && error.exitCode === EXIT.io && error.message.includes('fsync');
    const work = async (): Promise<void> => {
      for (const frame of frames) {
        appendFrame(writer, frame);
        writer.flush();
        if (failing === 'datasync') await writer.sync();
      }
    };
    await assert.rejects(work(), isPoison);
    disk.fault = () => undefined;
    const durable = writer.durableThrough;
    assert.equal(durable, 0);
    assert.ok(isPoison(writer.poisoned));
    assert.throws(() => appendFrame(writer, frames[0] as never), isPoison);
    assert.throws(() => writer.flush(), isPoison);
    await assert.rejects(writer.sync(), isPoison);
    assert.equal(writer.durableThrough, durable);
    await writer.close();
    assert.equal(disk.openFiles, 0);
  }
});

test('after a failed fsync the next writer makes the same bytes durable in truth', async () => {
  for (let seed = 0; seed < 100; seed++) {
    const disk = new MemoryDisk();
    const writer = openWriter(disk);
    for (const frame of frames.slice(0, 10)) appendFrame(writer, frame);
    writer.flush();
    disk.fault = (operation) => (operation === 'datasync' ? { code: 'EIO' } : undefined);
    await assert.rejects(writer.sync());
    disk.fault = () => undefined;
    await writer.close();

    const next = openWriter(disk);
    assert.equal(next.recovery.rewritten, true);
    assert.equal(next.durableThrough, 10);
    for (const frame of frames.slice(10, 20)) appendFrame(next, frame);
    next.flush();
    await next.sync();
    const after = disk.crash(randomFrom(seed));
    assert.equal(assertTrue(after), 20);
    const third = openWriter(after);
    assert.equal(third.recovery.rewritten, false);
    await third.close();
    await next.close();
  }
});

test('an fsync that fails while opening is not trusted the second time either', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk);
  for (const frame of frames.slice(0, 10)) appendFrame(writer, frame);
  writer.flush(); // and the process is killed here
  disk.fault = (operation, _, path) =>
    operation === 'fsync' && path.endsWith('.log') ? { code: 'EIO' } : undefined;
  assert.throws(() => openWriter(disk), UserError);
  disk.fault = () => undefined;
  const next = openWriter(disk);
  assert.equal(next.recovery.rewritten, true);
  assert.equal(next.durableThrough, 10);
  assert.equal(assertTrue(disk.crash(() => 0)), 10);
});

test('files whose writing was cut short are removed when the log is opened', () => {
  const disk = new MemoryDisk();
  disk.mkdir(DIR);
  disk.place(`${segmentPath(DIR, 0)}.tmp`, Buffer.from('half'));
  openWriter(disk);
  assert.deepEqual(disk.readdir(DIR), []);
});

/** Appends, flushes and syncs until the frames are through or the disk breaks. */
async function workUntilBroken(writer: LogWriter, from: number): Promise<void> {
  for (let i = from; i < frames.length; i++) {
    appendFrame(writer, frames[i] as never);
    if (i % 2 === 0) writer.flush();
    if (i % 5 === 0) await writer.sync();
  }
  await writer.close();
}

test('a power loss after any operation keeps everything that was called durable', async () => {
  const whole = new MemoryDisk();
  await workUntilBroken(openWriter(whole, { segmentBytesMax: 900 }), 0);
  const operations = whole.operations;
  assert.ok(operations > 100);
  for (let stop = 0; stop < operations; stop++) {
    for (let draw = 0; draw < 4; draw++) {
      const disk = new MemoryDisk();
      disk.fault = (_, count) => (count >= stop ? { code: 'EIO' } : undefined);
      let writer: LogWriter | undefined;
      try {
        writer = openWriter(disk, { segmentBytesMax: 900 });
        await workUntilBroken(writer, 0);
      } catch (error) {
        assert.ok(error instanceof UserError && error.exitCode === EXIT.io, String(error));
      }
      const durable = writer?.durableThrough ?? 0;
      const after = disk.crash(randomFrom(stop * 4 + draw));
      const next = openWriter(after, { segmentBytesMax: 900, durableNextSequence: durable });
      const recovered = next.nextSequence;
      assert.ok(recovered >= durable, `operation ${stop}: ${durable} durable, ${recovered} back`);
      assert.ok(
        next.recovery.damage.every((range) => range.firstSequence >= durable),
        `operation ${stop}: durable frames were damaged`,
      );
      const read = readLog(after);
      const held = new Set(read.frames.map((frame) => frame.sequence));
      for (let i = 0; i < durable; i++) assert.ok(held.has(i), `operation ${stop}: ${i} lost`);
      const expected = asRead(frames);
      for (const frame of read.frames) assert.deepEqual(frame, expected[frame.sequence]);
      await workUntilBroken(next, recovered);
      assert.equal(readLog(after).frames.at(-1)?.sequence, frames.length - 1);
    }
  }
});

test('any operation failing once, short or full: durable frames stay, in this life or the next', async () => {
  const whole = new MemoryDisk();
  await workUntilBroken(openWriter(whole, { segmentBytesMax: 900 }), 0);
  await fc.assert(
    fc.asyncProperty(
      fc.nat(whole.operations + 20), // beyond the work: in the recovery after it
      fc.constantFrom('EIO', 'ENOSPC', 'EMFILE'),
      fc.nat(),
      async (at, code, seed) => {
        const disk = new MemoryDisk();
        disk.fault = (_, count) => (count === at ? { code } : undefined);
        let writer: LogWriter | undefined;
        try {
          writer = openWriter(disk, { segmentBytesMax: 900 });
          await workUntilBroken(writer, 0);
        } catch (error) {
          assert.ok(error instanceof UserError, String(error));
        }
        await writer?.close().catch(() => {});
        const durable = writer?.durableThrough ?? 0;
        // The process ends; the next one starts on the same disk, works, and loses power.
        let next: LogWriter;
        try {
          next = openWriter(disk, { segmentBytesMax: 900 });
        } catch (error) {
          assert.ok(error instanceof UserError, String(error));
          next = openWriter(disk, { segmentBytesMax: 900 });
        }
        disk.fault = () => undefined;
        assert.ok(next.nextSequence >= durable);
        assert.deepEqual(next.recovery.damage, []);
        await workUntilBroken(next, next.nextSequence);
        assert.equal(disk.openFiles, 0);
        const after = disk.crash(randomFrom(seed));
        assert.equal(assertTrue(after), frames.length);
      },
    ),
    { numRuns: 300 },
  );
});

test('a segment that cannot be read says where', () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk);
  appendFrame(writer, frames[0] as never);
  writer.flush();
  disk.fault = (operation) => (operation === 'read' ? { code: 'EIO' } : undefined);
  assert.throws(
    () => readLog(disk),
    (error) => error instanceof UserError && error.message.includes(segmentPath(DIR, 0)),
  );
});
