/**
 * Appending to and reading from the bronze log on the machine's disk, 170-byte frames.
 *
 *   node dist/bench/bronze-append.bench.js [frames, default 5000000] [directory, default the system's]
 *
 * The writer works as ingest does: a flush every 2,000 frames (a busy event-loop turn fills more
 * than a block), fdatasync every 100 ms. Reading is from the page cache and verifies every block.
 * The last line is a checksum of what was read, so that a run is seen to have done its work.
 */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { nodeDisk } from '#src/base/node-disk';
import { LogHead } from '#src/log/log-head';
import { LogReader } from '#src/log/log-reader';
import { LogWriter } from '#src/log/log-writer';

const FRAME_BYTES = 170;
const FRAMES_PER_TURN = 2_000;
const SYNC_MS = 100;

const frames = Number(process.argv[2] ?? 5_000_000);
const dir = fs.mkdtempSync(`${process.argv[3] ?? tmpdir()}/bullion-bench-`);

function report(what: string, count: number, bytes: number, ms: number): void {
  const rate = (count / ms / 1_000).toFixed(2);
  const throughput = (bytes / ms / 1e6).toFixed(2);
  console.log(`${what.padEnd(28)} ${rate} M frames/s  ${throughput} GB/s  ${ms.toFixed(0)} ms`);
}

async function append(head: LogHead): Promise<void> {
  const writer = LogWriter.open({ disk: nodeDisk(), dir, exchange: 'BINANCE', head });
  const frame = Buffer.alloc(FRAME_BYTES, '{"e":"trade","E":1700000000000,"s":"BTCUSDT",');
  const started = performance.now();
  const cpu = process.cpuUsage();
  let lastSync = started;
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
  const written = performance.now() - started;
  await syncing;
  await writer.close();
  report('append', frames, frames * FRAME_BYTES, written);
  const durable = performance.now() - started;
  report('append, all durable', frames, frames * FRAME_BYTES, durable);
  // On a shared machine this is the figure that says what the code costs.
  const { user, system } = process.cpuUsage(cpu);
  report('append, per CPU second', frames, frames * FRAME_BYTES, (user + system) / 1_000);
}

function read(what: string): number {
  const reader = LogReader.open({ disk: nodeDisk(), dir, fromSequence: 0 });
  const started = performance.now();
  let count = 0;
  let bytes = 0;
  let sum = 0;
  while (reader.next()) {
    count++;
    bytes += reader.end - reader.start;
    sum = (sum + (reader.bytes[reader.start + 100] as number) * (count & 255)) | 0;
  }
  report(what, count, bytes, performance.now() - started);
  reader.close();
  return sum;
}

function seek(): void {
  const reader = LogReader.open({ disk: nodeDisk(), dir, fromSequence: 0 });
  const started = performance.now();
  const seeks = 20;
  for (let i = 1; i <= seeks; i++) {
    reader.seek(Math.floor((frames * i) / (seeks + 1)));
    reader.next();
  }
  console.log(`seek ${((performance.now() - started) / seeks).toFixed(2)} ms each`);
  reader.close();
}

function reopen(): void {
  const head = new LogHead(new SharedArrayBuffer(LogHead.byteSize), 0);
  const started = performance.now();
  const writer = LogWriter.open({ disk: nodeDisk(), dir, exchange: 'BINANCE', head });
  console.log(`recovery of the open segment ${(performance.now() - started).toFixed(0)} ms`);
  void writer.close();
}

try {
  await append(new LogHead(new SharedArrayBuffer(LogHead.byteSize), 0));
  read('read, first time');
  const sum = read('read');
  seek();
  reopen();
  console.log(`checksum ${sum >>> 0}`);
} finally {
  fs.rmSync(dir, { recursive: true });
}
