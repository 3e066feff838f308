/**
 * A data file that is written and fsynced but belongs to a table only once an epoch names it.
 * Recovery deletes every file that no epoch names.
 */
import type { FileMetrics } from '#src/lake/file-metrics';

export interface StagedFile {
  /** Table name, such as `gold_crypto_trades`. */
  readonly table: string;
  /** Path relative to the lake directory: `<table>/data/<partition>/<name>.parquet`. */
  readonly path: string;
  /** Partition folder: `exchange_date=2026-11-23/exchange_hour=04`, `window_date=...`. */
  readonly partition: string;
  readonly rows: number;
  readonly bytes: number;
  /** Lower-case hex SHA-256 of the file. */
  readonly sha256: string;
  readonly metrics: FileMetrics;
}

/** Of a file that no reader is to be spared. */
export const NO_METRICS: FileMetrics = {
  columnSizes: {},
  valueCounts: {},
  nullCounts: {},
  lower: {},
  upper: {},
  splitOffsets: [],
};
