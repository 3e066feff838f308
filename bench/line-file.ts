/**
 * Frames as JSON lines for readers that know nothing of the bronze log: `{"r":<receive time, us>,
 * "n":<sequence>,` and then the frame's own keys, byte for byte. Frames that are no whole object are
 * left out: readers that cut a file into pieces lose their way after an open bracket.
 */
import { closeSync, openSync, writeSync } from 'node:fs';

const QUOTE = 34;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
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
    if (!isWholeObject(frame)) return;
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

/** Good enough for these feeds, whose strings hold no brackets, quotes or line ends. */
function isWholeObject(frame: Uint8Array): boolean {
  let depth = 0;
  let quotes = 0;
  for (let i = 0; i < frame.length; i++) {
    const byte = frame[i];
    if (byte === QUOTE) quotes++;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
    else if (byte === NEWLINE) return false;
  }
  return frame[0] === OPEN_BRACE && depth === 0 && quotes % 2 === 0;
}
