/**
 * The exchange's limit on connection attempts, kept as a sliding window of past attempts.
 *
 * Promise: in no span of `windowMs` are there more than `limit` attempts. All connections to one
 * exchange share one budget, since exchanges count per IP address.
 */
import { assert } from '#src/base/errors';

export interface AttemptLimit {
  readonly limit: number;
  readonly windowMs: number;
}

export class AttemptBudget {
  readonly #windowMs: number;
  /** Times of the latest `limit` attempts, oldest at #next once full. */
  readonly #times: Float64Array;
  #next = 0;

  constructor({ limit, windowMs }: AttemptLimit) {
    assert(limit > 0 && windowMs > 0, `attempt limit ${limit} per ${windowMs} ms`);
    this.#windowMs = windowMs;
    this.#times = new Float64Array(limit).fill(Number.NEGATIVE_INFINITY);
  }

  /** Takes one attempt now and answers 0, or takes none and answers how long to wait. */
  take(nowMs: number): number {
    const waitMs = (this.#times[this.#next] as number) + this.#windowMs - nowMs;
    if (waitMs > 0) return waitMs;
    this.#times[this.#next] = nowMs;
    this.#next = (this.#next + 1) % this.#times.length;
    return 0;
  }
}
