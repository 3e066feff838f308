/** How much of a bronze log is past its time. */
import type { Disk } from '#src/base/disk';
import { listSegments, readSeal } from '#src/log/segment-files';

export interface PastLog {
  /** Sequence of the first frame to keep. */
  readonly keepFrom: number;
  readonly segments: number;
  readonly frames: number;
  readonly bytes: number;
}

/**
 * The sealed segments at the start of the log whose frames are all below `covered` and were received
 * before `cutUs`. It ends at the first segment that is not, so the log never gets a hole.
 */
export function pastLog(disk: Disk, dir: string, covered: number, cutUs: number): PastLog {
  const segments = listSegments(disk, dir);
  const past = { keepFrom: segments[0] ?? 0, segments: 0, frames: 0, bytes: 0 };
  for (const [i, segment] of segments.entries()) {
    const next = segments[i + 1];
    if (next === undefined || next > covered) break;
    const seal = readSeal(disk, dir, segment);
    if (seal === undefined || seal.maxReceiveTimeUs >= cutUs) break;
    past.keepFrom = next;
    past.segments++;
    past.frames += seal.frames;
    past.bytes += seal.bytes;
  }
  return past;
}
