/**
 * What is past its time: pure. A partition leaves whole, once all of it is older than its table keeps
 * rows; the candles of the state go with their partition. Gold trades and dead letters stay for ever.
 */
import { bronzeTable } from '#schemas/bronze';
import { candleTable } from '#schemas/candle';
import { EXCHANGES, exchangeKey } from '#schemas/exchange';
import { TIMEFRAMES } from '#schemas/timeframe';
import { silverTable } from '#schemas/trade';
import type { Config } from '#src/config/schema';
import { DAY_US, partitionSpan } from '#src/lake/partition';
import type { DataFile } from '#src/state/file-catalog';

export type RetentionDays = Config['maintenance']['retention_days'];

export interface RetentionPlan {
  readonly expired: readonly DataFile[];
  /** By timeframe index: candles of earlier windows go; what the state has when none does. */
  readonly candlesFromUs: readonly number[];
}

/**
 * Partitions of a table that leave in one run: a day of 1m candles of 20 pairs is 29,000 records to
 * take out of the state in one transaction. At a run an hour, months are caught up with in a day.
 */
export const PARTITIONS_PER_RUN_MAX = 4;

/** Days each table keeps a partition; tables that keep all of them are not in it. */
export function retentionByTable(days: RetentionDays): Map<string, number> {
  const all: (readonly [string, number])[] = [
    ...EXCHANGES.map((exchange) => [bronzeTable(exchangeKey(exchange)), days.bronze] as const),
    ...EXCHANGES.map((exchange) => [silverTable(exchangeKey(exchange)), days.silver] as const),
    ...TIMEFRAMES.map((timeframe) => [candleTable(timeframe), days[`ohlcv_${timeframe}`]] as const),
  ];
  return new Map(all.filter(([, kept]) => kept > 0));
}

export function planRetention(
  filesOf: (table: string) => Iterable<DataFile>,
  candlesFromUs: readonly number[],
  nowUs: number,
  days: RetentionDays,
): RetentionPlan {
  const fromUs = [...candlesFromUs];
  const expired: DataFile[] = [];
  for (const [table, kept] of retentionByTable(days)) {
    const past = pastPartitions(filesOf(table), nowUs - kept * DAY_US);
    expired.push(...[...past.values()].flat());
    const timeframe = TIMEFRAMES.findIndex((name) => candleTable(name) === table);
    if (timeframe < 0) continue;
    for (const partition of past.keys()) {
      const { endUs } = partitionSpan(partition);
      fromUs[timeframe] = Math.max(fromUs[timeframe] ?? 0, endUs);
    }
  }
  return { expired, candlesFromUs: fromUs };
}

/** The oldest partitions that end at or before `cutUs`, with their files. */
function pastPartitions(files: Iterable<DataFile>, cutUs: number): Map<string, DataFile[]> {
  const past = new Map<string, DataFile[]>();
  for (const file of files) {
    if (partitionSpan(file.partition).endUs > cutUs) continue;
    past.set(file.partition, [...(past.get(file.partition) ?? []), file]);
  }
  const oldest = [...past].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, PARTITIONS_PER_RUN_MAX);
  return new Map(oldest);
}
