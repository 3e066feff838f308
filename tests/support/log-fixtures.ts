/** Frames, writers and readers for the tests of the bronze log. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import fc from 'fast-check';
import type { Disk } from '#src/base/disk';
import { LogHead } from '#src/log/log-head';
import { LogReader } from '#src/log/log-reader';
import { LogWriter, type LogWriterOptions } from '#src/log/log-writer';
import type { Damage } from '#src/log/segment-cursor';

export interface TestFrame {
  readonly bytes: Uint8Array;
  readonly kind: number;
  readonly connection: number;
  readonly receiveTimeUs: number;
}

export interface ReadFrame extends TestFrame {
  readonly sequence: number;
}

export const START_US = 1_700_000_000_000_000;
export const DIR = '/log';

export function newHead(): LogHead {
  return new LogHead(new SharedArrayBuffer(LogHead.byteSize), 0);
}

export function openWriter(disk: Disk, options: Partial<LogWriterOptions> = {}): LogWriter {
  return LogWriter.open({ disk, dir: DIR, exchange: 'BINANCE', head: newHead(), ...options });
}

export function appendFrame(writer: LogWriter, frame: TestFrame): number {
  return writer.append(frame.bytes, frame.kind, frame.connection, frame.receiveTimeUs);
}

/** Frame i of a stream that is different in every frame. */
export function frameOf(i: number, bytes = 8 + (i % 23)): TestFrame {
  const content = Buffer.alloc(bytes, `frame ${i};`);
  return { bytes: content, kind: i % 5, connection: i % 7, receiveTimeUs: START_US + i * 10 };
}

export function readFrame(reader: LogReader): ReadFrame {
  const { kind, connection, receiveTimeUs, sequence } = reader;
  const bytes = Buffer.from(reader.bytes.subarray(reader.start, reader.end));
  return { bytes, kind, connection, receiveTimeUs, sequence };
}

export interface ReadLog {
  readonly frames: readonly ReadFrame[];
  readonly gaps: readonly Damage[];
  readonly skipped: number;
}

/** Everything on disk from `fromSequence` on. */
export function readLog(disk: Disk, fromSequence = 0, dir = DIR): ReadLog {
  const gaps: Damage[] = [];
  const onGap = (gap: Damage) => gaps.push(gap);
  const reader = LogReader.open({ disk, dir, fromSequence, onGap });
  const frames: ReadFrame[] = [];
  while (reader.next()) frames.push(readFrame(reader));
  reader.close();
  return { frames, gaps, skipped: reader.skippedSequences };
}

export const arbitraryFrame: fc.Arbitrary<TestFrame> = fc.record({
  bytes: fc.uint8Array({ maxLength: 300, size: 'max' }),
  kind: fc.nat(255),
  connection: fc.nat(65535),
  receiveTimeUs: fc.nat(10_000_000).map((us) => START_US + us),
});

/** What the log gives back for these frames: receive times never decrease. */
export function asRead(frames: readonly TestFrame[], firstSequence = 0): ReadFrame[] {
  let lastUs = 0;
  return frames.map((frame, i) => {
    lastUs = Math.max(lastUs, frame.receiveTimeUs);
    const bytes = Buffer.from(frame.bytes);
    return { ...frame, bytes, receiveTimeUs: lastUs, sequence: firstSequence + i };
  });
}

/** A seeded generator for crashes: mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Runs `use` with a fresh directory that is removed afterwards. */
export async function inTemporaryDirectory(use: (dir: string) => Promise<void>): Promise<void> {
  const dir = fs.mkdtempSync(`${tmpdir()}/bullion-log-`);
  try {
    await use(dir);
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
}
