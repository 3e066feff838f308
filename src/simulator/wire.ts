/**
 * WebSocket frames of a server (RFC 6455: unmasked, unfragmented), many to one buffer.
 *
 *   byte 0  0x80 | opcode      byte 1  length < 126 | 126 + 2 bytes | 127 + 8 bytes      payload
 *
 * A message is written in place: `begin` makes room and leaves space for the header, the caller
 * writes the payload, `end` writes the header. Bytes taken are never written again, so a socket may
 * hold on to them.
 */
import { TextWriter } from '#src/simulator/text-writer';

const CHUNK_BYTES = 256 * 1024;
const FINAL = 0x80;

export class WireBuffer {
  readonly writer = new TextWriter(Buffer.allocUnsafeSlow(CHUNK_BYTES));
  readonly #full: Uint8Array[] = [];
  /** First byte not yet taken, and first byte of the running message. */
  #taken = 0;
  #start = 0;
  #header = 0;
  /** Messages written so far. */
  messages = 0;

  begin(payloadBytesMax: number): void {
    const { writer } = this;
    this.#header = payloadBytesMax < 65_536 ? 4 : 10;
    const needed = payloadBytesMax + this.#header;
    if (writer.at + needed > writer.bytes.length) {
      if (writer.at > this.#taken) this.#full.push(writer.bytes.subarray(this.#taken, writer.at));
      writer.bytes = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, needed));
      writer.at = 0;
      this.#taken = 0;
    }
    this.#start = writer.at;
    writer.at += this.#header;
  }

  end(opcode: number): void {
    const { writer } = this;
    const { bytes } = writer;
    const at = this.#start;
    const payload = at + this.#header;
    const length = writer.at - payload;
    const header = length < 126 ? 2 : length < 65_536 ? 4 : 10;
    // The shortest length form is the only legal one.
    if (header !== this.#header) bytes.copyWithin(at + header, payload, writer.at);
    writer.at = at + header + length;
    bytes[at] = FINAL | opcode;
    if (header === 2) bytes[at + 1] = length;
    else if (header === 4) {
      bytes[at + 1] = 126;
      bytes[at + 2] = length >>> 8;
      bytes[at + 3] = length & 255;
    } else {
      bytes[at + 1] = 127;
      new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(at + 2, BigInt(length));
    }
    this.messages++;
  }

  message(payload: Uint8Array, opcode: number): void {
    this.begin(payload.length);
    this.writer.bytes.set(payload, this.writer.at);
    this.writer.at += payload.length;
    this.end(opcode);
  }

  /** Everything written since the last time. */
  take(): readonly Uint8Array[] {
    const { writer } = this;
    const taken = this.#full.splice(0);
    if (writer.at > this.#taken) taken.push(writer.bytes.subarray(this.#taken, writer.at));
    this.#taken = writer.at;
    return taken;
  }
}
