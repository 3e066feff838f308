/**
 * Segments of the bronze log with changed bytes: what the reader gives back was written, at its own
 * sequence, or is not given back; and blocks whose checksums have been made right again, which may
 * say anything but must not crash or hang it.
 */
import { crc32 } from 'node:zlib';
import { AssertionError, UserError } from '#src/base/errors';
import type { Random } from '#src/base/random';
import { segmentPath } from '#src/log/segment-files';
import { appendFrame, DIR, frameOf, openWriter, readLog } from '#tests/support/log-fixtures';
import { MemoryDisk } from '#tests/support/memory-disk';
import { mutatedBytes } from '#tests/verify/fuzz/mutation';
import { FuzzFailure, type FuzzTarget } from '#tests/verify/fuzz/target';

const FRAMES = 24;
const SEGMENT_HEADER = 64;
const BLOCK_HEADER = 40;

const LARGE_BYTES = 256 * 1024;

/**
 * Runs `use` with the same large buffers again each time: a reader has one of a MiB and a writer one
 * of 16, and giving them back costs more than reading a log. What is left in them is the last input's,
 * as what an allocation finds may be anybody's.
 */
class LargeBuffers {
  readonly #kept = new Map<number, Buffer<ArrayBuffer>[]>();

  with<T>(use: () => T): T {
    const allocate = Buffer.allocUnsafeSlow;
    const taken = new Map<number, number>();
    Buffer.allocUnsafeSlow = (bytes) => {
      if (bytes < LARGE_BYTES) return allocate(bytes);
      const kept = this.#kept.get(bytes) ?? [];
      this.#kept.set(bytes, kept);
      const nth = taken.get(bytes) ?? 0;
      taken.set(bytes, nth + 1);
      const buffer = kept[nth] ?? allocate(bytes);
      kept[nth] = buffer;
      return buffer;
    };
    try {
      return use();
    } finally {
      Buffer.allocUnsafeSlow = allocate;
    }
  }
}

/** Makes the checksum of the first block right, whatever its header says now. */
function resealed(bytes: Buffer): Buffer {
  if (bytes.length < SEGMENT_HEADER + BLOCK_HEADER) return bytes;
  const declared = SEGMENT_HEADER + BLOCK_HEADER + bytes.readUInt32LE(SEGMENT_HEADER + 8);
  const end = Math.min(declared, bytes.length);
  bytes.writeUInt32LE(crc32(bytes.subarray(SEGMENT_HEADER + 8, end)), SEGMENT_HEADER + 4);
  return bytes;
}

/** A sentence for a person; or a halt, where a proven block says what no writer of ours writes. */
function refusal(error: unknown, isForged: boolean): string {
  if (error instanceof UserError) return 'refused';
  if (isForged && error instanceof AssertionError) return 'halted';
  throw error;
}

export async function bronzeTargets(): Promise<FuzzTarget[]> {
  const disk = new MemoryDisk();
  disk.mkdir(DIR);
  const writer = openWriter(disk);
  for (let i = 0; i < FRAMES; i++) {
    appendFrame(writer, frameOf(i));
    if (i % 5 === 0) writer.flush();
  }
  await writer.close();
  const path = segmentPath(DIR, 0);
  const original = disk.contents(path);
  const truth = readLog(disk).frames;
  const buffers = new LargeBuffers();
  const read = (from: MemoryDisk): ReturnType<typeof readLog> => buffers.with(() => readLog(from));

  const changed = (random: Random, forge: boolean): Buffer => {
    const bytes = mutatedBytes(original, random);
    return forge ? resealed(bytes) : bytes;
  };
  return [
    {
      name: 'bronze segments',
      run(random) {
        const bytes = changed(random, false);
        disk.place(path, bytes);
        let frames: ReturnType<typeof readLog>['frames'];
        try {
          frames = read(disk).frames;
        } catch (error) {
          return refusal(error, false);
        }
        for (const frame of frames) {
          const written = truth[frame.sequence];
          const isTrue =
            written !== undefined &&
            (frame.bytes as Buffer).equals(written.bytes) &&
            written.receiveTimeUs === frame.receiveTimeUs &&
            written.kind === frame.kind;
          if (!isTrue) throw new FuzzFailure(`frame ${frame.sequence} was never written`, bytes);
        }
        return frames.length === FRAMES ? 'whole' : 'less';
      },
    },
    {
      name: 'forged bronze blocks',
      run(random) {
        disk.place(path, changed(random, true));
        try {
          return read(disk).frames.length > 0 ? 'frames' : 'none';
        } catch (error) {
          return refusal(error, true);
        }
      },
    },
    {
      name: 'recovery of bronze',
      async run(random) {
        const isForged = random.chance(0.3);
        const bytes = changed(random, isForged);
        const fresh = new MemoryDisk();
        fresh.mkdir(DIR);
        fresh.place(path, bytes);
        try {
          const resumed = buffers.with(() => openWriter(fresh));
          const sequence = appendFrame(resumed, frameOf(1));
          await resumed.close();
          const { frames } = read(fresh);
          if (!frames.some((frame) => frame.sequence === sequence)) {
            throw new FuzzFailure(`frame ${sequence} was taken and is not there`, bytes);
          }
          return 'goes on';
        } catch (error) {
          return refusal(error, isForged);
        }
      },
    },
  ];
}
