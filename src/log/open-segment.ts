/**
 * The segment that is being written: made, found again after a restart, and sealed.
 *
 * A segment's header is durable before its file has its name, and its seal is durable before the
 * next segment is made: whatever lies below the newest segment is whole.
 */
import { createHash, type Hash } from 'node:crypto';
import { type Disk, writeFileDurably } from '#src/base/disk';
import { assert } from '#src/base/errors';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from '#src/log/layout';
import { hashFile, segmentPath, writeSeal } from '#src/log/segment-files';
import type { SegmentScan } from '#src/log/segment-scan';

export interface OpenSegment {
  readonly fd: number;
  readonly firstSequence: number;
  /** CRC of the header, repeated in every block. */
  readonly tag: number;
  /** Receive time of the frame the segment was made for, us: its age counts from here. */
  readonly createdUs: number;
  /** Of everything written so far. */
  readonly hash: Hash;
  bytes: number;
  frames: number;
  /** Receive time of the first frame that is in it, us. */
  minTimeUs: number;
}

export function createSegment(
  disk: Disk,
  dir: string,
  header: Omit<SegmentHeader, 'version' | 'tag'>,
): OpenSegment {
  const path = segmentPath(dir, header.firstSequence);
  const bytes = encodeSegmentHeader(header);
  writeFileDurably(disk, path, bytes);
  return {
    fd: disk.open(path, 'update'),
    firstSequence: header.firstSequence,
    tag: tagOf(bytes),
    createdUs: header.firstReceiveTimeUs,
    hash: createHash('sha256').update(bytes),
    bytes: bytes.length,
    frames: 0,
    minTimeUs: header.firstReceiveTimeUs,
  };
}

/** Goes on in the segment that recovery left open. */
export function resumeSegment(disk: Disk, dir: string, scan: SegmentScan): OpenSegment {
  const fd = disk.open(segmentPath(dir, scan.segment), 'update');
  try {
    const header = Buffer.allocUnsafe(SEGMENT_HEADER_BYTES);
    disk.read(fd, header, 0, header.length, 0);
    return {
      fd,
      firstSequence: scan.segment,
      tag: tagOf(header),
      createdUs: scan.firstReceiveTimeUs,
      hash: hashFile(disk, fd, scan.bytes),
      bytes: scan.bytes,
      frames: scan.frames,
      minTimeUs: scan.minReceiveTimeUs,
    };
  } catch (error) {
    disk.close(fd);
    throw error;
  }
}

/** Writes the seal of a segment whose bytes are durable, and closes it. */
export function sealSegment(
  disk: Disk,
  dir: string,
  exchange: string,
  segment: OpenSegment,
  end: { readonly nextSequence: number; readonly maxTimeUs: number; readonly lastCrc: number },
): void {
  writeSeal(disk, dir, {
    exchange,
    firstSequence: segment.firstSequence,
    lastSequence: end.nextSequence - 1,
    frames: segment.frames,
    bytes: segment.bytes,
    minReceiveTimeUs: segment.minTimeUs,
    maxReceiveTimeUs: end.maxTimeUs,
    lastCrc: end.lastCrc,
    // A copy: when the seal cannot be written, the segment stays open and is sealed later.
    sha256: segment.hash.copy().digest('hex'),
  });
  disk.close(segment.fd);
}

function tagOf(header: Uint8Array): number {
  const tag = decodeSegmentHeader(header)?.tag;
  assert(tag !== undefined, 'the open segment has no whole header');
  return tag;
}
