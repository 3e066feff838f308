/**
 * Cuts chunks of a file into lines, a block of lines per chunk, without copying them.
 *
 * A line ends with LF or CRLF; the last one needs no end. A byte order mark at the very start is not
 * part of the first line. A line above the limit is never held in memory whole: it stands in its
 * block as an empty line and is reported with its number and size.
 */
const LF = 10;
const CR = 13;

export interface OversizeLine {
  /** 1-based. */
  readonly line: number;
  readonly bytes: number;
}

export interface LineBlock {
  /** Line i is bytes[starts[i], ends[i]); the bytes stay valid. */
  readonly bytes: Buffer;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly count: number;
  /** Number of the block's first line in the file, 1-based; empty lines count. */
  readonly firstLine: number;
  readonly oversize: readonly OversizeLine[];
}

const EMPTY = Buffer.alloc(0);

function withoutMark(bytes: Buffer): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

export class LineSplitter {
  readonly #lineBytesMax: number;
  /** The line that has begun and not ended. */
  #carry: Buffer = EMPTY;
  /** Bytes seen so far of a line above the limit; 0 outside one. */
  #oversizeBytes = 0;
  #nextLine = 1;
  #starts = new Uint32Array(4096);
  #ends = new Uint32Array(4096);
  #count = 0;
  #oversize: OversizeLine[] = [];

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** The lines that end in `chunk`. */
  push(chunk: Buffer): LineBlock {
    let rest = chunk;
    if (this.#oversizeBytes > 0) {
      const end = rest.indexOf(LF);
      this.#oversizeBytes += end < 0 ? rest.length : end;
      if (end < 0) return this.#block(EMPTY);
      const cr = end > 0 && rest[end - 1] === CR ? 1 : 0;
      this.#addOversize(this.#oversizeBytes - cr);
      rest = rest.subarray(end + 1);
    }
    const bytes = this.#carry.length === 0 ? rest : Buffer.concat([this.#carry, rest]);
    // What is carried has been searched already; a long line is searched once, not once a chunk.
    let end = bytes.indexOf(LF, this.#carry.length);
    let start = 0;
    while (end >= 0) {
      this.#addLine(bytes, start, end);
      start = end + 1;
      end = bytes.indexOf(LF, start);
    }
    this.#carry = bytes.subarray(start);
    // Four bytes of grace: a CR at the end and, in the first line, a mark of three are not content.
    if (this.#carry.length > this.#lineBytesMax + 4) {
      this.#oversizeBytes = this.#carry.length;
      this.#carry = EMPTY;
    }
    return this.#block(bytes);
  }

  /** The last line, where the file does not end with a line end. */
  end(): LineBlock {
    const bytes = this.#carry;
    this.#carry = EMPTY;
    if (this.#oversizeBytes > 0) this.#addOversize(this.#oversizeBytes);
    else if (bytes.length > 0) this.#addLine(bytes, 0, bytes.length);
    return this.#block(bytes);
  }

  #addLine(bytes: Buffer, lineStart: number, lineEnd: number): void {
    const isFirst = this.#nextLine === 1 && this.#count === 0;
    const start = isFirst ? lineStart + withoutMark(bytes) : lineStart;
    const end = lineEnd > start && bytes[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd;
    if (end - start > this.#lineBytesMax) {
      this.#addOversize(end - start);
      return;
    }
    this.#add(start, end);
  }

  #addOversize(bytes: number): void {
    this.#oversize.push({ line: this.#nextLine + this.#count, bytes });
    this.#oversizeBytes = 0;
    this.#add(0, 0);
  }

  #add(start: number, end: number): void {
    if (this.#count === this.#starts.length) {
      const starts = new Uint32Array(2 * this.#count);
      const ends = new Uint32Array(2 * this.#count);
      starts.set(this.#starts);
      ends.set(this.#ends);
      this.#starts = starts;
      this.#ends = ends;
    }
    this.#starts[this.#count] = start;
    this.#ends[this.#count] = end;
    this.#count++;
  }

  #block(bytes: Buffer): LineBlock {
    const count = this.#count;
    const block = {
      bytes,
      starts: this.#starts.slice(0, count),
      ends: this.#ends.slice(0, count),
      count,
      firstLine: this.#nextLine,
      oversize: this.#oversize,
    };
    this.#nextLine += count;
    this.#count = 0;
    this.#oversize = [];
    return block;
  }
}
