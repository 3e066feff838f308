/**
 * The exchanges' limits and intervals as published (2026-07); a test sets its own, shorter ones.
 */
import { FEEDS, type Feed } from '#src/simulator/frame-format';

/** An endpoint: Coinbase's two WebSocket feeds live on hosts of their own. */
export const VENUES = ['BINANCE', 'KRAKEN', 'COINBASE', 'ADVANCED'] as const;
export type Venue = (typeof VENUES)[number];

export const VENUE_FEEDS: Readonly<Record<Venue, readonly Feed[]>> = {
  BINANCE: ['binance-trade', 'binance-aggtrade'],
  KRAKEN: ['kraken'],
  COINBASE: ['coinbase'],
  ADVANCED: ['coinbase-advanced'],
};

export function feedVenue(feed: Feed): Venue {
  return VENUES.find((venue) => VENUE_FEEDS[venue].includes(feed))!;
}

/** Feeds simulated unless others are asked for: one per exchange. */
export const DEFAULT_FEEDS: readonly Feed[] = FEEDS.filter(
  (feed) => feed === 'binance-trade' || feed === 'kraken' || feed === 'coinbase',
);

export interface RateLimit {
  readonly max: number;
  readonly windowMs: number;
}

export interface Limits {
  /** Binance sends a ping so often, and closes when the pong takes longer than the timeout. */
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  /** Binance cuts every connection at this age, after a serverShutdown event. */
  readonly lifetimeMs: number;
  readonly shutdownLeadMs: number;
  readonly streamsMax: number;
  /** Coinbase closes a connection that has not subscribed by then. */
  readonly subscribeDeadlineMs: number;
  /** Kraken closes a connection without a subscription, Advanced one without traffic. */
  readonly idleCloseMs: number;
  readonly heartbeatMs: number;
  /** Messages a client may send (on Binance pings and pongs count too). */
  readonly clientMessages: Readonly<Record<Venue, RateLimit>>;
  readonly connectionAttempts: Readonly<Record<Venue, RateLimit>>;
  /** Request weight Binance REST gives per minute; above it 429 with Retry-After. */
  readonly restWeightPerMinute: number;
  /** Coinbase REST; above it 429. */
  readonly restRequests: RateLimit;
  /** A connection that leaves more than this unread is cut. */
  readonly unreadBytesMax: number;
}

export const LIMITS: Limits = {
  pingIntervalMs: 20_000,
  pongTimeoutMs: 60_000,
  lifetimeMs: 86_400_000,
  shutdownLeadMs: 10_000,
  streamsMax: 1024,
  subscribeDeadlineMs: 5000,
  idleCloseMs: 60_000,
  heartbeatMs: 1000,
  clientMessages: {
    BINANCE: { max: 5, windowMs: 1000 },
    // Not published; Kraken answers "Exceeded msg rate".
    KRAKEN: { max: 100, windowMs: 1000 },
    COINBASE: { max: 100, windowMs: 1000 },
    ADVANCED: { max: 8, windowMs: 1000 },
  },
  connectionAttempts: {
    BINANCE: { max: 300, windowMs: 300_000 },
    KRAKEN: { max: 150, windowMs: 600_000 },
    COINBASE: { max: 20, windowMs: 2500 },
    ADVANCED: { max: 8, windowMs: 1000 },
  },
  restWeightPerMinute: 6000,
  restRequests: { max: 15, windowMs: 1000 },
  unreadBytesMax: 64 * 1024 * 1024,
};

/** Counts events in a sliding window. */
export class RateCounter {
  readonly #limit: RateLimit;
  #times: number[] = [];

  constructor(limit: RateLimit) {
    this.#limit = limit;
  }

  /** Counts one more; false when that breaks the limit. */
  allow(nowMs: number): boolean {
    this.#times = this.#times.filter((time) => nowMs - time < this.#limit.windowMs);
    this.#times.push(nowMs);
    return this.#times.length <= this.#limit.max;
  }
}
