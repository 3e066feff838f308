/**
 * Keys that nobody may guess: the one thing that must not come from a seed. Nothing that is stored
 * of the market depends on them.
 */
import { randomBytes } from 'node:crypto';

export const SECRET_BYTES = 32;

export function newSecret(): Uint8Array {
  return Uint8Array.from(randomBytes(SECRET_BYTES));
}
