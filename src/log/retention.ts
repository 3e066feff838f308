/** Deleting old segments of a log, once whatever they hold is kept elsewhere. */
import type { Disk } from '#src/base/disk';
import { listSeals, listSegments, sealPath, segmentPath } from '#src/log/segment-files';

/**
 * Deletes the segments that hold only frames below `sequence`, never the newest. Returns the first
 * sequence of each segment deleted. A reader that has one open can finish it.
 */
export function dropSegmentsBelow(disk: Disk, dir: string, sequence: number): number[] {
  const segments = listSegments(disk, dir);
  const dropped = segments.filter((_, i) => {
    const next = segments[i + 1];
    return next !== undefined && next <= sequence;
  });
  // Oldest first, so that a crash in between leaves a log without holes; seals after their segment.
  for (const segment of dropped) disk.unlink(segmentPath(dir, segment));
  const oldest = segments[dropped.length] ?? 0;
  for (const seal of listSeals(disk, dir)) {
    if (seal < oldest) disk.unlink(sealPath(dir, seal));
  }
  if (dropped.length > 0) disk.syncDirectory(dir);
  return dropped;
}
