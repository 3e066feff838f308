/** Following a log as it grows, from the same thread and from another, and going to any frame. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { nodeDisk } from '#src/base/node-disk';
import { LogHead } from '#src/log/log-head';
import { LogReader } from '#src/log/log-reader';
import type { Damage } from '#src/log/segment-cursor';
import { segmentPath } from '#src/log/segment-files';
import {
  appendFrame,
  arbitraryFrame,
  asRead,
  DIR,
  frameOf,
  inTemporaryDirectory,
  newHead,
  openWriter,
  type ReadFrame,
  readFrame,
  readLog,
  START_US,
  type TestFrame,
} from '#tests/support/log-fixtures';
import { MemoryDisk } from '#tests/support/memory-disk';

test('a reader sees every written frame once, in order, however reads and writes interleave', async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: arbitraryFrame },
    { weight: 3, arbitrary: fc.constant('flush' as const) },
    { weight: 1, arbitrary: fc.constant('restart' as const) },
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 12 }) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 80, size: 'max' }),
      fc.integer({ min: 1, max: 3_000 }),
      fc.boolean(),
      async (steps, segmentBytesMax, withHead) => {
        const disk = new MemoryDisk();
        const head = newHead();
        let writer = openWriter(disk, { head, segmentBytesMax });
        const onGap = (gap: Damage) => assert.fail(JSON.stringify(gap));
        const seenHead = withHead ? { head } : {};
        const reader = LogReader.open({ disk, dir: DIR, fromSequence: 0, onGap, ...seenHead });
        const frames: TestFrame[] = [];
        const read: ReadFrame[] = [];
        const readUpTo = (count: number): void => {
          for (; count > 0 && reader.next(); count--) read.push(readFrame(reader));
        };
        for (const step of steps) {
          if (step === 'flush') writer.flush();
          else if (step === 'restart') {
            await writer.close();
            writer = openWriter(disk, { head, segmentBytesMax });
          } else if (typeof step === 'number') readUpTo(step);
          else {
            appendFrame(writer, step);
            frames.push(step);
          }
          assert.ok(read.length <= writer.writtenThrough);
        }
        writer.flush();
        readUpTo(Number.POSITIVE_INFINITY);
        assert.deepEqual(read, asRead(frames));
        assert.equal(reader.next(), false);
        reader.close();
        await writer.close();
        assert.equal(disk.openFiles, 0);
      },
    ),
    { numRuns: 150 },
  );
});

test('seek goes to any frame, forwards and backwards', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk, { segmentBytesMax: 20_000 });
  const frames = Array.from({ length: 1_500 }, (_, i) => frameOf(i, 1 + ((i * 37) % 130)));
  for (const [i, frame] of frames.entries()) {
    appendFrame(writer, frame);
    if (i % 7 === 3 || i % 100 > 90) writer.flush();
  }
  await writer.close();
  const expected = asRead(frames);
  const reader = LogReader.open({ disk, dir: DIR, fromSequence: 0 });
  fc.assert(
    fc.property(fc.nat(frames.length + 5), (sequence) => {
      reader.seek(sequence);
      for (let i = sequence; i < sequence + 3; i++) {
        assert.equal(reader.next(), i < frames.length);
        if (i < frames.length) assert.deepEqual(readFrame(reader), expected[i]);
      }
      assert.equal(reader.skippedSequences, 0);
    }),
    { numRuns: 300 },
  );
});

test('seek reads block headers, not the whole segment', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk);
  for (let i = 0; i < 100; i++) {
    appendFrame(writer, frameOf(i, 60_000));
    writer.flush();
  }
  await writer.close();
  let reads = 0;
  let bytes = 0;
  const read = disk.read.bind(disk);
  disk.read = (...call) => {
    reads++;
    bytes += call[3];
    return read(...call);
  };
  assert.equal(readLog(disk, 99).frames[0]?.sequence, 99);
  assert.ok(bytes < 100 * 60_000 * 0.4, `${bytes} bytes in ${reads} reads`);
});

test('seek lands right beyond damage, wherever a bit is flipped', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk);
  const frames = Array.from({ length: 12 }, (_, i) => frameOf(i));
  for (const [i, frame] of frames.entries()) {
    appendFrame(writer, frame);
    if (i % 3 === 2) writer.flush();
  }
  await writer.close();
  const bytes = disk.contents(segmentPath(DIR, 0));
  const expected = asRead(frames);
  for (let at = 0; at < bytes.length; at++) {
    const image = Buffer.from(bytes);
    image[at] = (image[at] as number) ^ (1 << (at % 8));
    disk.place(segmentPath(DIR, 0), image);
    const held = readLog(disk).frames.map((frame) => frame.sequence);
    for (let from = 0; from < frames.length; from++) {
      const { frames: read, gaps } = readLog(disk, from);
      assert.deepEqual(
        read,
        held.filter((sequence) => sequence >= from).map((sequence) => expected[sequence]),
        `byte ${at}, from ${from}`,
      );
      for (const gap of gaps) assert.ok(gap.firstSequence >= from && gap.nextSequence >= from);
    }
  }
});

test('what the writer vouched for and cannot be read is reported at once', async () => {
  const disk = new MemoryDisk();
  const head = newHead();
  const writer = openWriter(disk, { head });
  const gaps: Damage[] = [];
  const onGap = (gap: Damage) => gaps.push(gap);
  const reader = LogReader.open({ disk, dir: DIR, fromSequence: 0, head, onGap });
  for (let i = 0; i < 4; i++) appendFrame(writer, frameOf(i));
  writer.flush();
  const image = disk.contents(segmentPath(DIR, 0));
  const fd = disk.open(segmentPath(DIR, 0), 'update');
  disk.write(fd, Buffer.from([(image[120] as number) ^ 4]), 0, 1, 120);
  assert.equal(reader.next(), false);
  assert.deepEqual(
    gaps.map((gap) => [gap.firstSequence, gap.nextSequence]),
    [[0, 4]],
  );
  assert.equal(reader.skippedSequences, 4);
  appendFrame(writer, frameOf(4));
  writer.flush();
  assert.equal(reader.next(), true);
  assert.equal(reader.sequence, 4);
  assert.equal(gaps.length, 1);
  await writer.close();
});

test('without a head, a block seen half written is read once it is whole', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk);
  for (let i = 0; i < 3; i++) {
    appendFrame(writer, frameOf(i));
    writer.flush();
  }
  await writer.close();
  const path = segmentPath(DIR, 0);
  const whole = disk.contents(path);
  const half = Buffer.from(whole);
  half.fill(0, whole.length - 15);
  disk.place(path, half);
  const reader = LogReader.open({ disk, dir: DIR, fromSequence: 0 });
  const sequences: number[] = [];
  while (reader.next()) sequences.push(reader.sequence);
  assert.deepEqual(sequences, [0, 1]);
  disk.write(disk.open(path, 'update'), whole, 0, whole.length, 0);
  assert.equal(reader.next(), true);
  assert.deepEqual(readFrame(reader), asRead([frameOf(2)], 2)[0]);
});

test('without a head, what is added to a segment just before the next is made is read', async () => {
  const disk = new MemoryDisk();
  const writer = openWriter(disk, { segmentBytesMax: 400 });
  appendFrame(writer, frameOf(0, 100));
  writer.flush();
  const reader = LogReader.open({ disk, dir: DIR, fromSequence: 0 });
  assert.equal(reader.next(), true);
  const readdir = disk.readdir.bind(disk);
  let pending = [1, 2, 3];
  disk.readdir = (path) => {
    for (const i of pending) {
      appendFrame(writer, frameOf(i, 100));
      writer.flush();
    }
    pending = [];
    return readdir(path);
  };
  for (const sequence of [1, 2, 3]) {
    assert.equal(reader.next(), true);
    assert.equal(reader.sequence, sequence);
  }
  assert.equal(reader.skippedSequences, 0);
  assert.equal(readdir(DIR).length, 3);
  await writer.close();
});

test('a log that is not there yet, and a position not reached yet, are nothing for now', async () => {
  const disk = new MemoryDisk();
  const head = newHead();
  const early = LogReader.open({ disk, dir: DIR, fromSequence: 0 });
  const ahead = LogReader.open({ disk, dir: DIR, fromSequence: 2, head });
  assert.equal(early.next(), false);
  assert.equal(ahead.next(), false);
  const writer = openWriter(disk, { head });
  for (let i = 0; i < 3; i++) {
    assert.equal(ahead.next(), false);
    appendFrame(writer, frameOf(i));
    writer.flush();
    assert.equal(early.next(), true);
  }
  assert.equal(ahead.next(), true);
  assert.equal(ahead.sequence, 2);
  await writer.close();
});

test('the head never shows a mixture of two publications', async () => {
  const memory = new SharedArrayBuffer(2 * LogHead.byteSize);
  // [publications the reader saw, 1 when the writer is done]
  const progress = new Int32Array(new SharedArrayBuffer(8));
  const code = `
    const { workerData, parentPort } = require('node:worker_threads');
    import(workerData.url).then(({ LogHead }) => {
      const head = new LogHead(workerData.memory, LogHead.byteSize);
      const { progress } = workerData;
      let mixed = 0, last = 0;
      while (Atomics.load(progress, 1) === 0) {
        if (!head.refresh()) continue;
        const { segment, validBytes, nextSequence, durableNextSequence, maxReceiveTimeUs } = head;
        const n = nextSequence / 5_000_000_007;
        if (n < last || segment !== n || validBytes !== n * 3_000_000_019 ||
            durableNextSequence !== n * 4_000_000_007 || maxReceiveTimeUs !== n * 4_294_967_297) mixed++;
        if (n !== last) Atomics.add(progress, 0, 1);
        last = n;
      }
      parentPort.postMessage(mixed);
    });`;
  const url = import.meta.resolve('#src/log/log-head');
  const worker = new Worker(code, { eval: true, workerData: { memory, progress, url } });
  const answer = once(worker, 'message');
  const head = new LogHead(memory, LogHead.byteSize);
  // At least 300,000 publications, and on a busy machine as many as it takes for the reader to run.
  for (let n = 1; n <= 300_000 || Atomics.load(progress, 0) < 100; n++) {
    head.publish(n, n * 3_000_000_019, n * 5_000_000_007, n * 4_000_000_007, n * 4_294_967_297);
    if (n % 1_000 === 0) await new Promise(setImmediate);
  }
  Atomics.store(progress, 1, 1);
  const [mixed] = await answer;
  assert.equal(mixed, 0);
  await worker.terminate();
});

test('a writer that died while publishing leaves the last state; the next one`s is seen', () => {
  const memory = new SharedArrayBuffer(LogHead.byteSize);
  const writer = new LogHead(memory, 0);
  const reader = new LogHead(memory, 0);
  writer.publish(1, 2, 3, 3, START_US);
  assert.equal(reader.refresh(), true);
  new Int32Array(memory)[0]! += 1;
  assert.equal(reader.refresh(), false);
  assert.deepEqual([reader.segment, reader.nextSequence], [1, 3]);
  new LogHead(memory, 0).publish(4, 5, 6, 6, START_US);
  assert.equal(reader.refresh(), true);
  assert.deepEqual(
    [reader.segment, reader.nextSequence, reader.maxReceiveTimeUs],
    [4, 6, START_US],
  );
});

test('a reader in another thread sees every frame once, in order, across segments', async () => {
  await inTemporaryDirectory(async (temporary) => {
    const dir = `${temporary}/bronze`;
    const memory = new SharedArrayBuffer(LogHead.byteSize);
    const count = 200_000;
    const code = `
      const { workerData, parentPort } = require('node:worker_threads');
      Promise.all(workerData.urls.map((url) => import(url))).then(
        ([{ LogReader }, { LogHead }, { nodeDisk }]) => {
          const { dir, memory, count } = workerData;
          const gaps = [];
          const reader = LogReader.open({
            disk: nodeDisk(), dir, fromSequence: 0, head: new LogHead(memory, 0),
            onGap: (gap) => gaps.push(gap),
          });
          let next = 0, wrong = 0, idle = 0;
          while (next < count) {
            if (!reader.next()) { idle++; continue; }
            const text = reader.bytes.latin1Slice(reader.start, reader.end);
            if (reader.sequence !== next || !text.startsWith('frame ' + next + ';')) wrong++;
            next++;
          }
          parentPort.postMessage({ wrong, idle, gaps });
        });`;
    const urls = ['log/log-reader', 'log/log-head', 'base/node-disk'].map((path) =>
      import.meta.resolve(`#src/${path}`),
    );
    const worker = new Worker(code, { eval: true, workerData: { dir, memory, count, urls } });
    const answer = once(worker, 'message');
    await once(worker, 'online');
    const writer = openWriter(nodeDisk(), {
      dir,
      head: new LogHead(memory, 0),
      segmentBytesMax: 1_000_000,
    });
    for (let i = 0; i < count; i++) {
      writer.append(Buffer.from(`frame ${i};${'x'.repeat(i % 90)}`), 0, 0, START_US + i);
      if (i % 31 === 0) writer.flush();
      if (i % 5_000 === 0) await writer.sync();
    }
    await writer.close();
    const [result] = await answer;
    assert.deepEqual([result.wrong, result.gaps], [0, []]);
    await worker.terminate();
  });
});
