/**
 * Reads the blocks of one segment in order and vouches for each: a block is shown only when its CRC,
 * its tag, its sequence and its chain to the block before it hold.
 *
 * Where they do not, the cursor looks for the next block that proves itself, reports the bytes in
 * between as damaged and goes on there. When no good block follows before the limit it stops: those
 * bytes are a torn tail or damage, which only the caller can tell (is the segment still open?).
 *
 * One cursor is used for one segment after another; its 1 MiB buffer grows for larger blocks only.
 */
import { crc32 } from 'node:zlib';
import type { Disk } from '#src/base/disk';
import { assert, EXIT, errorCode, UserError } from '#src/base/errors';
import {
  BLOCK,
  BLOCK_HEADER_BYTES,
  BLOCK_MAGIC,
  BLOCK_MAGIC_BYTES,
  BLOCK_PAYLOAD_BYTES_MAX,
  decodeSegmentHeader,
  FORMAT_VERSION,
  FRAME_HEADER_BYTES,
  getUint53,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  viewOf,
} from '#src/log/layout';
import { segmentPath } from '#src/log/segment-files';

/** Bytes that are no good block, and the sequences that are lost with them. */
export interface Damage {
  /** First sequence of the segment, which names its file. */
  readonly segment: number;
  /** Byte range [offset, end) in the file; empty when sequences are missing between good bytes. */
  readonly offset: number;
  readonly end: number;
  /** Sequences [firstSequence, nextSequence) are lost; equal when only a header is. */
  readonly firstSequence: number;
  readonly nextSequence: number;
}

/** What `advance` found. */
export const BLOCK_READ = 1;
/** All blocks up to the limit have been read. */
export const AT_LIMIT = 0;
/** From here to the limit there is no good block. */
export const NO_BLOCK = 2;
export type Advance = typeof BLOCK_READ | typeof AT_LIMIT | typeof NO_BLOCK;

const CHUNK_BYTES = 1024 * 1024;
/** Seeking reads this much at a block header it has not seen: many small blocks, or one large. */
const SEEK_BYTES = 16 * 1024;
/** Any tag, any chain: the header or the block that would say is damaged. */
const UNKNOWN = -1;
/** No block's tag: a whole header that is another segment's, so no block here is this one's. */
const FOREIGN = -2;

export class SegmentCursor {
  bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  view = viewOf(this.bytes);

  /** First sequence of the open segment. */
  segment = 0;
  /** Undefined when the segment's header is damaged. */
  header: SegmentHeader | undefined;
  /** Where the next block begins in the file. */
  offset = 0;
  /** Sequence of the frame after the last block read. */
  nextSequence = 0;

  /** The block last read: its place in the file, its frames in `bytes`, its header. */
  blockOffset = 0;
  payloadStart = 0;
  payloadEnd = 0;
  frames = 0;
  firstSequence = 0;
  firstReceiveTimeUs = 0;
  /** CRC of the block last read, or of the segment header: what the next block has to repeat. */
  chain = UNKNOWN;

  readonly #disk: Disk;
  readonly #dir: string;
  readonly #onDamage: (damage: Damage) => void;
  readonly #exchange: string | undefined;
  #tag = UNKNOWN;
  #fd = UNKNOWN;
  /** The file's bytes [windowAt, windowAt + windowBytes) are at the start of `bytes`. */
  #windowAt = 0;
  #windowBytes = 0;
  /** Nothing beyond is read, not even ahead: the writer may be at work there. */
  #limit = 0;

  /** With `exchange`, a segment of another one's log is no segment of this. */
  constructor(disk: Disk, dir: string, onDamage: (damage: Damage) => void, exchange?: string) {
    this.#exchange = exchange;
    this.#disk = disk;
    this.#dir = dir;
    this.#onDamage = onDamage;
  }

  get isOpen(): boolean {
    return this.#fd !== UNKNOWN;
  }

  /** Goes to the first block of a segment. Headers are durable before their file has its name. */
  open(segment: number): void {
    this.close();
    this.#fd = this.#disk.open(segmentPath(this.#dir, segment), 'read');
    this.segment = segment;
    this.#windowBytes = 0;
    this.nextSequence = Math.max(this.nextSequence, segment);
    const headerBytes = Math.min(SEGMENT_HEADER_BYTES, this.fileBytes());
    this.#limit = headerBytes;
    this.#fill(0, headerBytes);
    const header = decodeSegmentHeader(this.bytes.subarray(0, this.#windowBytes));
    if (header !== undefined && header.version !== FORMAT_VERSION) {
      throw new UserError(
        EXIT.config,
        `${segmentPath(this.#dir, segment)} has format version ${header.version}, this program ` +
          `reads version ${FORMAT_VERSION}: use the program that wrote it`,
      );
    }
    const isOwn =
      header?.firstSequence === segment &&
      (this.#exchange === undefined || header.exchange === this.#exchange);
    this.header = isOwn ? header : undefined;
    this.chain = this.header?.tag ?? UNKNOWN;
    this.#tag = header !== undefined && !isOwn ? FOREIGN : this.chain;
    this.offset = headerBytes;
    if (this.header === undefined) this.#report(0, headerBytes, segment, segment);
  }

  close(): void {
    if (this.#fd !== UNKNOWN) this.#disk.close(this.#fd);
    this.#fd = UNKNOWN;
  }

  /** Bytes in the segment's file now. */
  fileBytes(): number {
    return this.#disk.size(this.#fd);
  }

  /** Reads the next block that ends at or before byte `limit` of the file. */
  advance(limit: number): Advance {
    const from = this.offset;
    if (from >= limit) return AT_LIMIT;
    this.#limit = limit;
    if (this.#isBlock(from, false)) {
      this.#take(from);
      return BLOCK_READ;
    }
    const expected = this.nextSequence;
    const found = this.#search(from);
    if (found === UNKNOWN) {
      this.#windowBytes = 0; // the tail may be overwritten: read it again next time
      return NO_BLOCK;
    }
    this.#take(found);
    this.#report(from, found, expected, this.firstSequence);
    return BLOCK_READ;
  }

  /** Gives up the bytes up to `limit` after NO_BLOCK; `nextSequence` is what follows them. */
  skipTo(limit: number, nextSequence: number): void {
    this.#report(this.offset, limit, this.nextSequence, nextSequence);
    this.offset = limit;
    this.nextSequence = Math.max(this.nextSequence, nextSequence);
    this.chain = UNKNOWN;
  }

  /**
   * Moves to the last block whose first sequence is not above `sequence`, by block headers alone,
   * so that `advance` reads it next. Headers alone prove nothing: when that block turns out not to
   * be good, nothing moves, and reading begins where the cursor is.
   */
  seek(sequence: number, limit: number): void {
    this.#limit = limit;
    const start = this.offset;
    const startSequence = this.nextSequence;
    let landing = start;
    let landingSequence = startSequence;
    let expected = startSequence;
    for (let at = start; limit - at >= BLOCK_HEADER_BYTES; ) {
      if (!this.#fill(at, BLOCK_HEADER_BYTES, SEEK_BYTES) || !this.#isHeader(at)) break;
      const header = at - this.#windowAt;
      if (getUint53(this.view, header + BLOCK.firstSequence) !== expected) break;
      if (expected > sequence) break;
      landing = at;
      landingSequence = expected;
      expected += this.view.getUint32(header + BLOCK.frames, true);
      at += BLOCK_HEADER_BYTES + this.view.getUint32(header + BLOCK.payloadBytes, true);
      if (sequence < expected) break;
    }
    if (landing === start) return;
    const chain = this.chain;
    this.nextSequence = landingSequence;
    this.chain = UNKNOWN;
    if (this.#isBlock(landing, false)) {
      this.offset = landing;
    } else {
      this.nextSequence = startSequence;
      this.chain = chain;
    }
  }

  #report(offset: number, end: number, firstSequence: number, nextSequence: number): void {
    this.#onDamage({ segment: this.segment, offset, end, firstSequence, nextSequence });
  }

  /** Makes the block at `offset`, which is in the window and proven, the current one. */
  #take(offset: number): void {
    const at = offset - this.#windowAt;
    const view = this.view;
    this.blockOffset = offset;
    this.payloadStart = at + BLOCK_HEADER_BYTES;
    this.payloadEnd = this.payloadStart + view.getUint32(at + BLOCK.payloadBytes, true);
    this.frames = view.getUint32(at + BLOCK.frames, true);
    this.firstSequence = getUint53(view, at + BLOCK.firstSequence);
    this.firstReceiveTimeUs = getUint53(view, at + BLOCK.firstReceiveTimeUs);
    this.chain = view.getUint32(at + BLOCK.crc, true);
    this.#tag = view.getUint32(at + BLOCK.tag, true);
    this.nextSequence = this.firstSequence + this.frames;
    this.offset = offset + (this.payloadEnd - at);
  }

  /** The header at `offset`, which is in the window, could be one of this segment's. */
  #isHeader(offset: number): boolean {
    const at = offset - this.#windowAt;
    const view = this.view;
    if (view.getUint32(at + BLOCK.magic, true) !== BLOCK_MAGIC) return false;
    if (this.#tag !== UNKNOWN && view.getUint32(at + BLOCK.tag, true) !== this.#tag) return false;
    const payloadBytes = view.getUint32(at + BLOCK.payloadBytes, true);
    const frames = view.getUint32(at + BLOCK.frames, true);
    return (
      payloadBytes <= BLOCK_PAYLOAD_BYTES_MAX &&
      offset + BLOCK_HEADER_BYTES + payloadBytes <= this.#limit &&
      frames > 0 &&
      frames * FRAME_HEADER_BYTES <= payloadBytes
    );
  }

  /**
   * There is a whole block at `offset` that may come next. After damage (`resync`) sequences may be
   * missing before it; a block that repeats sequences, or fits but does not chain, is never taken.
   */
  #isBlock(offset: number, resync: boolean): boolean {
    if (this.#limit - offset < BLOCK_HEADER_BYTES || !this.#fill(offset, BLOCK_HEADER_BYTES))
      return false;
    if (!this.#isHeader(offset)) return false;
    let at = offset - this.#windowAt;
    const blockBytes = BLOCK_HEADER_BYTES + this.view.getUint32(at + BLOCK.payloadBytes, true);
    if (!this.#fill(offset, blockBytes)) return false;
    at = offset - this.#windowAt;
    const first = getUint53(this.view, at + BLOCK.firstSequence);
    const previousCrc = this.view.getUint32(at + BLOCK.previousCrc, true);
    const follows =
      first === this.nextSequence && (this.chain === UNKNOWN || previousCrc === this.chain);
    if (!follows && !(resync && first > this.nextSequence)) return false;
    const crc = crc32(this.bytes.subarray(at + BLOCK.crcFrom, at + blockBytes));
    return crc === this.view.getUint32(at + BLOCK.crc, true);
  }

  /** Offset of the first good block at or after `from`, or UNKNOWN. */
  #search(from: number): number {
    const limit = this.#limit;
    const magicBytes = BLOCK_MAGIC_BYTES.length;
    let at = from;
    while (limit - at >= BLOCK_HEADER_BYTES && this.#fill(at, BLOCK_HEADER_BYTES)) {
      const found = this.bytes
        .subarray(at - this.#windowAt, this.#windowBytes)
        .indexOf(BLOCK_MAGIC_BYTES);
      if (found < 0) {
        at = this.#windowAt + this.#windowBytes - (magicBytes - 1);
        continue;
      }
      if (this.#isBlock(at + found, true)) return at + found;
      at += found + 1;
    }
    return UNKNOWN;
  }

  /** Gets the file's bytes [offset, offset + count) into the window; false when there are fewer. */
  #fill(offset: number, count: number, chunkBytes = CHUNK_BYTES): boolean {
    const kept = this.#windowAt + this.#windowBytes - offset;
    if (offset >= this.#windowAt && kept >= count) return true;
    if (offset >= this.#windowAt && kept > 0) {
      this.bytes.copyWithin(0, offset - this.#windowAt, this.#windowBytes);
      this.#windowBytes = kept;
    } else {
      this.#windowBytes = 0;
    }
    this.#windowAt = offset;
    this.#reserve(count);
    const wanted = Math.min(Math.max(count, chunkBytes), this.bytes.length, this.#limit - offset);
    while (this.#windowBytes < wanted) {
      const got = this.#read(wanted - this.#windowBytes);
      if (got === 0) break;
      this.#windowBytes += got;
    }
    return this.#windowBytes >= count;
  }

  #reserve(count: number): void {
    if (count <= this.bytes.length) return;
    assert(count <= BLOCK_HEADER_BYTES + BLOCK_PAYLOAD_BYTES_MAX, `block of ${count} bytes`);
    const wider = Buffer.allocUnsafeSlow(BLOCK_HEADER_BYTES + BLOCK_PAYLOAD_BYTES_MAX);
    this.bytes.copy(wider, 0, 0, this.#windowBytes);
    this.bytes = wider;
    this.view = viewOf(wider);
  }

  #read(count: number): number {
    const position = this.#windowAt + this.#windowBytes;
    try {
      return this.#disk.read(this.#fd, this.bytes, this.#windowBytes, count, position);
    } catch (error) {
      throw new UserError(
        EXIT.io,
        `${segmentPath(this.#dir, this.segment)} cannot be read at byte ${position} ` +
          `(${errorCode(error)}): check the disk`,
        { cause: error },
      );
    }
  }
}
