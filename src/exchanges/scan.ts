/**
 * What the byte scanners are made of. Every function looks at bytes from a position on and answers
 * the position after what it read, or -1 (false) when the bytes are anything but the common form.
 *
 * A scanner may look past the end of its frame into whatever follows; positions only grow, so a
 * scanner that ends exactly at the frame's end has never used a byte from beyond it.
 */
const ZERO = 48;
const QUOTE = 34;
const BACKSLASH = 92;
/** Integers of up to 15 digits are below 2^53 whatever their digits. */
const DIGITS_MAX = 15;

/** The bytes of an ASCII text, to compare with. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Whether `text` stands at `at`. */
export function matches(bytes: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) {
    if (bytes[at + i] !== text[i]) return false;
  }
  return true;
}

/** Whether [start, end) is exactly `text`. */
export function equals(bytes: Uint8Array, start: number, end: number, text: Uint8Array): boolean {
  return end - start === text.length && matches(bytes, start, text);
}

/** Reads an integer, 0 <= value < 10^15, into index i of `out`. */
export function scanInteger(
  bytes: Uint8Array,
  start: number,
  out: Float64Array,
  i: number,
): number {
  let at = start;
  let digit = bytes[at] - ZERO;
  let value = 0;
  while (digit >= 0 && digit <= 9) {
    value = value * 10 + digit;
    digit = bytes[++at] - ZERO;
  }
  const digits = at - start;
  if (digits === 0 || digits > DIGITS_MAX || (digits > 1 && bytes[start] === ZERO)) return -1;
  out[i] = value;
  return at;
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
  let byte = bytes[at];
  while (byte >= 32 && byte < 127 && byte !== QUOTE && byte !== BACKSLASH) byte = bytes[++at];
  return byte === QUOTE ? at : -1;
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
