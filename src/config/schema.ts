/**
 * The configuration: one literal that is the type, the check and the words of every error.
 *
 * Keys are spelled here as in the YAML files, so a search for a key finds its file, its check and
 * its use. Values and reasons live in configs/default.yaml; this file only says what is allowed.
 * `allowed` on a schema is the end of the sentence "<key> must be ...".
 */
import { type Static, type TObject, type TProperties, Type } from '@sinclair/typebox';

function section<const T extends TProperties>(properties: T): TObject<T> {
  const allowed = `a mapping with the keys ${Object.keys(properties).join(', ')}`;
  return Type.Object(properties, { additionalProperties: false, allowed });
}

function integer(minimum: number, maximum: number) {
  return Type.Integer({ minimum, maximum, allowed: `an integer from ${minimum} to ${maximum}` });
}

function boolean() {
  return Type.Boolean({ allowed: 'true or false' });
}

function oneOf<const T extends readonly string[]>(...names: T) {
  return Type.Union(
    names.map((name) => Type.Literal(name as T[number])),
    { allowed: `one of ${names.join(', ')}` },
  );
}

/** A list of texts; `pattern` is for all of each. */
function names(pattern: string, what: string) {
  const item = Type.String({
    pattern: `^${pattern}$`,
    maxLength: 300,
    allowed: `one of the ${what}`,
  });
  return Type.Array(item, {
    maxItems: 64,
    uniqueItems: true,
    allowed: `a list of different ${what}`,
  });
}

/** TLS, except to this machine itself, where the simulated exchanges listen. */
function url(scheme: 'ws' | 'http') {
  const local = '(127\\.0\\.0\\.1|localhost|\\[::1\\])(:\\d{1,5})?';
  return Type.String({
    maxLength: 2048,
    pattern: `^(${scheme}s://[\\w.-]+(:\\d{1,5})?|${scheme}://${local})([/?][^\\s#]*)?$`,
    allowed: `a ${scheme}s:// URL (${scheme}:// to this machine only)`,
  });
}

const name = { maxLength: 256, pattern: '^[\\w.:-]+$' };

const exchange = {
  enabled: boolean(),
  ws_url: url('ws'),
  rest_url: url('http'),
  silence_limit_ms: integer(1_000, 600_000),
  connection_age_max_ms: integer(10_000, 604_800_000),
  backfill: boolean(),
};

/** 0 switches the job's schedule off. */
const every = integer(0, 10_080);

/** 0: for ever. */
const days = integer(0, 36_500);

const cores = Type.Union(
  [
    Type.Literal('auto'),
    Type.Array(Type.Integer({ minimum: 0, maximum: 1023 }), { minItems: 1, uniqueItems: true }),
  ],
  { allowed: 'auto or a list of different core numbers, such as [0, 1, 2]' },
);

export const CONFIG = section({
  data_dir: Type.String({ minLength: 1, maxLength: 4096, allowed: 'the path of a directory' }),
  warehouse: Type.String({
    maxLength: 1024,
    pattern: '^(lake|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\\w.=-]*[\\w=-])*)$',
    allowed: 'lake (a folder in the data directory) or s3://bucket/prefix',
  }),
  s3: section({
    endpoint: Type.Union([Type.Literal('aws'), url('http')], {
      allowed: 'aws or an https:// URL (http:// to this machine only)',
    }),
    region: Type.String({ ...name, allowed: 'the name of a region, such as us-east-1' }),
    path_style: boolean(),
    timeout_ms: integer(100, 600_000),
    outage_minutes: integer(0, 1_440),
  }),
  catalog: section({
    type: oneOf('file', 'rest'),
    uri: Type.Union([Type.Literal('none'), url('http')], {
      allowed: 'none or an https:// URL (http:// to this machine only)',
    }),
    warehouse: Type.String({
      maxLength: 1024,
      pattern: '^[\\x21-\\x7e]*$',
      allowed: "the catalog's own name of the warehouse, or '' for its only one",
    }),
    timeout_ms: integer(100, 600_000),
    outage_minutes: integer(0, 1_440),
  }),
  http: section({
    host: Type.String({
      pattern: '^(\\d{1,3}(\\.\\d{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)$',
      allowed: 'an IP address',
    }),
    port: integer(0, 65_535),
    allow_remote: boolean(),
    token_file: Type.String({ maxLength: 4096, allowed: 'the path of a file, or empty' }),
    hosts: names('[A-Za-z0-9.-]{1,253}', 'host names without a port'),
    origins: names(
      'https?://[A-Za-z0-9.:\\[\\]-]{1,253}',
      'origins such as https://charts.example',
    ),
    requests_per_second: integer(1, 1_000_000),
    connections: integer(1, 65_536),
    connections_per_address: integer(1, 65_536),
    queries: section({
      concurrency: integer(1, 64),
      timeout_ms: integer(100, 600_000),
      memory_mb: integer(64, 65_536),
    }),
  }),
  layout: section({
    cores,
    validation_shards: integer(1, 64),
    gold_shards: integer(1, 64),
    lake_threads: integer(1, 64),
  }),
  exchanges: section({
    binance: section({ ...exchange, channel: oneOf('trade', 'aggTrade') }),
    kraken: section(exchange),
    coinbase: section({ ...exchange, channel: oneOf('matches', 'market_trades') }),
  }),
  bronze: section({
    sync_interval_ms: integer(1, 60_000),
    segment_mb: integer(1, 4_096),
    segment_minutes: integer(1, 1_440),
  }),
  validation: section({
    future_tolerance_ms: integer(0, 86_400_000),
    age_limit_days: integer(1, 36_500),
  }),
  candles: section({
    allowed_lateness_ms: integer(0, 86_400_000),
    live_depth: integer(2, 4_096),
  }),
  epochs: section({
    interval_ms: integer(100, 86_400_000),
    rows_max: integer(1_000, 1_000_000_000),
  }),
  batches: section({
    rows: integer(16, 65_536),
    slots_per_shard: integer(4, 4_096),
    chunk_rows: integer(1_024, 4_194_304),
  }),
  supervision: section({
    restart_intensity: integer(0, 1_000),
    restart_period_ms: integer(1_000, 3_600_000),
    hang_limit_ms: integer(100, 600_000),
    stop_timeout_ms: integer(100, 600_000),
  }),
  maintenance: section({
    check_interval_ms: integer(100, 3_600_000),
    every_minutes: section({
      compaction: every,
      retention: every,
      snapshots: every,
      manifests: every,
      orphans: every,
      audit: every,
    }),
    compaction: section({
      settle_minutes: integer(0, 10_080),
      rows_max: integer(1_000, 4_000_000),
      mb_max: integer(1, 512),
      files_max: integer(2, 10_000),
    }),
    retention_days: section({
      bronze: days,
      silver: days,
      ohlcv_1m: days,
      ohlcv_5m: days,
      ohlcv_15m: days,
      ohlcv_30m: days,
      ohlcv_1h: days,
      ohlcv_1d: days,
    }),
    snapshots: section({
      keep_min: integer(1, 10_000),
      keep_max: integer(1, 10_000),
      age_hours: integer(0, 87_600),
    }),
    manifests_max: integer(1, 1_000),
    orphan_age_minutes: integer(0, 10_080),
    audit_files: integer(0, 100_000),
  }),
  log: section({ level: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent') }),
});

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** A checked, frozen configuration. */
export type Config = DeepReadonly<Static<typeof CONFIG>>;
