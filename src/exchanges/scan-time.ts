/**
 * The exchanges' spellings of a time, to whole microseconds since the epoch, without Date and
 * without floats: digits below a microsecond are cut off, never rounded. Each function reads
 * [start, end) and answers -1 when that is not such a time or does not fit below 2^53.
 */
import { parseInteger, scanInteger } from '#src/exchanges/scan';

const ZERO = 48;
const NINE = 57;
const DASH = 45;
const COLON = 58;
const DOT = 46;
const UPPER_T = 84;
const UPPER_Z = 90;

const EPOCH_MS_DIGITS = 13;
const EPOCH_US_DIGITS = 16;
const US_PER_SECOND = 1e6;
const SECONDS_PER_DAY = 86_400;
/** Digits of `YYYY-MM-DDTHH:MM:SS`. */
const RFC3339_SECONDS_LENGTH = 19;
const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** Milliseconds (13 digits) or microseconds (16 digits), told apart by their number: Binance. */
export function parseEpochTime(bytes: Uint8Array, start: number, end: number): number {
  const digits = end - start;
  if (digits !== EPOCH_MS_DIGITS && digits !== EPOCH_US_DIGITS) return -1;
  const value = parseInteger(bytes, start, end);
  const timeUs = digits === EPOCH_MS_DIGITS ? value * 1000 : value;
  return value >= 0 && timeUs <= Number.MAX_SAFE_INTEGER ? timeUs : -1;
}

/** The same for a scanner (scan.ts): from `start` into index i of `out`. */
export function scanEpochTime(
  bytes: Uint8Array,
  start: number,
  out: Float64Array,
  i: number,
): number {
  const end = scanInteger(bytes, start, out, i);
  const digits = end - start;
  if (digits === EPOCH_US_DIGITS) return end;
  if (digits !== EPOCH_MS_DIGITS) return -1;
  out[i] *= 1000;
  return out[i] <= Number.MAX_SAFE_INTEGER ? end : -1;
}

/** Seconds with an optional fraction, `1688669597.8277369`: Kraken REST. */
export function parseSecondsTime(bytes: Uint8Array, start: number, end: number): number {
  let dot = start;
  while (dot < end && bytes[dot] !== DOT) dot++;
  const seconds = parseInteger(bytes, start, dot);
  if (seconds < 0) return -1;
  const fractionUs = dot === end ? 0 : parseFraction(bytes, dot + 1, end);
  const timeUs = seconds * US_PER_SECOND + fractionUs;
  return fractionUs >= 0 && timeUs <= Number.MAX_SAFE_INTEGER ? timeUs : -1;
}

/** RFC 3339 in UTC, `2026-07-07T22:58:16.156605Z`, any number of decimals: Kraken, Coinbase. */
export function parseRfc3339Time(bytes: Uint8Array, start: number, end: number): number {
  const dot = start + RFC3339_SECONDS_LENGTH;
  if (end <= dot || bytes[end - 1] !== UPPER_Z) return -1;
  const seconds = parseDateTime(bytes, start);
  if (seconds < 0) return -1;
  let fractionUs = 0;
  if (dot !== end - 1) {
    if (bytes[dot] !== DOT) return -1;
    fractionUs = parseFraction(bytes, dot + 1, end - 1);
  }
  const timeUs = seconds * US_PER_SECOND + fractionUs;
  return fractionUs >= 0 && timeUs <= Number.MAX_SAFE_INTEGER ? timeUs : -1;
}

/** Decimals after a second's point as microseconds; at least one, those after the sixth are cut. */
function parseFraction(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return -1;
  let value = 0;
  let weight = US_PER_SECOND / 10;
  for (let at = start; at < end; at++) {
    const digit = bytes[at] - ZERO;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value += digit * weight;
    weight = weight > 1 ? weight / 10 : 0;
  }
  return value;
}

/** `YYYY-MM-DDTHH:MM:SS` at `at` as seconds since the epoch, from 1970 on. */
function parseDateTime(bytes: Uint8Array, at: number): number {
  if (
    bytes[at + 4] !== DASH ||
    bytes[at + 7] !== DASH ||
    bytes[at + 10] !== UPPER_T ||
    bytes[at + 13] !== COLON ||
    bytes[at + 16] !== COLON
  ) {
    return -1;
  }
  const century = twoDigits(bytes, at);
  const yearOfCentury = twoDigits(bytes, at + 2);
  const month = twoDigits(bytes, at + 5);
  const day = twoDigits(bytes, at + 8);
  const hour = twoDigits(bytes, at + 11);
  const minute = twoDigits(bytes, at + 14);
  const second = twoDigits(bytes, at + 17);
  if (century < 0 || yearOfCentury < 0 || month < 1 || month > 12 || day < 1) return -1;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return -1;
  const year = century * 100 + yearOfCentury;
  const leap = month === 2 && isLeap(year) ? 1 : 0;
  if (year < 1970 || day > DAYS_IN_MONTH[month - 1] + leap) return -1;
  return daysSinceEpoch(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
}

function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = bytes[at];
  const ones = bytes[at + 1];
  if (tens < ZERO || tens > NINE || ones < ZERO || ones > NINE) return -1;
  return (tens - ZERO) * 10 + (ones - ZERO);
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

/** Days from 1970-01-01 in the Gregorian calendar, counting years from March so that a leap day
 * is the last of its year (Howard Hinnant, days_from_civil). */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = (y / 400) | 0;
  const yearOfEra = y - era * 400;
  const dayOfYear = (((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) | 0) + day - 1;
  const dayOfEra = yearOfEra * 365 + ((yearOfEra / 4) | 0) - ((yearOfEra / 100) | 0) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
