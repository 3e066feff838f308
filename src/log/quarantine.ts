/**
 * Damaged bytes are copied to `<log>/quarantine/` with a record of what they were, so that nobody
 * has to work on the log itself to look at them. The log keeps them in place too; readers step over.
 * Names follow from the range, so finding the same damage again changes nothing.
 */
import {
  type Disk,
  makeDirectoryDurably,
  namesIn,
  readFile,
  writeFileDurably,
  writeFully,
} from '#src/base/disk';
import type { Damage } from '#src/log/segment-cursor';
import { segmentName, segmentPath } from '#src/log/segment-files';

const COPY_BYTES = 1024 * 1024;

/** A damaged range as it stands in the record beside its bytes. */
export interface QuarantineRecord extends Damage {
  readonly exchange: string;
  /** Why the bytes are no part of the log: a sentence for whoever finds them. */
  readonly reason: string;
}

function quarantineDir(dir: string): string {
  return `${dir}/quarantine`;
}

/** Copies the range and writes its record; false when that was done before. */
export function quarantine(disk: Disk, dir: string, record: QuarantineRecord): boolean {
  const folder = quarantineDir(dir);
  const name = `${segmentName(record.segment)}.${record.offset}-${record.end}`;
  const recordPath = `${folder}/${name}.json`;
  if (disk.stat(recordPath) !== undefined) return false;
  makeDirectoryDurably(disk, folder);
  copyRange(disk, segmentPath(dir, record.segment), record, `${folder}/${name}.bin`);
  // The record last: where it is, its bytes are.
  writeFileDurably(disk, recordPath, Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`));
  return true;
}

/** All records, in the order of their names. */
export function listQuarantine(disk: Disk, dir: string): QuarantineRecord[] {
  const folder = quarantineDir(dir);
  return namesIn(disk, folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => JSON.parse(readFile(disk, `${folder}/${name}`).toString('utf8')));
}

function copyRange(disk: Disk, from: string, range: Damage, to: string): void {
  const source = disk.open(from, 'read');
  try {
    const target = disk.open(to, 'create');
    try {
      const chunk = Buffer.allocUnsafeSlow(COPY_BYTES);
      for (let at = range.offset; at < range.end; ) {
        const count = disk.read(source, chunk, 0, Math.min(COPY_BYTES, range.end - at), at);
        if (count === 0) break;
        writeFully(disk, target, chunk, at - range.offset, count);
        at += count;
      }
      disk.fsync(target);
    } finally {
      disk.close(target);
    }
  } finally {
    disk.close(source);
  }
}
