/**
 * What LogWriter.open does before the first append: brings a log left in any state to a clean end.
 *
 *   - a torn tail of the open segment is cut: nobody was told those bytes are durable;
 *   - bad bytes before good blocks are damage: copied to quarantine, reported, never overwritten;
 *     the segment is sealed as it is and a new one begun, so appends always follow clean bytes;
 *   - when the caller knows of durable frames that are gone, the tail is damage too, and their
 *     sequences are not given out again;
 *   - after a failed fsync (`suspect` file) the open segment is written anew: the system keeps pages
 *     it failed to write as if they were clean, and a second fsync would succeed without them.
 */

import { type Disk, makeDirectoryDurably, writeFileDurably, writeFully } from '#src/base/disk';
import { EXIT, UserError } from '#src/base/errors';
import { mark } from '#src/base/marks';
import { SEGMENT_HEADER_BYTES } from '#src/log/layout';
import { type QuarantineRecord, quarantine } from '#src/log/quarantine';
import type { Damage } from '#src/log/segment-cursor';
import {
  hashFile,
  listSeals,
  listSegments,
  readSeal,
  type Seal,
  segmentPath,
  writeSeal,
} from '#src/log/segment-files';
import { type SegmentScan, scanSegment } from '#src/log/segment-scan';

export interface LogRecovery {
  /** Bytes of a torn tail that were cut. */
  readonly cutBytes: number;
  /** Damage in the newest and in unsealed segments; also what was found at earlier opens. */
  readonly damage: readonly QuarantineRecord[];
  /** The open segment was written anew after an fsync had failed. */
  readonly rewritten: boolean;
}

export interface RecoveredLog {
  readonly nextSequence: number;
  /** Largest receive time in the log, us; 0 when it is empty. */
  readonly maxReceiveTimeUs: number;
  /** CRC of the last block; 0 when there is none. */
  readonly lastCrc: number;
  /** The segment to append to, when there is one. */
  readonly open: SegmentScan | undefined;
  readonly report: LogRecovery;
}

export interface RecoveryOptions {
  readonly disk: Disk;
  readonly dir: string;
  readonly exchange: string;
  /** Frames below it were durable and used: the last epoch's position. */
  readonly durableNextSequence: number;
}

const REWRITE_BYTES = 1024 * 1024;

function suspectPath(dir: string): string {
  return `${dir}/suspect`;
}

/** Leaves word for the next open that pages of the open segment may be clean only in memory. */
export function markSuspect(disk: Disk, dir: string): void {
  writeFileDurably(disk, suspectPath(dir), Buffer.from('fsync failed: rewrite before use\n'));
}

export function recoverLog(options: RecoveryOptions): RecoveredLog {
  const { disk, dir } = options;
  makeDirectoryDurably(disk, dir);
  removeTemporaries(disk, dir);
  const segments = listSegments(disk, dir);
  const newest = segments.pop();
  const damage: QuarantineRecord[] = [];
  const seals = new Set(listSeals(disk, dir));
  for (const segment of segments) {
    if (!seals.has(segment)) damage.push(...sealUnsealed(options, scanSegment(disk, dir, segment)));
  }
  const older = segments.at(-1);
  const before = older === undefined ? EMPTY : endOf(disk, dir, older);
  if (newest === undefined) {
    const nextSequence = Math.max(before.nextSequence, options.durableNextSequence);
    clearSuspect(disk, dir);
    const report = { cutBytes: 0, damage, rewritten: false };
    return { ...before, nextSequence, open: undefined, report };
  }
  return recoverNewest(options, newest, before, damage);
}

/** The end of a log, as far as one segment tells. */
type LogEnd = Pick<RecoveredLog, 'nextSequence' | 'maxReceiveTimeUs' | 'lastCrc'>;

const EMPTY: LogEnd = { nextSequence: 0, maxReceiveTimeUs: 0, lastCrc: 0 };

function endOf(disk: Disk, dir: string, segment: number): LogEnd {
  const seal = readSeal(disk, dir, segment);
  if (seal !== undefined) return endOfSeal(seal);
  return endOfScan(scanSegment(disk, dir, segment));
}

function endOfSeal(seal: Seal): LogEnd {
  const { lastSequence, maxReceiveTimeUs, lastCrc } = seal;
  return { nextSequence: lastSequence + 1, maxReceiveTimeUs, lastCrc };
}

function endOfScan(scan: SegmentScan): LogEnd {
  const { nextSequence, maxReceiveTimeUs, chain } = scan;
  return { nextSequence, maxReceiveTimeUs, lastCrc: Math.max(chain, 0) };
}

function recoverNewest(
  options: RecoveryOptions,
  newest: number,
  before: LogEnd,
  damage: QuarantineRecord[],
): RecoveredLog {
  const { disk, dir, durableNextSequence } = options;
  const scan = scanSegment(disk, dir, newest);
  if (scan.exchange !== undefined && scan.exchange !== options.exchange) {
    throw new UserError(
      EXIT.config,
      `${segmentPath(dir, newest)} belongs to ${scan.exchange}, not ${options.exchange}: ` +
        `give each exchange a directory of its own`,
    );
  }
  const seal = readSeal(disk, dir, newest);
  const end = seal === undefined ? endOfScan(scan) : endOfSeal(seal);
  const maxReceiveTimeUs = Math.max(end.maxReceiveTimeUs, before.maxReceiveTimeUs);
  const tailBytes = scan.bytes - scan.validBytes;
  // Every block unreadable: how many frames there were is unknown, but fewer than there are bytes.
  const unreadable = scan.exchange === undefined && scan.frames === 0;
  const unreadableEnd = unreadable && tailBytes > 0 ? newest + scan.bytes : 0;
  const nextSequence = Math.max(
    scan.nextSequence,
    end.nextSequence,
    durableNextSequence,
    unreadableEnd,
  );
  const lost = nextSequence > scan.nextSequence;

  const ranges: Damage[] = [...scan.damage];
  if (lost) {
    ranges.push({
      segment: newest,
      offset: scan.validBytes,
      end: scan.bytes,
      firstSequence: scan.nextSequence,
      nextSequence,
    });
  }
  for (const range of ranges) damage.push(toQuarantine(options, range));

  // Sealed means final, and unreadable bytes are not known to be a tail: neither is cut.
  const cutBytes = seal === undefined && !unreadable ? tailBytes : 0;
  const rewritten = disk.stat(suspectPath(dir)) !== undefined;
  if (seal === undefined || rewritten) {
    makeDurable(disk, dir, newest, scan.bytes - cutBytes, rewritten);
  }

  const report: LogRecovery = { cutBytes, damage, rewritten };
  const recovered = { nextSequence, maxReceiveTimeUs, lastCrc: end.lastCrc, report };
  if (unreadable && nextSequence === newest) {
    // Only the header was there. Its copy is in quarantine; the next segment takes the name.
    disk.unlink(segmentPath(dir, newest));
    disk.syncDirectory(dir);
    return { ...recovered, open: undefined };
  }
  if (seal === undefined && ranges.length > 0) {
    sealScanned(options, { ...scan, bytes: scan.bytes - cutBytes });
  }
  const clean = seal === undefined && ranges.length === 0;
  return { ...recovered, open: clean ? { ...scan, bytes: scan.validBytes } : undefined };
}

/** Cuts the segment to `bytes` and syncs them, written anew when they may not be on the disk. */
function makeDurable(
  disk: Disk,
  dir: string,
  segment: number,
  bytes: number,
  rewrite: boolean,
): void {
  const fd = disk.open(segmentPath(dir, segment), 'update');
  try {
    if (disk.size(fd) > bytes) {
      mark('log: a torn tail was cut');
      disk.truncate(fd, bytes);
    }
    if (rewrite) {
      mark('log: a segment was written anew after a failed fsync');
      rewriteInPlace(disk, fd, bytes);
    }
    try {
      disk.fsync(fd);
    } catch (error) {
      markSuspect(disk, dir);
      throw error;
    }
  } finally {
    disk.close(fd);
  }
  // Whoever created the segment may have been killed before its name was durable.
  disk.syncDirectory(dir);
  clearSuspect(disk, dir);
}

function clearSuspect(disk: Disk, dir: string): void {
  if (disk.stat(suspectPath(dir)) === undefined) return;
  disk.unlink(suspectPath(dir));
  disk.syncDirectory(dir);
}

/** The same bytes again, in the same file: readers notice nothing, the system writes them out. */
function rewriteInPlace(disk: Disk, fd: number, bytes: number): void {
  const chunk = Buffer.allocUnsafeSlow(REWRITE_BYTES);
  for (let at = 0; at < bytes; ) {
    const count = disk.read(fd, chunk, 0, Math.min(REWRITE_BYTES, bytes - at), at);
    if (count === 0) break;
    writeFully(disk, fd, chunk, at, count);
    at += count;
  }
}

/** An older segment without a (whole) seal: makes the seal again. */
function sealUnsealed(options: RecoveryOptions, scan: SegmentScan): QuarantineRecord[] {
  const ranges: Damage[] = [...scan.damage];
  if (scan.validBytes < scan.bytes) {
    const { segment, validBytes: offset, bytes: end, nextSequence } = scan;
    ranges.push({ segment, offset, end, firstSequence: nextSequence, nextSequence });
  }
  const records = ranges.map((range) => toQuarantine(options, range));
  sealScanned(options, scan);
  return records;
}

function sealScanned(options: RecoveryOptions, scan: SegmentScan): void {
  const { disk, dir, exchange } = options;
  const fd = disk.open(segmentPath(dir, scan.segment), 'read');
  try {
    writeSeal(disk, dir, {
      exchange,
      firstSequence: scan.segment,
      lastSequence: scan.nextSequence - 1,
      frames: scan.frames,
      bytes: scan.bytes,
      minReceiveTimeUs: scan.minReceiveTimeUs,
      maxReceiveTimeUs: scan.maxReceiveTimeUs,
      lastCrc: Math.max(scan.chain, 0),
      sha256: hashFile(disk, fd, scan.bytes).digest('hex'),
    });
  } finally {
    disk.close(fd);
  }
}

function toQuarantine(options: RecoveryOptions, range: Damage): QuarantineRecord {
  const { disk, dir, exchange } = options;
  const reason =
    range.offset < SEGMENT_HEADER_BYTES
      ? 'The segment header does not match its checksum or its file name.'
      : range.end > range.offset
        ? 'These bytes are not whole blocks of this log.'
        : 'Frames that were durable are missing here.';
  const record: QuarantineRecord = { exchange, ...range, reason };
  mark('log: damage was quarantined');
  quarantine(disk, dir, record);
  return record;
}

/** Files whose writing was cut short; nothing refers to them. */
function removeTemporaries(disk: Disk, dir: string): void {
  for (const name of disk.readdir(dir)) {
    if (name.endsWith('.tmp')) disk.unlink(`${dir}/${name}`);
  }
}
