/**
 * Exact 128-bit sums without BigInt: the volume and quote volume of a candle.
 *
 * A value is four little-endian 32-bit words, two's complement, as Arrow's Decimal128 stores it; `at`
 * is the offset of its first word. A sum that leaves the signed 128-bit range is a bug: it asserts
 * before anything is stored.
 */
import { AssertionError, assert } from '#src/base/errors';

const TWO_31 = 2_147_483_648;
const TWO_32 = 4_294_967_296;
const TWO_M32 = 1 / TWO_32;
const TWO_52 = 4_503_599_627_370_496;

function overflow(sum: Int32Array, at: number): never {
  throw new AssertionError(`128-bit sum overflows: it was ${bigInt128(sum, at)}`);
}

/** Adds the int64 (low, high) to the sum. */
export function addInt64(sum: Int32Array, at: number, low: number, high: number): void {
  const sign = high >> 31; // the upper two words of the sign-extended value
  const t0 = (sum[at] >>> 0) + (low >>> 0);
  const t1 = (sum[at + 1] >>> 0) + (high >>> 0) + (t0 >= TWO_32 ? 1 : 0);
  const t2 = (sum[at + 2] >>> 0) + (sign >>> 0) + (t1 >= TWO_32 ? 1 : 0);
  const t3 = sum[at + 3] + sign + (t2 >= TWO_32 ? 1 : 0);
  if (t3 >= TWO_31 || t3 < -TWO_31) overflow(sum, at);
  sum[at] = t0 | 0;
  sum[at + 1] = t1 | 0;
  sum[at + 2] = t2 | 0;
  sum[at + 3] = t3;
}

/** Adds the 128-bit value at `fromAt` of `from` to the sum. */
export function addInt128(sum: Int32Array, at: number, from: Int32Array, fromAt: number): void {
  const t0 = (sum[at] >>> 0) + (from[fromAt] >>> 0);
  const t1 = (sum[at + 1] >>> 0) + (from[fromAt + 1] >>> 0) + (t0 >= TWO_32 ? 1 : 0);
  const t2 = (sum[at + 2] >>> 0) + (from[fromAt + 2] >>> 0) + (t1 >= TWO_32 ? 1 : 0);
  const t3 = sum[at + 3] + from[fromAt + 3] + (t2 >= TWO_32 ? 1 : 0);
  if (t3 >= TWO_31 || t3 < -TWO_31) overflow(sum, at);
  sum[at] = t0 | 0;
  sum[at + 1] = t1 | 0;
  sum[at + 2] = t2 | 0;
  sum[at + 3] = t3;
}

/**
 * Adds a x b to the sum; 0 <= a, b < 2^63 as word pairs (prices and quantities are below 10^18).
 *
 * Schoolbook over 32-bit words. The low word of a 32 x 32 product is Math.imul; its high word is
 * (double product - low word) / 2^32 rounded to nearest, which adding and taking away 2^52 does:
 * the double is off by at most 2^10 and the difference by as much again, so the quotient is within
 * 2^-21 of the integer it must be. Every column sum stays below 2^35, exact in a double.
 * Measured: 14 ns; with Math.floor 18, 20-bit limbs 19, 16-bit limbs 25, BigInt 35 (and it allocates).
 */
export function addProduct(
  sum: Int32Array,
  at: number,
  aLow: number,
  aHigh: number,
  bLow: number,
  bHigh: number,
): void {
  const a0 = aLow >>> 0;
  const b0 = bLow >>> 0;
  const low00 = Math.imul(aLow, bLow) >>> 0;
  const low10 = Math.imul(aHigh, bLow) >>> 0;
  let column1 = (a0 * b0 - low00) * TWO_M32 + TWO_52 - TWO_52 + low10;
  let column2 = (aHigh * b0 - low10) * TWO_M32 + TWO_52 - TWO_52;
  let column3 = 0;
  if (bHigh !== 0) {
    // A quantity of 43 units or more; most trades are smaller.
    const low01 = Math.imul(aLow, bHigh) >>> 0;
    const low11 = Math.imul(aHigh, bHigh) >>> 0;
    column1 += low01;
    column2 += (a0 * bHigh - low01) * TWO_M32 + TWO_52 - TWO_52 + low11;
    column3 = (aHigh * bHigh - low11) * TWO_M32 + TWO_52 - TWO_52;
  }
  const t0 = (sum[at] >>> 0) + low00;
  const t1 = (sum[at + 1] >>> 0) + column1 + (t0 >= TWO_32 ? 1 : 0);
  const t2 = (sum[at + 2] >>> 0) + column2 + Math.floor(t1 * TWO_M32);
  const t3 = sum[at + 3] + column3 + Math.floor(t2 * TWO_M32);
  if (t3 >= TWO_31) overflow(sum, at);
  sum[at] = t0 | 0;
  sum[at + 1] = t1 | 0;
  sum[at + 2] = t2 | 0;
  sum[at + 3] = t3;
}

/** The value as a BigInt: for output and tests, not for hot loops. */
export function bigInt128(words: Int32Array, at: number): bigint {
  let value = BigInt(words[at + 3]);
  for (let word = 2; word >= 0; word--) value = (value << 32n) | BigInt(words[at + word] >>> 0);
  return value;
}

/** Stores a BigInt: for tests and conversions, not for hot loops. */
export function storeBigInt128(words: Int32Array, at: number, value: bigint): void {
  assert(BigInt.asIntN(128, value) === value, `${value} does not fit 128 bits`);
  for (let word = 0; word < 4; word++) {
    words[at + word] = Number(BigInt.asIntN(32, value >> BigInt(32 * word)));
  }
}
