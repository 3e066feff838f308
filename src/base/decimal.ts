/**
 * Decimal text to and from int64 scaled by 10^8, exactly: no digit ever goes through a float that
 * could lose it, nothing is rounded, nothing is allocated.
 *
 * `scanDecimal` reads the form exchanges send all day; `parseDecimal` reads every JSON number,
 * exponents included, and says what is wrong with the others. Where both read, they agree.
 */
export const DECIMAL_OK = 0;
/** Not a JSON number. */
export const DECIMAL_INVALID = 1;
/** More than 8 significant decimals. Trailing zeros are not significant. */
export const DECIMAL_PRECISION = 2;
/** 10^10 or more, whatever the sign. */
export const DECIMAL_RANGE = 3;
/** Zero or negative. */
export const DECIMAL_NOT_POSITIVE = 4;
/** In the order of REASONS (schemas/dead-letter.ts): where several hold, the first is the answer. */
export type DecimalStatus =
  | typeof DECIMAL_OK
  | typeof DECIMAL_INVALID
  | typeof DECIMAL_PRECISION
  | typeof DECIMAL_RANGE
  | typeof DECIMAL_NOT_POSITIVE;

/** Decimals kept. */
const SCALE = 8;
const ONE = 1e8;
/** Digits in front of the point. */
const WHOLE_DIGITS_MAX = 10;
const POWERS = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9] as const;
const TWO_16 = 65_536;
const TWO_32 = 4_294_967_296;
/** Exponents saturate here: more digits than a frame has bytes cannot bring one back in range. */
const EXPONENT_MAX = 1e9;

const ZERO = 48;
const NINE = 57;
const DOT = 46;
const PLUS = 43;
const MINUS = 45;
const LOWER_E = 101;

/** Stores whole x 10^8 + fraction, 0 <= whole < 10^10 and 0 <= fraction < 10^8, at index i. */
function store(words: Int32Array, i: number, whole: number, fraction: number): void {
  const value = whole * ONE + fraction;
  if (value <= Number.MAX_SAFE_INTEGER) {
    words[2 * i] = value | 0;
    words[2 * i + 1] = (value / TWO_32) | 0;
    return;
  }
  // Above 2^53 (a whole part over 90 million) the product is taken in two exact halves:
  // value = top x 2^16 + bottom, with top < 1.6e13 and bottom < 6.6e12.
  const wholeHigh = Math.floor(whole / TWO_16);
  const top = wholeHigh * ONE;
  const bottom = (whole - wholeHigh * TWO_16) * ONE + fraction;
  const topHigh = Math.floor(top / TWO_16);
  const low = (top - topHigh * TWO_16) * TWO_16 + bottom;
  words[2 * i] = low | 0;
  words[2 * i + 1] = topHigh + ((low / TWO_32) | 0);
}

/**
 * Reads the decimal at `start` in its common form (at most 9 whole digits, at most 8 decimals,
 * positive) into index i of `words`. Answers the position after it, or -1 for anything else:
 * then `parseDecimal` has the last word. The caller checks that the byte there ends the number.
 */
export function scanDecimal(
  bytes: Uint8Array,
  start: number,
  words: Int32Array,
  i: number,
): number {
  let at = start;
  let digit = bytes[at] - ZERO;
  if (!(digit >= 0 && digit <= 9)) return -1;
  let whole = digit;
  digit = bytes[++at] - ZERO;
  if (whole === 0 && digit >= 0 && digit <= 9) return -1;
  while (digit >= 0 && digit <= 9) {
    whole = whole * 10 + digit;
    digit = bytes[++at] - ZERO;
    if (at - start > 9) return -1;
  }
  let fraction = 0;
  if (digit === DOT - ZERO) {
    const first = ++at;
    digit = bytes[at] - ZERO;
    while (digit >= 0 && digit <= 9) {
      fraction = fraction * 10 + digit;
      digit = bytes[++at] - ZERO;
      if (at - first > SCALE) return -1;
    }
    if (at === first) return -1;
    fraction *= POWERS[SCALE - (at - first)];
  }
  if (whole === 0 && fraction === 0) return -1;
  store(words, i, whole, fraction);
  return at;
}

function digitsEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] >= ZERO && bytes[at] <= NINE) at++;
  return at;
}

/** Reads [start, end) as one JSON number into index i of `words` (untouched unless DECIMAL_OK). */
export function parseDecimal(
  bytes: Uint8Array,
  start: number,
  end: number,
  words: Int32Array,
  i: number,
): DecimalStatus {
  const negative = start < end && bytes[start] === MINUS;
  const first = negative ? start + 1 : start;
  let at = digitsEnd(bytes, first, end);
  const wholeDigits = at - first;
  if (wholeDigits === 0 || (wholeDigits > 1 && bytes[first] === ZERO)) return DECIMAL_INVALID;
  if (at < end && bytes[at] === DOT) {
    const fraction = at + 1;
    at = digitsEnd(bytes, fraction, end);
    if (at === fraction) return DECIMAL_INVALID;
  }
  const last = at;
  let exponent = 0;
  if (at < end && (bytes[at] | 32) === LOWER_E) {
    at++;
    const sign = at < end && bytes[at] === MINUS ? -1 : 1;
    if (at < end && (bytes[at] === MINUS || bytes[at] === PLUS)) at++;
    const from = at;
    at = digitsEnd(bytes, from, end);
    if (at === from) return DECIMAL_INVALID;
    for (let k = from; k < at; k++) {
      exponent = Math.min(EXPONENT_MAX, exponent * 10 + (bytes[k] - ZERO));
    }
    exponent *= sign;
  }
  if (at !== end) return DECIMAL_INVALID;
  return place(bytes, first, last, wholeDigits + exponent, negative, words, i);
}

/** Adds up the digits in [first, last); the decimal point stands after the digit number `point`. */
function place(
  bytes: Uint8Array,
  first: number,
  last: number,
  point: number,
  negative: boolean,
  words: Int32Array,
  i: number,
): DecimalStatus {
  let whole = 0;
  let fraction = 0;
  let inRange = true;
  let power = point;
  for (let at = first; at < last; at++) {
    if (bytes[at] === DOT) continue;
    power--;
    const digit = bytes[at] - ZERO;
    if (digit === 0) continue;
    if (power < -SCALE) return DECIMAL_PRECISION;
    if (power >= WHOLE_DIGITS_MAX) inRange = false;
    else if (power >= 0) whole += digit * POWERS[power];
    else fraction += digit * POWERS[SCALE + power];
  }
  if (!inRange) return DECIMAL_RANGE;
  if (negative || (whole === 0 && fraction === 0)) return DECIMAL_NOT_POSITIVE;
  store(words, i, whole, fraction);
  return DECIMAL_OK;
}

/** `value` / 10^scale with exactly `scale` decimals: formatScaled(-5n, 2) is '-0.05'. */
export function formatScaled(value: bigint, scale: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  const point = digits.length - scale;
  const fraction = scale > 0 ? `.${digits.slice(point)}` : '';
  return `${value < 0n ? '-' : ''}${digits.slice(0, point)}${fraction}`;
}

/** The int64 pair at index i as text with 8 decimals. For output, not for hot loops. */
export function formatDecimal(words: Int32Array, i: number): string {
  const value = (BigInt(words[2 * i + 1]) << 32n) | BigInt(words[2 * i] >>> 0);
  return formatScaled(value, SCALE);
}

/** The inverse of formatScaled; undefined when the text is no plain decimal or has more decimals. */
export function parseScaled(text: string, scale: number): bigint | undefined {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign, whole, decimals = ''] = match;
  const significant = decimals.replace(/0+$/, '');
  if (significant.length > scale) return undefined;
  const value = BigInt(whole + significant.padEnd(scale, '0'));
  return sign === '-' ? -value : value;
}
