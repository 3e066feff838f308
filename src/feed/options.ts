/** What a configuration may say about one exchange's ingest; every number has a default. */
import type { Channel } from './protocol-of.js';

export interface FeedOptions {
  readonly channel: Channel;
  /** Other WebSocket and REST addresses than the exchange's own: a mirror, a simulator. */
  readonly url?: string;
  readonly restUrl?: string;
  /** Longest silence of a healthy connection, ms; the exchange's own figure by default. */
  readonly silenceMs?: number;
  /** Age at which a connection is replaced, ms; the exchange's own figure by default. */
  readonly connectionAgeMs?: number;
  readonly streamsPerConnectionMax?: number;
  /** Fetch missing trades over REST; default true. */
  readonly backfill?: boolean;
  /** Longest time between an append and its fdatasync, ms; default 100. */
  readonly syncIntervalMs?: number;
  /**
   * Last trade id and its receive time per native symbol, where an earlier run has left off: the time
   * between the runs is then fetched too.
   */
  readonly resume?: Readonly<Record<string, { readonly tradeId: number; readonly timeUs: number }>>;
}
