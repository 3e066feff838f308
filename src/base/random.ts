/**
 * The only randomness: xoshiro128** (Blackman and Vigna), seeded through splitmix32.
 *
 * The same seed gives the same numbers on every machine. Whoever needs randomness is handed a
 * generator, and takes a `fork` per concern, so that drawing more for one concern (faults, say)
 * does not shift what another one (prices) gets. Not for secrets.
 */
const TWO_32 = 4_294_967_296;

/** A well-mixed 32-bit hash of two integers, for values that follow from an index, not a stream. */
export function mix32(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  return (h ^ (h >>> 15)) >>> 0;
}

export class Random {
  readonly #seed: number;
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** `seed` is any integer; its low 53 bits count. */
  constructor(seed: number) {
    const low = (seed % TWO_32) | 0;
    const high = Math.floor(seed / TWO_32) | 0;
    this.#seed = mix32(low, high);
    this.#a = mix32(this.#seed, 1) | 0;
    this.#b = mix32(this.#seed, 2) | 0;
    this.#c = mix32(low, 3) | 0;
    this.#d = mix32(high, 4) | 1; // the state must not be all zeros
  }

  /** An independent generator for concern number `concern`; does not advance this one. */
  fork(concern: number): Random {
    return new Random(mix32(this.#seed, concern) * 0x100000 + (concern & 0xfffff));
  }

  /** A whole number, 0 <= n < 2^32. */
  uint32(): number {
    const scrambled = Math.imul(this.#b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** 0 <= x < 1, in steps of 2^-32. */
  unit(): number {
    return this.uint32() / TWO_32;
  }

  /** A whole number, 0 <= n < bound, bound <= 2^32; the bias is below bound / 2^32. */
  below(bound: number): number {
    return Math.floor(this.unit() * bound);
  }

  /** A whole number, low <= n <= high. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }
}
