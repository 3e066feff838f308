/**
 * What each stage hands to the supervisor when epoch n's barrier has passed it: everything that has
 * to become durable together. All of it is plain data that survives a structured clone.
 */
import type { Exchange } from '#schemas/exchange';
import type { StagedFile } from '#src/lake/staged-file';

export interface ExchangeProgress {
  readonly exchange: Exchange;
  /** Sequence of the first frame of the log that this epoch does not cover. */
  readonly nextSequence: number;
  /** Largest receive time of any frame below nextSequence, us; 0 before the first. */
  readonly watermarkUs: number;
  /** Figures since the data directory was made. */
  readonly frames: number;
  readonly control: number;
  /** Valid trades, duplicates included. */
  readonly valid: number;
  readonly deadLetters: number;
}

export interface ValidationReport {
  readonly stage: 'validation';
  readonly shard: number;
  readonly epoch: number;
  readonly progress: readonly ExchangeProgress[];
  readonly files: readonly StagedFile[];
}

export interface InstrumentState {
  readonly instrument: number;
  /** Packed interval set (src/trades/interval-set.ts). */
  readonly intervals: Uint8Array;
}

export interface GoldReport {
  readonly stage: 'gold';
  readonly shard: number;
  readonly epoch: number;
  /** Instruments whose interval set changed in this epoch. */
  readonly instruments: readonly InstrumentState[];
  readonly files: readonly StagedFile[];
  /** Trades added to gold and duplicates masked since this shard (re)started. */
  readonly counts: readonly { exchange: Exchange; trades: number; duplicates: number }[];
}

export interface CandleReport {
  readonly stage: 'candles';
  readonly shard: number;
  readonly epoch: number;
  /** Candle records (src/candles/record.ts) that changed, back to back. */
  readonly records: Uint8Array;
  /** One file per touched (timeframe, partition); each replaces that partition's earlier file. */
  readonly files: readonly StagedFile[];
}

export type EpochReport = ValidationReport | GoldReport | CandleReport;
