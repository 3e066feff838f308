/** What was appended comes back; rolling, seals, retention and the refusal of foreign logs. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { AssertionError, EXIT, UserError } from '#src/base/errors';
import { nodeDisk } from '#src/base/node-disk';
import { describeLog } from '#src/log/describe';
import { FRAME_BYTES_MAX } from '#src/log/frame';
import { BLOCK, BLOCK_HEADER_BYTES, FRAME, SEGMENT_HEADER_BYTES } from '#src/log/layout';
import { dropSegmentsBelow } from '#src/log/retention';
import { readSeal, sealPath, segmentPath } from '#src/log/segment-files';
import {
  appendFrame,
  arbitraryFrame,
  asRead,
  DIR,
  frameOf,
  inTemporaryDirectory,
  openWriter,
  readLog,
  START_US,
} from '#tests/support/log-fixtures';
import { MemoryDisk } from '#tests/support/memory-disk';

test('any frames, flushed and reopened anywhere, in segments of any size: read back as appended', async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: arbitraryFrame },
    { weight: 2, arbitrary: fc.constant('flush' as const) },
    { weight: 1, arbitrary: fc.constant('sync' as const) },
    { weight: 1, arbitrary: fc.constant('reopen' as const) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60, size: 'max' }),
      fc.integer({ min: 1, max: 4_000 }),
      async (steps, segmentBytesMax) => {
        const disk = new MemoryDisk();
        let writer = openWriter(disk, { segmentBytesMax });
        const frames = [];
        for (const step of steps) {
          if (step === 'flush') writer.flush();
          else if (step === 'sync') await writer.sync();
          else if (step === 'reopen') {
            await writer.close();
            writer = openWriter(disk, { segmentBytesMax });
            assert.equal(writer.durableThrough, frames.length);
          } else {
            assert.equal(appendFrame(writer, step), frames.length);
            frames.push(step);
          }
        }
        await writer.close();
        assert.equal(writer.durableThrough, frames.length);
        assert.equal(disk.openFiles, 0);
        const read = readLog(disk);
        assert.deepEqual(read.frames, asRead(frames));
        assert.deepEqual(read.gaps, []);
        for (const segment of describeLog(disk, DIR, true).segments) {
          assert.deepEqual([segment.damage, segment.tailBytes], [[], 0]);
          assert.notEqual(segment.digestHolds, false);
        }
      },
    ),
    { numRuns: 150 },
  );
});

test('the machine`s disk gives back the same, largest frame included, readable by the user alone', async () => {
  await inTemporaryDirectory(async (temporary) => {
    const disk = nodeDisk();
    const dir = `${temporary}/bronze/binance`;
    const sizes = [0, 1, 170, 65_523, 65_524, 65_525, 200_000, FRAME_BYTES_MAX, 12];
    const frames = sizes.map((bytes, i) => frameOf(i, bytes));
    const writer = openWriter(disk, { dir });
    for (const frame of frames) appendFrame(writer, frame);
    assert.throws(() => writer.append(Buffer.alloc(FRAME_BYTES_MAX + 1), 0, 0, START_US));
    await writer.close();
    assert.deepEqual(readLog(disk, 0, dir).frames, asRead(frames));
    const { statSync } = await import('node:fs');
    assert.equal(statSync(dir).mode & 0o777, 0o700);
    assert.equal(statSync(segmentPath(dir, 0)).mode & 0o777, 0o600);
  });
});

test('a frame the log cannot hold is refused and leaves no trace', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk);
  const byte = Buffer.from('x');
  assert.throws(() => writer.append(byte, 256, 0, START_US), /kind 256/);
  assert.throws(() => writer.append(byte, 0, 65_536, START_US), /connection 65536/);
  assert.throws(() => writer.append(byte, 0, 0, Number.NaN), /receive time NaN/);
  assert.throws(() => writer.append(byte, 0, 0, START_US + 0.5), /receive time/);
  assert.equal(writer.append(byte, 0, 0, START_US), 0);
  await writer.close();
  assert.equal(readLog(disk).frames.length, 1);
  assert.throws(() => writer.append(byte, 0, 0, START_US), /closed/);
});

test('receive times never decrease, not even across restarts', async () => {
  const disk = new MemoryDisk();
  for (const timeUs of [START_US + 5, START_US, START_US + 9, 0]) {
    const writer = openWriter(disk);
    writer.append(Buffer.from('x'), 0, 0, timeUs);
    await writer.close();
  }
  const times = readLog(disk).frames.map((frame) => frame.receiveTimeUs - START_US);
  assert.deepEqual(times, [5, 5, 9, 9]);
});

test('frames further apart than a block can span', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk);
  const times = [0, 1, 0xffff_ffff, 0x1_0000_0001, 0x9_0000_0000].map((us) => START_US + us);
  for (const timeUs of times) writer.append(Buffer.from('x'), 0, 0, timeUs);
  await writer.close();
  assert.deepEqual(
    readLog(disk).frames.map((frame) => frame.receiveTimeUs),
    times,
  );
});

test('a segment ends before a block would take it above its size', async () => {
  const disk = new MemoryDisk();
  const segmentBytesMax = 1_000;
  const writer = openWriter(disk, { segmentBytesMax });
  for (let i = 0; i < 200; i++) {
    appendFrame(writer, frameOf(i, 50));
    if (i % 3 === 0) writer.flush();
  }
  await writer.close();
  const { segments } = describeLog(disk, DIR);
  assert.ok(segments.length > 10);
  for (const [i, segment] of segments.entries()) {
    assert.ok(segment.bytes <= segmentBytesMax);
    assert.equal(segment.sealed, i < segments.length - 1);
    assert.equal(segment.nextSequence, segments[i + 1]?.firstSequence ?? 200);
  }
});

test('a segment ends when its first frame is an hour old, by receive time, across restarts', async () => {
  const disk = new MemoryDisk();
  const minuteUs = 60_000_000;
  for (let minute = 0; minute < 150; minute++) {
    const writer = openWriter(disk);
    writer.append(Buffer.from('x'), 0, 0, START_US + minute * minuteUs);
    await writer.close();
  }
  const { segments } = describeLog(disk, DIR);
  assert.deepEqual(
    segments.map((segment) => segment.firstSequence),
    [0, 60, 120],
  );
  assert.equal(segments[1]?.minReceiveTimeUs, START_US + 60 * minuteUs);
  assert.equal(segments[1]?.maxReceiveTimeUs, START_US + 119 * minuteUs);
});

test('a seal says what is in the segment, and a changed segment is found out', async () => {
  const disk = new MemoryDisk();
  let writer = openWriter(disk, { segmentBytesMax: 2_000 });
  for (let i = 0; i < 100; i++) {
    appendFrame(writer, frameOf(i, 60));
    if (i % 4 === 3) writer.flush();
    if (i % 10 !== 9) continue;
    await writer.close(); // the digest goes on where the last writer stopped
    writer = openWriter(disk, { segmentBytesMax: 2_000 });
  }
  await writer.close();
  const { frames } = readLog(disk);
  const sealed = describeLog(disk, DIR).segments.filter((segment) => segment.sealed);
  assert.ok(sealed.length >= 3);
  for (const { firstSequence } of sealed) {
    const seal = readSeal(disk, DIR, firstSequence);
    assert.ok(seal !== undefined);
    const bytes = disk.contents(segmentPath(DIR, firstSequence));
    const held = frames.slice(seal.firstSequence, seal.lastSequence + 1);
    assert.equal(seal.sha256, createHash('sha256').update(bytes).digest('hex'));
    assert.equal(seal.bytes, bytes.length);
    assert.equal(seal.frames, held.length);
    assert.equal(seal.minReceiveTimeUs, held[0]?.receiveTimeUs);
    assert.equal(seal.maxReceiveTimeUs, held.at(-1)?.receiveTimeUs);
  }
  const path = segmentPath(DIR, 0);
  const changed = disk.contents(path);
  changed[70] = (changed[70] as number) ^ 1;
  disk.place(path, changed);
  const verified = describeLog(disk, DIR, true).segments;
  assert.deepEqual(
    verified.map((segment) => segment.digestHolds),
    [false, ...sealed.slice(1).map(() => true), undefined],
  );
  assert.equal(verified[0]?.damage.length, 1);
});

test('a damaged or missing seal is made again from its segment', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk, { segmentBytesMax: 500 });
  for (let i = 0; i < 30; i++) {
    appendFrame(writer, frameOf(i, 60));
    writer.flush();
  }
  await writer.close();
  const good = readSeal(disk, DIR, 0);
  disk.unlink(sealPath(DIR, 0));
  await openWriter(disk).close();
  assert.deepEqual(readSeal(disk, DIR, 0), good);
  const text = disk.contents(sealPath(DIR, 0)).toString();
  disk.place(sealPath(DIR, 0), Buffer.from(text.replace('"frames": 3', '"frames": 4')));
  assert.equal(readSeal(disk, DIR, 0), undefined);
  disk.place(sealPath(DIR, 0), Buffer.from('null'));
  assert.equal(readSeal(disk, DIR, 0), undefined);
});

test('segments wholly below a sequence are dropped, with their seals, never the newest', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk, { segmentBytesMax: 500 });
  for (let i = 0; i < 40; i++) {
    appendFrame(writer, frameOf(i, 60));
    writer.flush();
  }
  const firsts = describeLog(disk, DIR).segments.map((segment) => segment.firstSequence);
  const second = firsts[1] as number;
  assert.deepEqual(dropSegmentsBelow(disk, DIR, second - 1), []);
  assert.deepEqual(dropSegmentsBelow(disk, DIR, second), [0]);
  assert.equal(disk.stat(sealPath(DIR, 0)), undefined);
  assert.equal(readLog(disk, second).frames.length, 40 - second);
  const late = readLog(disk, 1);
  assert.equal(late.skipped, second - 1);
  assert.deepEqual(dropSegmentsBelow(disk, DIR, 1_000), firsts.slice(1, -1));
  appendFrame(writer, frameOf(40));
  await writer.close();
  assert.equal(readLog(disk, 39).frames.at(-1)?.sequence, 40);
});

test('another exchange`s log and a newer format are refused, untouched, with exit code 78', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk);
  appendFrame(writer, frameOf(0));
  await writer.close();
  const before = disk.contents(segmentPath(DIR, 0));
  const refused = (error: unknown): boolean =>
    error instanceof UserError && error.exitCode === EXIT.config;
  assert.throws(() => openWriter(disk, { exchange: 'KRAKEN' }), refused);
  const newer = Buffer.from(before);
  newer.writeUInt32LE(2, 8);
  newer.writeUInt32LE(crc32(newer.subarray(0, 60)), 60);
  disk.place(segmentPath(DIR, 0), newer);
  assert.throws(() => openWriter(disk), refused);
  assert.deepEqual(disk.contents(segmentPath(DIR, 0)), newer);
});

test('an older segment whose tail is gone stops nobody: it is reported, and the next goes on', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk, { segmentBytesMax: 500 });
  for (let i = 0; i < 20; i++) {
    appendFrame(writer, frameOf(i, 60));
    writer.flush();
  }
  await writer.close();
  const path = segmentPath(DIR, 0);
  disk.place(path, disk.contents(path).subarray(0, 100));
  const { frames, skipped } = readLog(disk);
  assert.ok(skipped > 0);
  assert.equal(frames.length + skipped, 20);
  assert.equal(frames[0]?.sequence, skipped);
});

test('what the last epoch used is missed when it is gone, and its sequences are not used again', async () => {
  const disk = new MemoryDisk();
  const empty = openWriter(disk, { durableNextSequence: 50 });
  assert.equal(empty.nextSequence, 50);
  appendFrame(empty, frameOf(0));
  await empty.close();
  const writer = openWriter(disk, { durableNextSequence: 70 });
  assert.equal(writer.nextSequence, 70);
  assert.deepEqual(
    writer.recovery.damage.map((range) => [range.firstSequence, range.nextSequence]),
    [[51, 70]],
  );
  appendFrame(writer, frameOf(1));
  await writer.close();
  const read = readLog(disk, 50);
  assert.deepEqual(
    read.frames.map((frame) => frame.sequence),
    [50, 70],
  );
  assert.equal(read.skipped, 19);
});

test('a block whose checksum holds and whose frames do not fit halts whoever reads it', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk);
  for (let i = 0; i < 3; i++) appendFrame(writer, frameOf(i));
  await writer.close();
  const path = segmentPath(DIR, 0);
  const bytes = Buffer.from(disk.contents(path));
  const block = SEGMENT_HEADER_BYTES;
  bytes.writeUInt32LE(0xffff_0000, block + BLOCK_HEADER_BYTES + FRAME.bytes);
  bytes.writeUInt32LE(crc32(bytes.subarray(block + BLOCK.crcFrom)), block + BLOCK.crc);
  disk.place(path, bytes);
  assert.throws(() => openWriter(disk), AssertionError);
  assert.throws(() => readLog(disk), AssertionError);
  assert.throws(() => readLog(disk, 2), AssertionError);
});

test('garbage after the last block is a torn tail, whatever it looks like', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk);
  for (let i = 0; i < 3; i++) {
    appendFrame(writer, frameOf(i));
    writer.flush();
  }
  await writer.close();
  const path = segmentPath(DIR, 0);
  const whole = disk.contents(path);
  const lastBlock = whole.subarray(whole.length - 40 - 12 - 10);
  const tails = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 200 }),
    fc.nat(5_000).map((bytes) => Buffer.alloc(bytes + 1)),
    fc.constant(lastBlock), // the same block again
    fc.tuple(fc.integer({ min: 0, max: 39 }), fc.nat(255)).map(([at, value]) => {
      const forged = Buffer.from(lastBlock); // lengths, sequences, tags and chains one off
      forged[at] = value;
      return forged;
    }),
    fc.constant(Buffer.from(`BBLK${'\xff'.repeat(80)}`, 'latin1')),
  );
  await fc.assert(
    fc.asyncProperty(tails, async (tail) => {
      const torn = disk.copy();
      torn.place(path, Buffer.concat([whole, tail]));
      assert.equal(readLog(torn).frames.length, 3);
      const reopened = openWriter(torn);
      assert.equal(reopened.recovery.cutBytes, tail.length);
      assert.deepEqual(reopened.recovery.damage, []);
      await reopened.close();
      assert.deepEqual(torn.contents(path), whole);
    }),
    { numRuns: 200 },
  );
});
