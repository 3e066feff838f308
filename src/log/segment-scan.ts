/** Everything there is to know of one segment, by reading all of it. */
import type { Disk } from '#src/base/disk';
import { assert } from '#src/base/errors';
import { FRAME, FRAME_HEADER_BYTES } from '#src/log/layout';
import { BLOCK_READ, type Damage, NO_BLOCK, SegmentCursor } from '#src/log/segment-cursor';

export interface SegmentScan {
  readonly segment: number;
  /** Name in the header; undefined when the header is damaged. */
  readonly exchange: string | undefined;
  /** Bytes in the file, and up to the end of the last good block. */
  readonly bytes: number;
  readonly validBytes: number;
  readonly frames: number;
  /** Sequence after the last good frame. */
  readonly nextSequence: number;
  /** Receive times of the first and the last good frame, us; 0 when there is none. */
  readonly firstReceiveTimeUs: number;
  readonly minReceiveTimeUs: number;
  readonly maxReceiveTimeUs: number;
  /** What the next block has to repeat; -1 when unknown. */
  readonly chain: number;
  /** Bad bytes before validBytes. Those after it are a torn tail when the segment is open. */
  readonly damage: readonly Damage[];
}

export function scanSegment(disk: Disk, dir: string, segment: number): SegmentScan {
  const damage: Damage[] = [];
  const cursor = new SegmentCursor(disk, dir, (range) => damage.push(range));
  let frames = 0;
  let minReceiveTimeUs = 0;
  let maxReceiveTimeUs = 0;
  try {
    cursor.open(segment);
    const bytes = cursor.fileBytes();
    let found = cursor.advance(bytes);
    for (; found === BLOCK_READ; found = cursor.advance(bytes)) {
      if (frames === 0) minReceiveTimeUs = cursor.firstReceiveTimeUs;
      frames += cursor.frames;
      maxReceiveTimeUs = lastReceiveTimeUs(cursor);
    }
    return {
      segment,
      exchange: cursor.header?.exchange,
      bytes,
      validBytes: found === NO_BLOCK ? cursor.offset : bytes,
      frames,
      nextSequence: cursor.nextSequence,
      firstReceiveTimeUs: cursor.header?.firstReceiveTimeUs ?? minReceiveTimeUs,
      minReceiveTimeUs,
      maxReceiveTimeUs,
      chain: cursor.chain,
      damage,
    };
  } finally {
    cursor.close();
  }
}

/** Receive time of the last frame of the cursor's block. */
function lastReceiveTimeUs(cursor: SegmentCursor): number {
  const { view, payloadStart, payloadEnd, frames, firstReceiveTimeUs } = cursor;
  let at = payloadStart;
  let deltaUs = 0;
  for (let left = frames; left > 0; left--) {
    assert(at + FRAME_HEADER_BYTES <= payloadEnd, 'a proven block is shorter than its frames');
    deltaUs = view.getUint32(at + FRAME.receiveDeltaUs, true);
    at += FRAME_HEADER_BYTES + view.getUint32(at + FRAME.bytes, true);
  }
  return firstReceiveTimeUs + deltaUs;
}
