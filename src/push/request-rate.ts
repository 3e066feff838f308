/**
 * How often a client may ask: a bucket of tokens that fills steadily. Pings count, too.
 */
import type { Clock } from '#src/base/clock';

/** Enough to subscribe to everything at once, twice. */
export const REQUESTS_BURST = 200;
export const REQUESTS_PER_SECOND = 20;

export class RequestRate {
  readonly #clock: Clock;
  #tokens = REQUESTS_BURST;
  #filledMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#filledMs = clock.monotonicMs();
  }

  /** Whether one more is allowed now. */
  take(): boolean {
    const nowMs = this.#clock.monotonicMs();
    const filled = ((nowMs - this.#filledMs) * REQUESTS_PER_SECOND) / 1000;
    this.#tokens = Math.min(REQUESTS_BURST, this.#tokens + filled);
    this.#filledMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
