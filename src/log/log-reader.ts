/**
 * A cursor over the frames of a log, in order, across segments, without an object per frame.
 *
 * `next` moves to the next frame and fills the fields; false means there is nothing more for now,
 * and a later call goes on where it stopped. With the writer's head the reader follows the log as
 * it grows, from any thread; without one it reads what is on disk and stops at a torn tail.
 * `bytes` is the reader's own buffer: a frame is valid until the next call.
 *
 * Only proven blocks are shown. What is missing between them is told to `onGap`, never passed over.
 */

import type { Disk } from '#src/base/disk';
import { assert } from '#src/base/errors';
import { mark } from '#src/base/marks';
import { FRAME, FRAME_HEADER_BYTES } from '#src/log/layout';
import type { LogHead } from '#src/log/log-head';
import { BLOCK_READ, type Damage, NO_BLOCK, SegmentCursor } from '#src/log/segment-cursor';
import { listSegments } from '#src/log/segment-files';

export interface LogReaderOptions {
  readonly disk: Disk;
  readonly dir: string;
  /** The name in the segments' headers; one with another name was put there by mistake. */
  readonly exchange?: string;
  /** The first frame wanted. */
  readonly fromSequence: number;
  readonly head?: LogHead;
  /**
   * Told of damaged bytes and of missing sequences at or above fromSequence. An empty byte range:
   * the bytes that held the sequences are not there at all.
   */
  readonly onGap?: (gap: Damage) => void;
}

export class LogReader {
  /** The frame is bytes[start, end). */
  bytes: Buffer;
  start = 0;
  end = 0;
  kind = 0;
  connection = 0;
  receiveTimeUs = 0;
  sequence = -1;

  /** Sequences that should have been there and were not, since open or seek. */
  skippedSequences = 0;

  readonly #disk: Disk;
  readonly #dir: string;
  readonly #head: LogHead | undefined;
  readonly #onGap: ((gap: Damage) => void) | undefined;
  readonly #cursor: SegmentCursor;
  #view: DataView;

  /** The first frame still wanted: frames below it are stepped over. */
  #wanted: number;
  /** Frames of the current block not shown yet, where they begin, and where the block ends. */
  #left = 0;
  #at = 0;
  #blockEnd = 0;
  #blockTimeUs = 0;
  #nextSequence = 0;
  /** Bytes of the current segment that may be read. */
  #limit = 0;

  static open(options: LogReaderOptions): LogReader {
    return new LogReader(options);
  }

  private constructor(options: LogReaderOptions) {
    this.#disk = options.disk;
    this.#dir = options.dir;
    this.#head = options.head;
    this.#onGap = options.onGap;
    this.#wanted = options.fromSequence;
    this.#cursor = new SegmentCursor(
      options.disk,
      options.dir,
      (damage) => this.#report(damage),
      options.exchange,
    );
    this.bytes = this.#cursor.bytes;
    this.#view = this.#cursor.view;
  }

  /** Moves to the next frame; false when there is none for now. */
  next(): boolean {
    if (this.#left === 0 && !this.#nextBlock()) return false;
    const view = this.#view;
    const at = this.#at;
    const start = at + FRAME_HEADER_BYTES;
    const end = start + view.getUint32(at + FRAME.bytes, true);
    if (end > this.#blockEnd) this.#badBlock();
    this.receiveTimeUs = this.#blockTimeUs + view.getUint32(at + FRAME.receiveDeltaUs, true);
    this.connection = view.getUint16(at + FRAME.connection, true);
    this.kind = view.getUint8(at + FRAME.kind);
    this.start = start;
    this.end = end;
    this.sequence = this.#nextSequence++;
    this.#at = end;
    this.#left--;
    return true;
  }

  /** Goes to a frame, forwards or backwards; the next call of `next` shows it. */
  seek(sequence: number): void {
    this.#cursor.close();
    this.#wanted = sequence;
    this.#left = 0;
    this.skippedSequences = 0;
  }

  close(): void {
    this.#cursor.close();
    this.#left = 0;
  }

  #nextBlock(): boolean {
    const cursor = this.#cursor;
    if (!cursor.isOpen && !this.#openAt(this.#wanted)) return false;
    for (;;) {
      const found = cursor.advance(this.#limit);
      if (found === BLOCK_READ) {
        if (cursor.nextSequence <= this.#wanted) continue;
        this.#enterBlock();
        return true;
      }
      if (!this.#moreToRead(found === NO_BLOCK)) return false;
    }
  }

  /** After the last good block below the limit: a higher limit, or the next segment. */
  #moreToRead(badTail: boolean): boolean {
    const cursor = this.#cursor;
    const head = this.#head;
    const limit = this.#limit;
    head?.refresh();
    this.#limit = this.#readable();
    if (this.#limit > limit) return true;
    if (head !== undefined && head.segment <= cursor.segment) {
      // The writer vouched for these bytes, so they are damaged, and it knows what follows them.
      if (badTail && limit > 0) cursor.skipTo(limit, head.nextSequence);
      return false;
    }
    const next = listSegments(this.#disk, this.#dir).find((segment) => segment > cursor.segment);
    if (next === undefined) return false;
    // A newer segment: this one is final. The writer may have added to it since we looked.
    this.#limit = cursor.fileBytes();
    if (this.#limit > limit) return true;
    if (badTail || next > cursor.nextSequence) cursor.skipTo(limit, next);
    this.#open(next);
    return true;
  }

  /** Opens the segment that holds `sequence`, at or shortly before its block. */
  #openAt(sequence: number): boolean {
    const head = this.#head;
    if (head !== undefined) {
      head.refresh();
      if (head.nextSequence <= sequence) return false;
    }
    const segments = listSegments(this.#disk, this.#dir);
    const holding = segments.filter((segment) => segment <= sequence).at(-1);
    const first = holding ?? segments[0];
    if (first === undefined) return false;
    if (holding === undefined) {
      this.#report({ segment: first, offset: 0, end: 0, firstSequence: 0, nextSequence: first });
    }
    this.#cursor.nextSequence = 0;
    this.#open(first);
    this.#cursor.seek(sequence, this.#limit);
    return true;
  }

  #open(segment: number): void {
    this.#cursor.open(segment);
    this.#limit = this.#readable();
  }

  /** Bytes of the cursor's segment that may be read now. */
  #readable(): number {
    const head = this.#head;
    const segment = this.#cursor.segment;
    if (head === undefined || head.segment > segment) return this.#cursor.fileBytes();
    return head.segment === segment ? head.validBytes : 0;
  }

  #enterBlock(): void {
    const cursor = this.#cursor;
    this.bytes = cursor.bytes;
    this.#view = cursor.view;
    this.#at = cursor.payloadStart;
    this.#blockEnd = cursor.payloadEnd;
    this.#blockTimeUs = cursor.firstReceiveTimeUs;
    this.#nextSequence = cursor.firstSequence;
    this.#left = cursor.frames;
    while (this.#nextSequence < this.#wanted) {
      if (this.#at + FRAME_HEADER_BYTES > this.#blockEnd) this.#badBlock();
      this.#at += FRAME_HEADER_BYTES + this.#view.getUint32(this.#at + FRAME.bytes, true);
      this.#nextSequence++;
      this.#left--;
    }
  }

  /** Damage below the first frame wanted is not this reader's. */
  #report(damage: Damage): void {
    mark('log: a reader stepped over damage');
    const firstSequence = Math.max(damage.firstSequence, this.#wanted);
    if (damage.nextSequence < this.#wanted) return;
    const skipped = damage.nextSequence - firstSequence;
    if (skipped <= 0 && damage.end === damage.offset) return;
    this.skippedSequences += Math.max(skipped, 0);
    this.#onGap?.({ ...damage, firstSequence });
  }

  #badBlock(): never {
    const { segment, blockOffset } = this.#cursor;
    assert(false, `block at byte ${blockOffset} of segment ${segment} is proven yet malformed`);
  }
}
