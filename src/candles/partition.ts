/**
 * Candle partitions: which candles share a data file, and what the whole file holds.
 *
 * A partition is a UTC day of window_start (a UTC month for 1d). Files are replaced whole, so a
 * partition touched in an epoch is the committed candles overlaid with the changed ones.
 */
import { TIMEFRAMES } from '#schemas/timeframe';
import { loadInt64 } from '#src/base/int64';
import { CANDLE_BYTES, CANDLE_WORDS, WORD } from '#src/candles/record';

const DAY_US = 86_400_000_000;
const DAY_TIMEFRAME = TIMEFRAMES.indexOf('1d');

/** Every committed candle of a timeframe with fromUs <= window_start < toUs, any instrument. */
export type CommittedCandles = (
  timeframe: number,
  fromUs: number,
  toUs: number,
) => Iterable<Uint8Array>;

/** Start and end (us, end exclusive) of the partition a window belongs to. */
export function partitionRangeUs(
  timeframe: number,
  windowStartUs: number,
): { fromUs: number; toUs: number } {
  if (timeframe !== DAY_TIMEFRAME) {
    const fromUs = Math.floor(windowStartUs / DAY_US) * DAY_US;
    return { fromUs, toUs: fromUs + DAY_US };
  }
  const date = new Date(windowStartUs / 1000);
  const fromUs = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) * 1000;
  const toUs = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) * 1000;
  return { fromUs, toUs };
}

export class CandlePartition {
  readonly timeframe: number;
  readonly fromUs: number;
  readonly toUs: number;
  /** Changed records by (instrument, window start). */
  readonly #changed = new Map<string, Uint8Array>();

  constructor(timeframe: number, fromUs: number, toUs: number) {
    this.timeframe = timeframe;
    this.fromUs = fromUs;
    this.toUs = toUs;
  }

  add(record: Uint8Array): void {
    this.#changed.set(keyOf(record), record);
  }

  /** The partition's records back to back: the committed ones, changed ones in their place. */
  overlay(committed: CommittedCandles): Uint8Array {
    const records = [...this.#changed.values()];
    for (const record of committed(this.timeframe, this.fromUs, this.toUs)) {
      if (!this.#changed.has(keyOf(record))) records.push(record.slice(0, CANDLE_BYTES));
    }
    const whole = new Uint8Array(records.length * CANDLE_BYTES);
    for (const [i, record] of records.entries()) whole.set(record, i * CANDLE_BYTES);
    return whole;
  }
}

/** The partitions that changed records belong to. */
export function touchedPartitions(records: Uint8Array): Iterable<CandlePartition> {
  const partitions = new Map<string, CandlePartition>();
  for (let at = 0; at < records.byteLength; at += CANDLE_BYTES) {
    const record = records.subarray(at, at + CANDLE_BYTES);
    const timeframe = wordsOf(record)[WORD.timeframeAndFlags]! & 0xff;
    const { fromUs, toUs } = partitionRangeUs(timeframe, windowStartOf(record));
    const key = `${timeframe} ${fromUs}`;
    let partition = partitions.get(key);
    if (partition === undefined) {
      partition = new CandlePartition(timeframe, fromUs, toUs);
      partitions.set(key, partition);
    }
    partition.add(record);
  }
  return partitions.values();
}

function wordsOf(record: Uint8Array): Int32Array {
  if (record.byteOffset % 4 === 0) {
    return new Int32Array(record.buffer, record.byteOffset, CANDLE_WORDS);
  }
  return new Int32Array(record.slice(0, CANDLE_BYTES).buffer);
}

function windowStartOf(record: Uint8Array): number {
  return loadInt64(wordsOf(record), WORD.windowStart / 2);
}

function keyOf(record: Uint8Array): string {
  const words = wordsOf(record);
  return `${words[WORD.instrument]} ${loadInt64(words, WORD.windowStart / 2)}`;
}
