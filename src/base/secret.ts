/**
 * Keys that nobody may guess: the one thing that must not come from a seed. Nothing that is kept or
 * compared depends on them.
 */
import { randomBytes } from 'node:crypto';

const KEY_BYTES = 32;

export function newSecret(): Uint8Array {
  return Uint8Array.from(randomBytes(KEY_BYTES));
}
