/** Every byte cut, every bit flipped: never a wrong frame, never a silent loss. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeLog } from '#src/log/describe';
import { BLOCK, BLOCK_HEADER_BYTES, SEGMENT_HEADER_BYTES } from '#src/log/layout';
import { LogReader } from '#src/log/log-reader';
import { listSegments, segmentPath } from '#src/log/segment-files';
import {
  appendFrame,
  asRead,
  DIR,
  frameOf,
  openWriter,
  type ReadFrame,
  readLog,
} from '#tests/support/log-fixtures';
import { MemoryDisk } from '#tests/support/memory-disk';

/** Three blocks of 2, 3 and 1 frames; `ends` are the offsets after header and blocks. */
async function smallLog() {
  const disk = new MemoryDisk();
  const writer = openWriter(disk);
  const frames = [0, 1, 2, 3, 4, 5].map((i) => frameOf(i));
  const ends = [SEGMENT_HEADER_BYTES];
  const counts = [0];
  for (const [i, frame] of frames.entries()) {
    appendFrame(writer, frame);
    if (i !== 1 && i !== 4 && i !== 5) continue;
    writer.flush();
    ends.push(disk.contents(segmentPath(DIR, 0)).length);
    counts.push(i + 1);
  }
  await writer.close();
  return { disk, frames: asRead(frames), ends, counts, bytes: disk.contents(segmentPath(DIR, 0)) };
}

test('cut at every byte: whole blocks before the cut stay, appends go on after them', async () => {
  const { disk, frames, ends, counts, bytes } = await smallLog();
  for (let cut = SEGMENT_HEADER_BYTES; cut <= bytes.length; cut++) {
    const torn = disk.copy();
    torn.place(segmentPath(DIR, 0), bytes.subarray(0, cut));
    const block = ends.findLastIndex((end) => end <= cut);
    const kept = frames.slice(0, counts[block]);

    const before = readLog(torn);
    assert.deepEqual(before.frames, kept, `cut at ${cut}`);
    assert.deepEqual(before.gaps, []);

    const writer = openWriter(torn);
    assert.deepEqual(writer.recovery.damage, []);
    assert.equal(writer.recovery.cutBytes, cut - (ends[block] as number));
    assert.equal(writer.durableThrough, kept.length);
    const next = frameOf(100);
    assert.equal(appendFrame(writer, next), kept.length);
    await writer.close();
    assert.deepEqual(readLog(torn).frames, [...kept, ...asRead([next], kept.length)]);
  }
});

test('a segment header cut short loses nothing but is reported', async () => {
  const { disk, bytes } = await smallLog();
  for (let cut = 0; cut < SEGMENT_HEADER_BYTES; cut++) {
    const torn = disk.copy();
    torn.place(segmentPath(DIR, 0), bytes.subarray(0, cut));
    const writer = openWriter(torn);
    assert.equal(writer.recovery.damage.length, 1);
    assert.equal(describeLog(torn, DIR).quarantine.length, 1);
    const first = writer.nextSequence;
    appendFrame(writer, frameOf(7));
    await writer.close();
    assert.deepEqual(readLog(torn).frames, asRead([frameOf(7)], first));
  }
});

test('a whole segment of another place or another exchange is no part of this log', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk, { segmentBytesMax: 300 });
  for (let i = 0; i < 24; i++) {
    appendFrame(writer, frameOf(i));
    writer.flush();
  }
  await writer.close();
  const [first, second, third] = listSegments(disk, DIR) as [number, number, number];
  assert.ok(third !== undefined);
  const original = readLog(disk).frames;
  disk.place(segmentPath(DIR, second), disk.contents(segmentPath(DIR, third)));
  const swapped = readLog(disk);
  assert.deepEqual(
    swapped.frames,
    original.filter(({ sequence }) => sequence < second || sequence >= third),
  );
  assert.ok(swapped.gaps.some(({ segment }) => segment === second));
  const reader = LogReader.open({ disk, dir: DIR, exchange: 'KRAKEN', fromSequence: first });
  assert.equal(reader.next(), false, 'the segments say BINANCE');
  reader.close();
});

test('every bit flipped: no wrong frame, good blocks stay readable, damage is reported', async () => {
  const { disk, frames, ends, counts, bytes } = await smallLog();
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const at = bit >> 3;
    const flipped = disk.copy();
    const image = Buffer.from(bytes);
    image[at] = (image[at] as number) ^ (1 << (bit & 7));
    flipped.place(segmentPath(DIR, 0), image);

    const block = ends.findIndex((end) => at < end); // 0: the header
    const isTail = block === ends.length - 1;
    const lost = (frame: ReadFrame): boolean =>
      block > 0 &&
      frame.sequence >= (counts[block - 1] as number) &&
      frame.sequence < (counts[block] as number);
    const kept = frames.filter((frame) => !lost(frame));

    const before = readLog(flipped);
    assert.deepEqual(before.frames, kept, `bit ${bit}`);
    assert.equal(before.gaps.length, isTail ? 0 : 1, `bit ${bit}`);
    assert.equal(before.skipped, isTail || block === 0 ? 0 : frames.length - kept.length);

    // The last epoch knows that all six frames were durable.
    const writer = openWriter(flipped, { durableNextSequence: frames.length });
    assert.equal(writer.recovery.damage.length, 1, `bit ${bit}`);
    const { firstSequence, nextSequence } = writer.recovery.damage[0] as ReadLost;
    assert.equal(nextSequence - firstSequence, frames.length - kept.length);
    const next = frameOf(100);
    assert.equal(appendFrame(writer, next), frames.length);
    await writer.close();
    const after = readLog(flipped);
    assert.deepEqual(after.frames, [...kept, ...asRead([next], frames.length)]);
    assert.equal(after.skipped, frames.length - kept.length);

    const quarantined = describeLog(flipped, DIR).quarantine;
    assert.equal(quarantined.length, 1);
    // Opening again finds the same log and makes nothing new.
    await openWriter(flipped).close();
    assert.deepEqual(readLog(flipped).frames, after.frames);
    assert.equal(describeLog(flipped, DIR).quarantine.length, 1);
  }
});

interface ReadLost {
  readonly firstSequence: number;
  readonly nextSequence: number;
}

test('the quarantined copy holds the damaged bytes', async () => {
  const { disk, ends, bytes } = await smallLog();
  const [, first, second] = ends as [number, number, number, number];
  const image = Buffer.from(bytes);
  image[first + BLOCK_HEADER_BYTES] = 0xff;
  disk.place(segmentPath(DIR, 0), image);
  await openWriter(disk).close();
  const name = `00000000000000000000.${first}-${second}`;
  const copy = disk.contents(`${DIR}/quarantine/${name}.bin`);
  assert.deepEqual(copy, image.subarray(first, second));
  const record = JSON.parse(disk.contents(`${DIR}/quarantine/${name}.json`).toString());
  assert.equal(record.exchange, 'BINANCE');
  assert.deepEqual([record.firstSequence, record.nextSequence], [2, 5]);
});

test('blocks removed, doubled, swapped or moved to another segment are never taken for others', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk, { segmentBytesMax: 400 });
  const all = Array.from({ length: 24 }, (_, i) => frameOf(i, 30));
  for (const frame of all) {
    appendFrame(writer, frame);
    writer.flush();
  }
  await writer.close();
  const frames = asRead(all);
  const blockBytes = BLOCK_HEADER_BYTES + 12 + 30;
  const segments = describeLog(disk, DIR).segments;
  assert.ok(segments.length > 3);
  const path = segmentPath(DIR, 0);
  const other = segmentPath(DIR, segments[1]?.firstSequence as number);
  const image = disk.contents(path);
  const blockAt = (bytes: Buffer, i: number): Buffer =>
    bytes.subarray(
      SEGMENT_HEADER_BYTES + i * blockBytes,
      SEGMENT_HEADER_BYTES + (i + 1) * blockBytes,
    );
  const header = image.subarray(0, SEGMENT_HEADER_BYTES);
  const [a, b, c, d] = [0, 1, 2, 3].map((i) => blockAt(image, i)) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  const foreign = blockAt(disk.contents(other), 1);

  const expectLost = (parts: Buffer[], lost: number[], why: string): void => {
    const changed = disk.copy();
    changed.place(path, Buffer.concat([header, ...parts]));
    const read = readLog(changed);
    assert.deepEqual(
      read.frames,
      frames.filter((frame) => !lost.includes(frame.sequence)),
      why,
    );
    assert.ok(read.gaps.length > 0, why);
    assert.equal(read.skipped, lost.length, why);
  };
  expectLost([a, c, d], [1], 'one removed');
  expectLost([a, a, b, c, d], [], 'one doubled');
  expectLost([a, c, b, d], [1], 'two swapped');
  expectLost([a, foreign, c, d], [1], 'one from another segment');
  expectLost([a, b, c], [3], 'the last removed');
  expectLost([], [0, 1, 2, 3], 'all removed');

  const swapped = disk.copy();
  swapped.place(path, disk.contents(other));
  swapped.place(other, image);
  const read = readLog(swapped);
  for (const frame of read.frames) assert.deepEqual(frame, frames[frame.sequence]);
  assert.ok(read.gaps.length > 0);
});

test('a frame that holds a copy of the log cannot pose as blocks when its own block is damaged', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk);
  for (let i = 0; i < 4; i++) {
    appendFrame(writer, frameOf(i));
    writer.flush();
  }
  const copy = disk.contents(segmentPath(DIR, 0));
  appendFrame(writer, { bytes: copy, kind: 2, connection: 0, receiveTimeUs: 0 });
  writer.flush();
  appendFrame(writer, frameOf(5));
  await writer.close();
  const image = disk.contents(segmentPath(DIR, 0));
  image[copy.length + 8] = 0; // the length of the block that holds the copy
  disk.place(segmentPath(DIR, 0), image);
  const read = readLog(disk);
  assert.deepEqual(
    read.frames.map((frame) => frame.sequence),
    [0, 1, 2, 3, 5],
  );
  assert.equal(read.gaps.length, 1);
  assert.equal(read.skipped, 1);
});

test('a stale block that fits by number but follows other bytes is not taken', async () => {
  // Two logs with the same header, as after a crash that brought old blocks back.
  const write = async (names: string[]): Promise<Buffer> => {
    const disk = new MemoryDisk();
    const writer = openWriter(disk);
    for (const [i, name] of names.entries()) {
      appendFrame(writer, { ...frameOf(i), bytes: Buffer.from(name) });
      writer.flush();
    }
    await writer.close();
    return disk.contents(segmentPath(DIR, 0));
  };
  const older = await write(['a', 'b', 'c']);
  const newer = await write(['x', 'y', 'z']);
  const blockBytes = BLOCK_HEADER_BYTES + 12 + 1;
  const second = SEGMENT_HEADER_BYTES + blockBytes;
  older.copy(newer, second, second, second + blockBytes);
  const disk = new MemoryDisk();
  disk.mkdir(DIR);
  disk.place(segmentPath(DIR, 0), newer);
  const read = readLog(disk);
  assert.deepEqual(
    read.frames.map((frame) => frame.bytes.toString()),
    ['x', 'z'],
  );
  assert.equal(read.skipped, 1);
});

test('two damaged headers that agree with each other do not lead a seek past a good block', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk);
  for (let i = 0; i < 12; i++) {
    appendFrame(writer, frameOf(i, 20));
    if (i % 3 === 2) writer.flush();
  }
  await writer.close();
  const blockBytes = BLOCK_HEADER_BYTES + 3 * (12 + 20);
  const image = disk.contents(segmentPath(DIR, 0));
  image.writeUInt32LE(7, SEGMENT_HEADER_BYTES + BLOCK.frames);
  image.writeUInt32LE(7, SEGMENT_HEADER_BYTES + blockBytes + BLOCK.firstSequence);
  disk.place(segmentPath(DIR, 0), image);
  assert.deepEqual(
    readLog(disk, 7).frames.map((frame) => frame.sequence),
    [7, 8, 9, 10, 11],
  );
});
