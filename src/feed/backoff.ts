/**
 * How long to wait before attempt n: capped exponential back-off with full jitter.
 *
 * Full jitter (uniform in [0, ceiling)) spreads the clients an exchange dropped together better than
 * any other choice; the ceiling doubles from `baseMs` up to `capMs`. A connection that stayed up for
 * `stableMs` wipes the slate; one that dies younger does not, or a server that accepts and drops
 * at once would be hammered at the shortest delay.
 */
export interface BackoffLimits {
  readonly baseMs: number;
  readonly capMs: number;
  readonly stableMs: number;
}

/** 0.5 s, 1 s, 2 s ... 30 s; forgotten after 30 s up. */
export const RECONNECT_BACKOFF: BackoffLimits = { baseMs: 500, capMs: 30_000, stableMs: 30_000 };

/** Largest delay before attempt `failures` (0 = the first retry). */
export function backoffCeilingMs(failures: number, limits: BackoffLimits): number {
  // 2^30 x any base is above any cap: beyond it the exponent only risks Infinity.
  return Math.min(limits.capMs, limits.baseMs * 2 ** Math.min(failures, 30));
}

export function backoffDelayMs(
  failures: number,
  limits: BackoffLimits,
  random: () => number,
): number {
  return random() * backoffCeilingMs(failures, limits);
}

/** Failures in a row, now that a connection which was live for `liveMs` has ended. */
export function failuresAfter(failures: number, liveMs: number, limits: BackoffLimits): number {
  return liveMs >= limits.stableMs ? 0 : failures + 1;
}
