/**
 * The oracle's reading of single values: decimals as BigInt scaled by 10^8, ids, and the three ways
 * exchanges write a time. Texts and BigInts only; no value ever becomes a float.
 */
import type { ReasonName } from '#schemas/dead-letter';

export const ONE = 10n ** 8n;
const RANGE = 10n ** 18n;
const SAFE = 2n ** 53n;
const NUMBER = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

export type DecimalFault = 'invalid' | 'precision' | 'range' | 'not_positive';

/** A positive decimal x 10^8, or what is wrong with it: the first in the list of reasons. */
export function readDecimal(text: string): bigint | DecimalFault {
  const match = NUMBER.exec(text);
  if (match === null) return 'invalid';
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const digits = (whole + fraction).replace(/^0+/, '');
  if (digits === '') return 'not_positive';
  const significant = digits.replace(/0+$/, '');
  // The number is `significant` x 10^power.
  const power = BigInt(exponent) - BigInt(fraction.length - (digits.length - significant.length));
  if (power < -8n) return 'precision';
  if (BigInt(significant.length) + power > 10n) return 'range';
  const scaled = BigInt(significant) * 10n ** (power + 8n);
  if (scaled >= RANGE) return 'range';
  return sign === '-' ? 'not_positive' : scaled;
}

/** `price_precision` and so on. */
export function decimalReason(what: 'price' | 'quantity', fault: DecimalFault): ReasonName {
  return `${what}_${fault}`;
}

/** A non-negative integer below 2^53. */
export function readId(text: string): number | undefined {
  if (!/^\d+$/.test(text) || BigInt(text) >= SAFE) return undefined;
  return Number(text);
}

/** Microseconds since the epoch below 2^53. */
function micros(value: bigint): number | undefined {
  return value >= 0n && value < SAFE ? Number(value) : undefined;
}

/** 13 digits are milliseconds, 16 are microseconds. */
export function readEpochTime(text: string): number | undefined {
  if (/^\d{13}$/.test(text)) return micros(BigInt(text) * 1000n);
  return /^\d{16}$/.test(text) ? micros(BigInt(text)) : undefined;
}

/** Digits below the microsecond are cut off. */
function fractionMicros(digits: string): bigint {
  return BigInt(digits.slice(0, 6).padEnd(6, '0'));
}

/** `1688669597.8277369` */
export function readSecondsTime(text: string): number | undefined {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text);
  if (match === null) return undefined;
  return micros(BigInt(match[1]!) * 1_000_000n + fractionMicros(match[2] ?? '0'));
}

/** `2026-07-07T22:58:16.156605Z`, UTC only. */
export function readRfc3339Time(text: string): number | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z$/.exec(text);
  if (match === null) return undefined;
  const [, seconds, fraction = '0'] = match;
  const ms = Date.parse(`${seconds}Z`);
  // Date rolls 30 February over instead of refusing it.
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 19) !== seconds) return undefined;
  return micros(BigInt(ms) * 1000n + fractionMicros(fraction));
}
