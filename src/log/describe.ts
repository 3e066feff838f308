/** What a log consists of, for people and tools. Reads only; works beside a running writer. */
import type { Disk } from '#src/base/disk';
import { listQuarantine, type QuarantineRecord } from '#src/log/quarantine';
import type { Damage } from '#src/log/segment-cursor';
import { hashFile, listSegments, readSeal, type Seal, segmentPath } from '#src/log/segment-files';
import { type SegmentScan, scanSegment } from '#src/log/segment-scan';

export interface SegmentDescription {
  readonly firstSequence: number;
  /** Sequence after the last good frame. */
  readonly nextSequence: number;
  readonly frames: number;
  readonly bytes: number;
  readonly minReceiveTimeUs: number;
  readonly maxReceiveTimeUs: number;
  readonly sealed: boolean;
  /** Bad byte ranges; known only of segments that were read: open ones, or all with `verify`. */
  readonly damage: readonly Damage[];
  /** Bytes after the last good block. In the newest segment a block half written, else damage. */
  readonly tailBytes: number;
  /** With `verify`, of sealed segments: whether the file still has the seal's SHA-256. */
  readonly digestHolds: boolean | undefined;
}

export interface LogDescription {
  readonly segments: readonly SegmentDescription[];
  readonly quarantine: readonly QuarantineRecord[];
}

/** With `verify` every byte is read and checked; without, sealed segments are as their seals say. */
export function describeLog(disk: Disk, dir: string, verify = false): LogDescription {
  const segments = listSegments(disk, dir).map((segment) => {
    const seal = readSeal(disk, dir, segment);
    if (seal !== undefined && !verify) return describeSeal(seal);
    const digestHolds = seal && sha256(disk, dir, segment) === seal.sha256;
    return describeScan(scanSegment(disk, dir, segment), seal !== undefined, digestHolds);
  });
  return { segments, quarantine: listQuarantine(disk, dir) };
}

function describeSeal(seal: Seal): SegmentDescription {
  const { firstSequence, lastSequence, frames, bytes, minReceiveTimeUs, maxReceiveTimeUs } = seal;
  return {
    firstSequence,
    nextSequence: lastSequence + 1,
    frames,
    bytes,
    minReceiveTimeUs,
    maxReceiveTimeUs,
    sealed: true,
    damage: [],
    tailBytes: 0,
    digestHolds: undefined,
  };
}

function describeScan(
  scan: SegmentScan,
  sealed: boolean,
  digestHolds: boolean | undefined,
): SegmentDescription {
  const { nextSequence, frames, bytes, minReceiveTimeUs, maxReceiveTimeUs, damage } = scan;
  return {
    firstSequence: scan.segment,
    nextSequence,
    frames,
    bytes,
    minReceiveTimeUs,
    maxReceiveTimeUs,
    sealed,
    damage,
    tailBytes: bytes - scan.validBytes,
    digestHolds,
  };
}

function sha256(disk: Disk, dir: string, segment: number): string {
  const fd = disk.open(segmentPath(dir, segment), 'read');
  try {
    return hashFile(disk, fd, disk.size(fd)).digest('hex');
  } finally {
    disk.close(fd);
  }
}
