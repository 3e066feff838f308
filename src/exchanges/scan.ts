/**
 * What the byte scanners are made of. Every function looks at bytes from a position on and answers
 * the position after what it read, or -1 (false) when the bytes are anything but the common form.
 *
 * A scanner may look past the end of its frame into whatever follows; positions only grow, so a
 * scanner that ends exactly at the frame's end has never used a byte from beyond it.
 */
import { assert } from '#src/base/errors';

const ZERO = 48;
const QUOTE = 34;
const BACKSLASH = 92;
const WORD = 4;

/** An integer is read in two halves; 9 + 7 digits are enough for 2^53. */
const HALF_DIGITS = 9;
const LOW_DIGITS_MAX = 7;
const POWERS = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7] as const;

/** 1 for the bytes a string may have without an escape or another byte of the same character. */
const PLAIN = new Uint8Array(256);
for (let byte = 32; byte < 127; byte++) PLAIN[byte] = 1;
PLAIN[QUOTE] = 0;
PLAIN[BACKSLASH] = 0;

/** The bytes of an ASCII text, to compare with. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Whether [start, end) is exactly `text`. */
export function equals(bytes: Uint8Array, start: number, end: number, text: Uint8Array): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) {
    if (bytes[start + i] !== text[i]) return false;
  }
  return true;
}

/**
 * A text that stands between two values of a frame, at least four bytes long. It is compared in
 * words of four bytes, the last word overlapping the one before where the length is not a multiple:
 * byte by byte, these comparisons were half of a scanner's time.
 */
export class FixedText {
  readonly length: number;
  readonly #words: Int32Array;
  /** The last four bytes. */
  readonly #tail: number;

  constructor(text: string) {
    const bytes = Buffer.from(ascii(text));
    assert(bytes.length >= WORD, `"${text}" is shorter than a word`);
    this.length = bytes.length;
    this.#words = new Int32Array(Math.floor((bytes.length - 1) / WORD));
    for (let i = 0; i < this.#words.length; i++) this.#words[i] = bytes.readInt32LE(WORD * i);
    this.#tail = bytes.readInt32LE(bytes.length - WORD);
  }

  /** Whether the text stands at `at`. */
  isAt(view: DataView, at: number): boolean {
    const tailAt = at + this.length - WORD;
    if (tailAt + WORD > view.byteLength) return false;
    const words = this.#words;
    for (let i = 0; i < words.length; i++) {
      if (view.getInt32(at + WORD * i, true) !== words[i]) return false;
    }
    return view.getInt32(tailAt, true) === this.#tail;
  }
}

/** Reads an integer, 0 <= value < 2^53, into index i of `out`. */
export function scanInteger(
  bytes: Uint8Array,
  start: number,
  out: Float64Array,
  i: number,
): number {
  // Two halves of up to 9 digits each stay in 32-bit registers; a float per digit took twice as long.
  let at = start;
  let digit = bytes[at] - ZERO;
  let high = 0;
  const middle = start + HALF_DIGITS;
  while (digit >= 0 && digit <= 9 && at < middle) {
    high = high * 10 + digit;
    digit = bytes[++at] - ZERO;
  }
  if (at === start || (bytes[start] === ZERO && at !== start + 1)) return -1;
  let low = 0;
  while (digit >= 0 && digit <= 9) {
    low = low * 10 + digit;
    digit = bytes[++at] - ZERO;
    if (at - middle > LOW_DIGITS_MAX) return -1;
  }
  const value = at > middle ? high * POWERS[at - middle] + low : high;
  out[i] = value;
  return value <= Number.MAX_SAFE_INTEGER ? at : -1;
}

/** Reads over an integer. */
export function skipInteger(bytes: Uint8Array, start: number): number {
  let at = start;
  let digit = bytes[at] - ZERO;
  while (digit >= 0 && digit <= 9) digit = bytes[++at] - ZERO;
  return at === start || (at - start > 1 && bytes[start] === ZERO) ? -1 : at;
}

/** Reads over the inside of a string of printable ASCII without escapes, up to its closing quote. */
export function skipPlainString(bytes: Uint8Array, start: number): number {
  let at = start;
  while (PLAIN[bytes[at]] === 1) at++;
  return bytes[at] === QUOTE ? at : -1;
}

/** Reads [start, end) as an integer, 0 <= value < 2^53; -1 for anything else. */
export function parseInteger(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at] - ZERO;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
    if (value > Number.MAX_SAFE_INTEGER) return -1;
  }
  return value;
}
