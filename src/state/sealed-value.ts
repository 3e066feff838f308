/**
 * A sealed value: the payload, then 4 bytes CRC-32 (big-endian) over key and payload. LMDB has no
 * checksums of its own: of random bit flips that mattered, more than a third came back as wrong
 * values. With the key in the sum, a value under the wrong key is found as well.
 */
import { crc32 } from 'node:zlib';

const CRC_BYTES = 4;

export function seal(key: Uint8Array, payload: Uint8Array): Buffer {
  const sealed = Buffer.allocUnsafe(payload.length + CRC_BYTES);
  sealed.set(payload);
  sealed.writeUInt32BE(crc32(payload, crc32(key)), payload.length);
  return sealed;
}

/** The payload (a view, not a copy), or undefined when key, payload and CRC do not belong together. */
export function unseal(key: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  const length = sealed.length - CRC_BYTES;
  if (length < 0) return undefined;
  const payload = sealed.subarray(0, length);
  return crc32(payload, crc32(key)) === sealOf(sealed) ? payload : undefined;
}

/** The CRC at the end of a sealed value of at least 4 bytes, unchecked. */
export function sealOf(sealed: Uint8Array): number {
  const at = sealed.length - CRC_BYTES;
  return new DataView(sealed.buffer, sealed.byteOffset + at, CRC_BYTES).getUint32(0);
}
