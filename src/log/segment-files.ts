/**
 * The files of one log: `<first sequence, 20 digits>.log`, and beside each sealed one a `.seal`.
 *
 * A segment without a seal is the open one, always the newest. The seal is written (durably) before
 * the next segment is created, so whatever lies below the newest segment is durable and final.
 */
import { createHash, type Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { type Disk, namesIn, readFile, writeFileDurably } from '#src/base/disk';

const DIGITS = 20;
const LOG = /^(\d{20})\.log$/;
const SEAL = /^(\d{20})\.seal$/;
const READ_BYTES = 1024 * 1024;

/** What is known of a segment that will not change any more. */
export interface Seal {
  readonly exchange: string;
  readonly firstSequence: number;
  /** Below firstSequence when every block of the segment is damaged. */
  readonly lastSequence: number;
  readonly frames: number;
  readonly bytes: number;
  /** Receive times of the first and the last frame, us; 0 when there is none. */
  readonly minReceiveTimeUs: number;
  readonly maxReceiveTimeUs: number;
  /** CRC of the last block, which the next segment's header repeats. */
  readonly lastCrc: number;
  /** Lower-case hex SHA-256 of the whole file. */
  readonly sha256: string;
}

export function segmentName(firstSequence: number): string {
  return String(firstSequence).padStart(DIGITS, '0');
}

export function segmentPath(dir: string, firstSequence: number): string {
  return `${dir}/${segmentName(firstSequence)}.log`;
}

export function sealPath(dir: string, firstSequence: number): string {
  return `${dir}/${segmentName(firstSequence)}.seal`;
}

function list(disk: Disk, dir: string, pattern: RegExp): number[] {
  const sequences = namesIn(disk, dir)
    .flatMap((name) => pattern.exec(name)?.[1] ?? [])
    .map(Number);
  return sequences.sort((a, b) => a - b);
}

/** First sequences of the segments of a log, oldest first; empty when there is no log. */
export function listSegments(disk: Disk, dir: string): number[] {
  return list(disk, dir, LOG);
}

export function listSeals(disk: Disk, dir: string): number[] {
  return list(disk, dir, SEAL);
}

/** The seal's JSON ends with a CRC of itself without it: recovery counts on its last sequence. */
export function writeSeal(disk: Disk, dir: string, seal: Seal): void {
  const text = JSON.stringify({ ...seal, crc: crc32(JSON.stringify(seal)) }, undefined, 2);
  writeFileDurably(disk, sealPath(dir, seal.firstSequence), Buffer.from(`${text}\n`));
}

/** Undefined when there is no seal, or it is damaged (it can be made again from the segment). */
export function readSeal(disk: Disk, dir: string, firstSequence: number): Seal | undefined {
  const path = sealPath(dir, firstSequence);
  if (disk.stat(path) === undefined) return undefined;
  try {
    const { crc, ...seal } = JSON.parse(readFile(disk, path).toString('utf8'));
    const whole = crc === crc32(JSON.stringify(seal)) && seal.firstSequence === firstSequence;
    return whole ? (seal as Seal) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/** SHA-256 over the first `bytes` of a file, open for more. */
export function hashFile(disk: Disk, fd: number, bytes: number): Hash {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, Math.max(bytes, 1)));
  for (let at = 0; at < bytes; ) {
    const count = disk.read(fd, chunk, 0, Math.min(chunk.length, bytes - at), at);
    if (count === 0) break;
    hash.update(chunk.subarray(0, count));
    at += count;
  }
  return hash;
}
