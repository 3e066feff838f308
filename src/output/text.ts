/** Times as exact text. */
import { assert } from '#src/base/errors';

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
