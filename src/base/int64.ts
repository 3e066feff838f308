/**
 * 64-bit integers in Arrow columns without BigInt.
 *
 * An Arrow int64 column is seen as an Int32Array of little-endian pairs: value i is words[2i] (low)
 * and words[2i + 1] (high). Ids, times and sequences stay below 2^53 and travel as JS numbers;
 * prices and quantities can reach 10^18 and travel as their two words.
 */
const TWO_32 = 4_294_967_296;

/** Stores an integer, |value| < 2^53, at index i. */
export function storeInt64(words: Int32Array, i: number, value: number): void {
  words[2 * i] = value | 0; // ToInt32 takes the value modulo 2^32, exact below 2^53
  words[2 * i + 1] = Math.floor(value / TWO_32);
}

/** Loads the integer at index i; exact when |value| < 2^53. */
export function loadInt64(words: Int32Array, i: number): number {
  return (words[2 * i + 1] as number) * TWO_32 + ((words[2 * i] as number) >>> 0);
}

/** Joins two words into a number; exact when |value| < 2^53. */
export function joinInt64(low: number, high: number): number {
  return high * TWO_32 + (low >>> 0);
}

/** Loads the value at index i as a BigInt: for output and tests, not for hot loops. */
export function bigInt64(words: Int32Array, i: number): bigint {
  return (BigInt(words[2 * i + 1] as number) << 32n) | BigInt((words[2 * i] as number) >>> 0);
}
