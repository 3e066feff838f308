/**
 * How many requests each address has made in its second, which begins with the first of them: `max`
 * pass, the next one does not, and the second after that begins anew.
 */

/** Addresses that are remembered; the one whose second began first is forgotten first. */
const ADDRESSES_MAX = 4_096;
const SECOND_MS = 1_000;

interface Count {
  readonly sinceMs: number;
  requests: number;
}

export class RequestCounts {
  readonly #max: number;
  readonly #counts = new Map<string, Count>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Counts a request; whether it may go on. `nowMs` never jumps. */
  take(address: string, nowMs: number): boolean {
    const count = this.#counts.get(address);
    if (count === undefined || nowMs - count.sinceMs >= SECOND_MS) {
      // The oldest stand first: one that begins anew moves to the end.
      this.#counts.delete(address);
      if (this.#counts.size === ADDRESSES_MAX) {
        for (const oldest of this.#counts.keys()) {
          this.#counts.delete(oldest);
          break;
        }
      }
      this.#counts.set(address, { sinceMs: nowMs, requests: 1 });
      return true;
    }
    count.requests++;
    return count.requests <= this.#max;
  }
}
