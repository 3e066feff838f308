/** Lines told apart without keeping or sorting them. */
import { createHash } from 'node:crypto';

/** A multiset of lines as two numbers: equal when the lines are, in whatever order; made line by line. */
export class LineSum {
  count = 0;
  #a = 0;
  #b = 0;

  add(line: string): void {
    let a = 0x811c9dc5;
    let b = 0x9e3779b9;
    for (let i = 0; i < line.length; i++) {
      const code = line.charCodeAt(i);
      a = Math.imul(a ^ code, 0x01000193);
      b = Math.imul(b + code, 0x85ebca6b) ^ (b >>> 13);
    }
    this.#a = (this.#a + Math.imul(a ^ (a >>> 15), 0x2c1b3c6d)) | 0;
    this.#b = (this.#b + Math.imul(b ^ (b >>> 16), 0x297a2d39)) | 0;
    this.count++;
  }

  join(other: LineSum): void {
    this.count += other.count;
    this.#a = (this.#a + other.#a) | 0;
    this.#b = (this.#b + other.#b) | 0;
  }

  equals(other: LineSum): boolean {
    return this.count === other.count && this.#a === other.#a && this.#b === other.#b;
  }
}

export function sumOf(lines: Iterable<string>): LineSum {
  const sum = new LineSum();
  for (const line of lines) sum.add(line);
  return sum;
}

/** Raw bytes in a line: short ones as they are, long ones by their digest. */
export function bytesText(bytes: Uint8Array): string {
  if (bytes.length <= 32) return Buffer.from(bytes).toString('hex');
  return createHash('sha1').update(bytes).digest('base64');
}
