/**
 * Bronze as the checkers see it: the bytes of the segments on the simulated disk, read by offsets of
 * their own (as in tests/support/process/bronze-reading.ts), nothing shared with src/log.
 *
 * It follows a log as it grows. After a crash it finds out what is left: whatever the log had
 * promised to keep must be there, byte for byte.
 */
import { crc32 } from 'node:zlib';
import type { SimDisk, SimFile } from '#tests/sim/disk';

const SEGMENT_HEADER = 64;
const BLOCK_HEADER = 40;
const FRAME_HEADER = 12;
const BLOCK_MAGIC = 0x4b4c4242;

export interface BronzeFrame {
  readonly sequence: number;
  readonly receiveUs: number;
  readonly kind: number;
  readonly connection: number;
  readonly bytes: Buffer;
}

interface Block {
  readonly path: string;
  readonly offset: number;
  readonly end: number;
  readonly crc: number;
  readonly nextSequence: number;
  /** Frames of the mirror before this block. */
  readonly framesBefore: number;
}

export class BronzeMirror {
  readonly frames: BronzeFrame[] = [];
  readonly #dir: string;
  #blocks: Block[] = [];

  constructor(dir: string) {
    this.#dir = dir;
  }

  get nextSequence(): number {
    return this.#blocks.at(-1)?.nextSequence ?? 0;
  }

  /** Takes up the blocks that were written since. */
  #follow(disk: SimDisk): void {
    const last = this.#blocks.at(-1);
    for (const path of this.#segments(disk)) {
      if (last !== undefined && path < last.path) continue;
      const from = path === last?.path ? last.end : SEGMENT_HEADER;
      this.#read(path, disk.files.get(path) as SimFile, from);
    }
  }

  /** Lets go of what is gone (only a crash takes anything away), takes up what is new. Answers the first sequence that is gone, if any. */
  look(disk: SimDisk, afterCrash: boolean): number | undefined {
    const whole = afterCrash ? this.#blocks.findIndex((block) => !isThere(disk, block)) : -1;
    if (whole >= 0) {
      this.frames.length = (this.#blocks[whole] as Block).framesBefore;
      this.#blocks = this.#blocks.slice(0, whole);
    }
    const gone = whole < 0 ? undefined : this.nextSequence;
    this.#follow(disk);
    return gone;
  }

  /** The first sequence below `upTo` that a power loss could take now; undefined when there is none. */
  firstNotDurable(disk: SimDisk, upTo: number): number | undefined {
    for (let i = this.#blocks.length - 1; i >= 0; i--) {
      const block = this.#blocks[i] as Block;
      const first = this.#blocks[i - 1]?.nextSequence ?? 0;
      if (first >= upTo) continue;
      const file = disk.files.get(block.path);
      if (file === undefined || !disk.isNameDurable(block.path) || !file.isDurableTo(block.end)) {
        return first;
      }
      // What lies before a durable block of the same file is durable, and older files were sealed.
      const older = this.#blocks.findLast(({ path }) => path < block.path);
      if (older === undefined) return undefined;
      const olderFile = disk.files.get(older.path);
      const isOlderDurable =
        olderFile === undefined ||
        (disk.isNameDurable(older.path) && olderFile.isDurableTo(older.end));
      return isOlderDurable ? undefined : older.nextSequence - 1;
    }
    return undefined;
  }

  #segments(disk: SimDisk): string[] {
    const names = disk.list(this.#dir).filter((name) => name.endsWith('.log'));
    return names.sort().map((name) => `${this.#dir}/${name}`);
  }

  #read(path: string, file: SimFile, from: number): void {
    const bytes = file.bytes;
    let at = from;
    while (at + BLOCK_HEADER <= file.size) {
      const end = blockEnd(bytes, at, file.size);
      const isNext = end !== 0 && Number(bytes.readBigUInt64LE(at + 16)) >= this.nextSequence;
      if (!isNext) {
        // Torn bytes; a whole block after them is told by its checksum.
        if (file.size - at > 1_000_000) return;
        at++;
        continue;
      }
      this.#take(path, bytes, at, end);
      at = end;
    }
  }

  #take(path: string, bytes: Buffer, at: number, end: number): void {
    const framesBefore = this.frames.length;
    let sequence = Number(bytes.readBigUInt64LE(at + 16));
    const timeUs = Number(bytes.readBigUInt64LE(at + 24));
    let frame = at + BLOCK_HEADER;
    const count = bytes.readUInt32LE(at + 12);
    for (let i = 0; i < count; i++) {
      const from = frame + FRAME_HEADER;
      const to = from + bytes.readUInt32LE(frame);
      this.frames.push({
        sequence: sequence++,
        receiveUs: timeUs + bytes.readUInt32LE(frame + 4),
        connection: bytes.readUInt16LE(frame + 8),
        kind: bytes.readUInt8(frame + 10),
        bytes: Buffer.from(bytes.subarray(from, to)),
      });
      frame = to;
    }
    const crc = bytes.readUInt32LE(at + 4);
    this.#blocks.push({ path, offset: at, end, crc, nextSequence: sequence, framesBefore });
  }
}

/** Where the block at `at` ends; 0 when there is none. */
function blockEnd(bytes: Buffer, at: number, size: number): number {
  if (bytes.readUInt32LE(at) !== BLOCK_MAGIC) return 0;
  const end = at + BLOCK_HEADER + bytes.readUInt32LE(at + 8);
  if (end > size || crc32(bytes.subarray(at + 8, end)) !== bytes.readUInt32LE(at + 4)) return 0;
  return end;
}

function isThere(disk: SimDisk, { path, offset, end, crc }: Block): boolean {
  const file = disk.files.get(path);
  if (file === undefined || file.size < end) return false;
  return (
    blockEnd(file.bytes, offset, file.size) === end && file.bytes.readUInt32LE(offset + 4) === crc
  );
}
