/**
 * Appending to and reading from the bronze log on this machine's disk, 170-byte frames.
 *
 * The writer works as ingest does: a flush every 2,000 frames (a busy event-loop turn fills more
 * than a block), fdatasync every 100 ms. Reading is from the page cache and verifies every block.
 */
import { nodeDisk } from '#src/base/node-disk';
import { LogHead } from '#src/log/log-head';
import { LogReader } from '#src/log/log-reader';
import { LogWriter } from '#src/log/log-writer';
import {
  type BenchContext,
  type Benchmark,
  check,
  type Figure,
  type Outcome,
} from './benchmark.js';
import { stopwatch } from './stopwatch.js';

const FRAME_BYTES = 170;
const FRAMES_PER_TURN = 2_000;
const SYNC_MS = 100;
const SEEKS = 20;

function openWriter(dir: string): LogWriter {
  const head = new LogHead(new SharedArrayBuffer(LogHead.byteSize), 0);
  return LogWriter.open({ disk: nodeDisk(), dir, exchange: 'BINANCE', head });
}

async function append(dir: string, frames: number): Promise<Figure[]> {
  const writer = openWriter(dir);
  const frame = Buffer.alloc(FRAME_BYTES, '{"e":"trade","E":1700000000000,"s":"BTCUSDT",');
  const elapsed = stopwatch();
  let lastSync = performance.now();
  let syncing: Promise<void> = Promise.resolve();
  for (let i = 0; i < frames; i++) {
    frame.writeUInt32LE(i, 100);
    writer.append(frame, 0, 0, 1_700_000_000_000_000 + i);
    if (i % FRAMES_PER_TURN !== 0) continue;
    writer.flush();
    if (performance.now() - lastSync > SYNC_MS) {
      lastSync = performance.now();
      syncing = writer.sync();
    }
    await new Promise(setImmediate);
  }
  writer.flush();
  const { cpuMs } = elapsed();
  await syncing;
  await writer.close();
  check(writer.durableThrough === frames, `${writer.durableThrough} of ${frames} frames durable`);
  const { wallMs } = elapsed();
  return [
    { name: 'append', value: frames / cpuMs / 1_000, unit: 'M frames/s per core' },
    { name: 'append until all is durable', value: frames / wallMs / 1_000, unit: 'M frames/s' },
  ];
}

function read(dir: string, frames: number): { readonly figure: Figure; readonly sum: number } {
  const reader = LogReader.open({ disk: nodeDisk(), dir, fromSequence: 0 });
  const elapsed = stopwatch();
  let count = 0;
  let sum = 0;
  while (reader.next()) {
    count++;
    sum = (sum + (reader.bytes[reader.start + 100] as number) * (count & 255)) | 0;
  }
  const { cpuMs } = elapsed();
  reader.close();
  check(count === frames, `${count} of ${frames} frames read`);
  const figure = {
    name: 'read and verify',
    value: frames / cpuMs / 1_000,
    unit: 'M frames/s per core',
  };
  return { figure, sum };
}

function seek(dir: string, frames: number): Figure {
  const reader = LogReader.open({ disk: nodeDisk(), dir, fromSequence: 0 });
  const started = performance.now();
  for (let i = 1; i <= SEEKS; i++) {
    const sequence = Math.floor((frames * i) / (SEEKS + 1));
    reader.seek(sequence);
    check(reader.next() && reader.sequence === sequence, `seek to ${sequence}`);
  }
  const value = (performance.now() - started) / SEEKS;
  reader.close();
  return { name: 'seek to a frame', value, unit: 'ms' };
}

async function run({ tiny, dir, say }: BenchContext): Promise<Outcome> {
  const frames = tiny ? 10_000 : 5_000_000;
  say('append');
  const appended = await append(dir, frames);
  say('read');
  read(dir, frames); // the first pass compiles
  const { figure, sum } = read(dir, frames);
  const sought = seek(dir, frames);
  const started = performance.now();
  await openWriter(dir).close();
  const reopened = performance.now() - started;
  return {
    figures: [
      ...appended,
      figure,
      sought,
      { name: 'open after a crash: the open segment verified', value: reopened, unit: 'ms' },
    ],
    digest: (sum >>> 0).toString(16),
  };
}

export const bronzeAppend: Benchmark = {
  name: 'bronze',
  about: 'The bronze log: frames of 170 bytes appended, made durable, and read back.',
  run,
};
