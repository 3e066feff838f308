/** What a peer is asked to do and what it answers: the same frames, the same cores, its own way. */
import type { Exchange } from '#schemas/exchange';
import type { Usage } from '../pinned-child.js';

/**
 * `whole`: 17-column silver and gold Parquet by hour and six candle tables, row for row what Bullion
 * writes: of a trade that came twice gold has the first. Bullion's files are also sorted and durable.
 * `little`: parse, distinct, 6-column gold Parquet and 1m candles.
 */
export type Job = 'whole' | 'little';

export interface PeerRequest {
  readonly job: Job;
  readonly threads: number;
  readonly lines: Readonly<Record<Exchange, string>>;
  /** Where its files go. */
  readonly dir: string;
}

/** Counts that must agree with Bullion's, and exact sums as text. */
export interface PeerAnswer {
  readonly usage: Usage;
  readonly gold: number;
  /** Sum of all quantities in gold x 10^8. */
  readonly volume: string;
  /** Sum of platform_sequence in gold, which says what copy of a trade was kept; of `whole` only. */
  readonly sequences: string;
  /** Trades in the 1m candles, and how many candles there are. */
  readonly candleTrades: number;
  readonly candles: number;
  readonly bytes: number;
}
