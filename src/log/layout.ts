/**
 * The bytes of a bronze segment. Offsets and field access only; no files, no policy.
 *
 *   segment = header, then blocks back to back          all integers little-endian, nothing aligned
 *
 *   segment header, 64 bytes            block header, 40 bytes            frame header, 12 bytes
 *    0  8   "BULLIONB"                   0  u32  "BBLK"                    0  u32  bytes in the frame
 *    8  u32 format version               4  u32  CRC-32 of bytes [8, end)  4  u32  receive time less
 *   12  u32 CRC of the last block        8  u32  payload bytes                     the block's, us
 *           of the segment before       12  u32  frames, 1 or more         8  u16  connection
 *   16  u64 first sequence              16  u64  first sequence           10  u8   kind
 *   24  u64 receive time of the         24  u64  first receive time, us   11  u8   0
 *           first frame, us             32  u32  tag: CRC of the          12       the bytes as
 *   32  24  exchange name, 0-padded              segment header                    received
 *   56  u32 0                           36  u32  CRC of the block before
 *   60  u32 CRC-32 of bytes [0, 60)              (of the header: the first)
 *                                       40       frames
 *
 * A block's CRC, its tag and the CRC of the block before it make every block prove that its bytes
 * are whole, that it belongs to this segment and that it follows that block. The tag also keeps a
 * frame from posing as a block where the log is damaged: frames are what strangers send, and nobody
 * outside can know the CRC of a header that holds a microsecond receive time.
 */
import { crc32 } from 'node:zlib';
import { FRAME_BYTES_MAX } from '#src/log/frame';

export const FORMAT_VERSION = 1;

export const SEGMENT_HEADER_BYTES = 64;
export const BLOCK_HEADER_BYTES = 40;
export const FRAME_HEADER_BYTES = 12;

/** A block is written when the next frame would take its payload above this; one write each. */
export const BLOCK_PAYLOAD_BYTES = 64 * 1024;
/** A frame above that size has a block of its own. */
export const BLOCK_PAYLOAD_BYTES_MAX = FRAME_HEADER_BYTES + FRAME_BYTES_MAX;
/** Longest time between the first and the last frame of a block: what 32 bits of us hold. */
export const BLOCK_SPAN_US_MAX = 0xffff_ffff;

const SEGMENT_MAGIC = Buffer.from('BULLIONB', 'latin1');
export const BLOCK_MAGIC_BYTES = Buffer.from('BBLK', 'latin1');
export const BLOCK_MAGIC = BLOCK_MAGIC_BYTES.readUInt32LE(0);

/** Offsets in a block header. */
export const BLOCK = {
  magic: 0,
  crc: 4,
  /** The CRC covers the block from here to its end. */
  crcFrom: 8,
  payloadBytes: 8,
  frames: 12,
  firstSequence: 16,
  firstReceiveTimeUs: 24,
  tag: 32,
  previousCrc: 36,
} as const;

/** Offsets in a frame header. */
export const FRAME = { bytes: 0, receiveDeltaUs: 4, connection: 8, kind: 10 } as const;

const TWO_32 = 4_294_967_296;

/** Stores an integer, 0 <= value < 2^53. */
export function setUint53(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / TWO_32), true);
}

export function getUint53(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * TWO_32 + view.getUint32(at, true);
}

/** A view over exactly the bytes of a buffer. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export interface SegmentHeader {
  readonly version: number;
  readonly exchange: string;
  readonly firstSequence: number;
  readonly firstReceiveTimeUs: number;
  /** CRC of the last block of the segment before; 0 when there is none. */
  readonly previousCrc: number;
  /** CRC of this header, repeated in every block of the segment. */
  readonly tag: number;
}

export function encodeSegmentHeader(header: Omit<SegmentHeader, 'version' | 'tag'>): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const view = viewOf(bytes);
  SEGMENT_MAGIC.copy(bytes, 0);
  view.setUint32(8, FORMAT_VERSION, true);
  view.setUint32(12, header.previousCrc, true);
  setUint53(view, 16, header.firstSequence);
  setUint53(view, 24, header.firstReceiveTimeUs);
  bytes.write(header.exchange, 32, 24, 'latin1');
  view.setUint32(60, crc32(bytes.subarray(0, 60)), true);
  return bytes;
}

/** Undefined when the bytes are not a whole segment header. */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES) return undefined;
  const view = viewOf(bytes);
  const tag = view.getUint32(60, true);
  if (crc32(bytes.subarray(0, 60)) !== tag) return undefined;
  if (SEGMENT_MAGIC.compare(bytes, 0, 8) !== 0) return undefined;
  const exchange = Buffer.from(bytes.subarray(32, 56)).toString('latin1');
  return {
    version: view.getUint32(8, true),
    exchange: exchange.replace(/\0+$/, ''),
    firstSequence: getUint53(view, 16),
    firstReceiveTimeUs: getUint53(view, 24),
    previousCrc: view.getUint32(12, true),
    tag,
  };
}
