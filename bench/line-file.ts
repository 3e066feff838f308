/**
 * Frames as JSON lines for readers that know nothing of the bronze log: `{"r":<receive time, us>,
 * "n":<sequence>,` and then the frame's own keys, byte for byte. Frames that are no object are left
 * out, as a loader of such files would have to.
 */
import { closeSync, openSync, writeSync } from 'node:fs';

const OPEN_BRACE = 123;
const NEWLINE = 10;
const BUFFER_BYTES = 4 * 1024 * 1024;

export class LineFile {
  readonly #fd: number;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #used = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'w');
  }

  add(receiveTimeUs: number, sequence: number, frame: Uint8Array): void {
    if (frame[0] !== OPEN_BRACE || frame.includes(NEWLINE)) return;
    const front = `{"r":${receiveTimeUs},"n":${sequence},`;
    if (this.#used + front.length + frame.length > BUFFER_BYTES) this.#flush();
    this.#used += this.#buffer.write(front, this.#used, 'latin1');
    this.#buffer.set(frame.subarray(1), this.#used);
    this.#used += frame.length - 1;
    this.#buffer[this.#used++] = NEWLINE;
  }

  close(): void {
    this.#flush();
    closeSync(this.#fd);
  }

  #flush(): void {
    for (let at = 0; at < this.#used; )
      at += writeSync(this.#fd, this.#buffer, at, this.#used - at);
    this.#used = 0;
  }
}
