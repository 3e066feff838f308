/**
 * What an epoch commits, and the record of the last one: where every exchange's log is covered to,
 * and what gold holds. Epoch 0 is the empty state a new data directory starts from.
 */
import type { Exchange } from '#schemas/exchange';
import { TIMEFRAMES } from '#schemas/timeframe';
import { assert } from '#src/base/errors';
import type { StagedFile } from '#src/lake/staged-file';
import type { ExchangeProgress, InstrumentState } from '#src/runtime/epoch-report';

export interface ExchangeGold {
  readonly exchange: Exchange;
  /** Trades in gold and duplicates masked since the data directory was made, all shards. */
  readonly trades: number;
  readonly duplicates: number;
}

export interface BronzeTabled {
  readonly exchange: Exchange;
  /** Sequence of the first frame of the log that is not in its bronze table yet. */
  readonly nextSequence: number;
}

export interface EpochRecord {
  readonly epoch: number;
  readonly committedUs: number;
  /** The last epoch whose tables are published; `epoch` when nothing is left to publish. */
  readonly publishedEpoch: number;
  readonly progress: readonly ExchangeProgress[];
  readonly gold: readonly ExchangeGold[];
  readonly bronze: readonly BronzeTabled[];
  /** By timeframe index: candles of windows that start earlier are past retention; 0: none is. */
  readonly candlesFromUs: readonly number[];
  /** Rows that left a table because they were past retention, by table, since the beginning. */
  readonly expiredRows: Readonly<Record<string, number>>;
}

export interface EpochCommit {
  /** The last epoch + 1. */
  readonly epoch: number;
  readonly committedUs: number;
  /** An exchange left out (switched off) keeps what it had; the same for `gold` and `bronze`. */
  readonly progress: readonly ExchangeProgress[];
  readonly gold: readonly ExchangeGold[];
  readonly bronze: readonly BronzeTabled[];
  /** Interval sets that changed, by instrument code. */
  readonly instruments: readonly InstrumentState[];
  /** Candle records that changed, back to back (src/candles/record.ts). */
  readonly candles: Uint8Array;
  /** A candle file replaces the earlier file of its table and partition. */
  readonly files: readonly StagedFile[];
  /** Paths of live files that leave their table in this epoch: their rows are in other files. */
  readonly retired?: readonly string[];
  /** Paths of live files that leave their table in this epoch with their rows: past retention. */
  readonly expired?: readonly string[];
  /** As in the record; the state's candles before these times are removed. */
  readonly candlesFromUs?: readonly number[];
}

export function isPublished(record: EpochRecord): boolean {
  return record.publishedEpoch === record.epoch;
}

export function firstEpoch(createdUs: number): EpochRecord {
  return {
    epoch: 0,
    committedUs: createdUs,
    publishedEpoch: 0,
    progress: [],
    gold: [],
    bronze: [],
    candlesFromUs: TIMEFRAMES.map(() => 0),
    expiredRows: {},
  };
}

/**
 * The record after `commit`, in which `expired` rows left their tables. Nothing it counts may go
 * backwards.
 */
export function nextEpoch(
  last: EpochRecord,
  commit: EpochCommit,
  expired: Readonly<Record<string, number>> = {},
): EpochRecord {
  assert(commit.epoch === last.epoch + 1, `epoch ${commit.epoch} cannot follow ${last.epoch}`);
  return {
    epoch: commit.epoch,
    committedUs: commit.committedUs,
    publishedEpoch: last.publishedEpoch,
    progress: merge(last.progress, commit.progress),
    gold: merge(last.gold, commit.gold),
    bronze: merge(last.bronze, commit.bronze),
    candlesFromUs: last.candlesFromUs.map((fromUs, timeframe) =>
      Math.max(fromUs, commit.candlesFromUs?.[timeframe] ?? 0),
    ),
    expiredRows: addCounts(last.expiredRows, expired),
  };
}

function addCounts(
  counts: Readonly<Record<string, number>>,
  more: Readonly<Record<string, number>>,
): Record<string, number> {
  const sums = { ...counts };
  for (const [name, count] of Object.entries(more)) sums[name] = (sums[name] ?? 0) + count;
  return sums;
}

type PerExchange = { readonly exchange: Exchange };

/** `next` over `last`, by exchange; every figure of an exchange only ever grows. */
function merge<T extends PerExchange>(last: readonly T[], next: readonly T[]): T[] {
  const byExchange = new Map(last.map((item) => [item.exchange, item]));
  const seen = new Set<Exchange>();
  for (const item of next) {
    assert(!seen.has(item.exchange), `${item.exchange} is in the commit twice`);
    seen.add(item.exchange);
    const earlier = byExchange.get(item.exchange);
    if (earlier) assertGrows(earlier, item);
    byExchange.set(item.exchange, item);
  }
  return [...byExchange.values()];
}

function assertGrows<T extends PerExchange>(earlier: T, later: T): void {
  for (const [name, value] of Object.entries(later)) {
    if (typeof value !== 'number') continue;
    const before = (earlier as Record<string, unknown>)[name] as number;
    assert(value >= before, `${later.exchange} ${name} fell from ${before} to ${value}`);
  }
}
