/** Numbers and times as exact text. */
import { assert } from '#src/base/errors';

/** `decimalText(123456789n, 8)` is `1.23456789`: always all `scale` decimals, never an exponent. */
export function decimalText(unscaled: bigint, scale: number): string {
  const negative = unscaled < 0n;
  const digits = (negative ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const split = digits.length - scale;
  const text = scale === 0 ? digits : `${digits.slice(0, split)}.${digits.slice(split)}`;
  return negative ? `-${text}` : text;
}

/** `2025-03-04T00:00:00Z`, for times that are whole seconds, as window bounds are. */
export function isoSeconds(timeUs: number): string {
  assert(timeUs % 1_000_000 === 0, `${timeUs} us is not a whole second`);
  return `${new Date(timeUs / 1000).toISOString().slice(0, 19)}Z`;
}

/** `2025-03-04T00:00:01.269123Z`: microseconds, always all six digits. */
export function isoMicros(timeUs: number): string {
  const seconds = Math.floor(timeUs / 1_000_000);
  const micros = String(timeUs - seconds * 1_000_000).padStart(6, '0');
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${micros}Z`;
}
