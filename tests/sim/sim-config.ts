/** The configuration of a simulated process, from the shape its seed has drawn. */
import { type Exchange, exchangeKey } from '#schemas/exchange';
import { loadConfig } from '#src/config/load';
import type { Config } from '#src/config/schema';
import type { Shape } from '#tests/sim/plan';

export const DATA_DIR = '/data';
export const STATE_DIR = `${DATA_DIR}/state`;
export const LAKE_DIR = `${DATA_DIR}/lake`;

const BASE_CONFIG = loadConfig({ env: {}, cwd: '/' });

export function bronzeDir(exchange: Exchange): string {
  return `${DATA_DIR}/bronze/${exchangeKey(exchange)}`;
}

export function configOf(shape: Shape, exchanges: readonly Exchange[]): Config {
  const base = BASE_CONFIG;
  const jobs = shape.maintenance && shape.iceberg;
  const feed = (key: 'binance' | 'kraken' | 'coinbase') => ({
    enabled: exchanges.some((exchange) => exchangeKey(exchange) === key),
    ws_url: `ws://${key}.test/ws`,
    rest_url: `http://${key}.test`,
    silence_limit_ms: key === 'binance' ? 60_000 : 10_000,
    connection_age_max_ms: 86_400_000,
    backfill: shape.backfill,
  });
  return {
    ...base,
    data_dir: DATA_DIR,
    layout: {
      cores: [0],
      validation_shards: shape.validationShards,
      gold_shards: shape.goldShards,
      lake_threads: shape.lakeThreads,
    },
    exchanges: {
      binance: { ...feed('binance'), channel: 'trade' },
      kraken: feed('kraken'),
      coinbase: { ...feed('coinbase'), channel: 'matches' },
    },
    bronze: {
      sync_interval_ms: shape.syncIntervalMs,
      segment_mb: shape.segmentBytes / (1024 * 1024),
      segment_minutes: 1,
    },
    candles: { allowed_lateness_ms: shape.latenessMs, live_depth: 4 },
    epochs: { interval_ms: shape.epochMs, rows_max: shape.epochRows },
    batches: { rows: shape.batchRows, slots_per_shard: shape.slots, chunk_rows: shape.chunkRows },
    supervision: {
      restart_intensity: 5,
      restart_period_ms: 30_000,
      hang_limit_ms: shape.hangLimitMs,
      stop_timeout_ms: 10_000,
    },
    maintenance: {
      ...base.maintenance,
      check_interval_ms: shape.maintenance ? 1_000 : 3_600_000,
      // Only Iceberg's tables can be maintained, and only Parquet can be compacted.
      every_minutes: {
        compaction: jobs && shape.parquet ? 0.1 : 0,
        retention: 0,
        snapshots: jobs ? 0.2 : 0,
        manifests: jobs ? 0.15 : 0,
        orphans: jobs ? 0.1 : 0,
        audit: jobs && shape.parquet ? 0.2 : 0,
      },
      compaction: { ...base.maintenance.compaction, settle_minutes: 0, files_max: 5 },
      orphan_age_minutes: 0,
      manifests_max: 3,
      snapshots: { keep_min: 1, keep_max: shape.snapshotsKept, age_hours: 0 },
    },
  };
}
