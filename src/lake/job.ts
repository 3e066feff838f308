/**
 * Work for the lake pool: rows in memory, or a stretch of a log, to fsynced Parquet files. A job is
 * plain data; shared memory in it stays shared and must not be written until the job's promise
 * settles. Every job answers with the files it staged (src/lake/staged-file.ts), by partition.
 */
import type { Exchange } from '#schemas/exchange';
import type { Timeframe } from '#schemas/timeframe';

/** Trades: a TradeBatch (src/columns/trade-batch.ts) at byte 0 of `memory`. */
export interface TradesJob {
  readonly kind: 'trades';
  /** The rows are encoded once; each table gets a file of its own with the same bytes. */
  readonly tables: readonly string[];
  readonly memory: SharedArrayBuffer;
  readonly capacity: number;
  readonly rows: number;
  /** File name without its extension; unique in the data directory. */
  readonly name: string;
}

export interface DeadLetterRow {
  readonly raw: Uint8Array;
  /** Index of the bad trade in the frame; -1 when the frame as a whole is bad. */
  readonly index: number;
  /** Code in REASONS (schemas/dead-letter.ts). */
  readonly reason: number;
  readonly receiveTimeUs: number;
  readonly exchange: Exchange;
  readonly sequence: number;
}

export interface DeadLettersJob {
  readonly kind: 'dead-letters';
  readonly rows: readonly DeadLetterRow[];
  readonly name: string;
}

/** All candles of one partition of one timeframe, as records (src/candles/record.ts) back to back. */
export interface CandlesJob {
  readonly kind: 'candles';
  readonly timeframe: Timeframe;
  readonly records: Uint8Array;
  readonly name: string;
}

/** The frames [fromSequence, toSequence) of a log, which must all be in sealed segments. */
export interface BronzeJob {
  readonly kind: 'bronze';
  readonly exchange: Exchange;
  /** The folder of the exchange's log. */
  readonly dir: string;
  readonly fromSequence: number;
  readonly toSequence: number;
  readonly name: string;
}

export type LakeJob = TradesJob | DeadLettersJob | CandlesJob | BronzeJob;
