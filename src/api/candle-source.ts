/**
 * Candles to read: those the last epoch committed, and over them those still changing in memory.
 * For a window that both have, the live one wins: it holds everything the committed one does.
 */

import type { Instrument } from '#schemas/instrument';
import type { Timeframe } from '#schemas/timeframe';
import {
  type CandleRecord,
  type CandleRow,
  candleRow,
  windowStartOf,
} from '#src/output/candle-row';

export interface CandleRange {
  readonly timeframe: Timeframe;
  readonly instrument: Instrument;
  /** Window starts to give, us since the epoch: fromUs <= start < toUs. */
  readonly fromUs: number;
  readonly toUs: number;
  /** At most this many candles ... */
  readonly limit: number;
  /** ... the first ones of the range, or the last. The answer is oldest first either way. */
  readonly which: 'first' | 'last';
}

export interface CandleSource {
  candles(range: CandleRange): readonly CandleRow[] | Promise<readonly CandleRow[]>;
}

export interface CandleReaders {
  /**
   * Committed records of the range in order of window start, descending where asked. It is read
   * lazily and left early, so it may be a cursor; a record is used before the next is asked for.
   */
  committed(
    timeframe: Timeframe,
    instrument: number,
    fromUs: number,
    toUs: number,
    descending: boolean,
  ): Iterable<CandleRecord>;
  /** Live records of the range, in any order; a few per instrument (candles.live_depth). */
  live(
    timeframe: Timeframe,
    instrument: number,
    fromUs: number,
    toUs: number,
  ): Iterable<CandleRecord>;
}

interface Timed {
  readonly startUs: number;
  readonly record: CandleRecord;
}

/** Two sequences in the same order as one; where both have a start, only the one of `over`. */
function* overlaid(
  over: readonly Timed[],
  under: Iterable<CandleRecord>,
  descending: boolean,
): Generator<CandleRecord> {
  let next = 0;
  for (const record of under) {
    const startUs = windowStartOf(record);
    const isBefore = (t: Timed): boolean =>
      descending ? t.startUs > startUs : t.startUs < startUs;
    while (next < over.length && isBefore(over[next] as Timed)) {
      yield (over[next++] as Timed).record;
    }
    if (next < over.length && over[next]?.startUs === startUs) continue;
    yield record;
  }
  for (; next < over.length; next++) yield (over[next] as Timed).record;
}

/** Reads committed and live candles as one sequence, without waiting. */
export function mergedCandles(readers: CandleReaders): {
  candles(range: CandleRange): readonly CandleRow[];
} {
  return {
    candles({ timeframe, instrument, fromUs, toUs, limit, which }) {
      const descending = which === 'last';
      const { code } = instrument;
      const live = [...readers.live(timeframe, code, fromUs, toUs)]
        .map((record) => ({ startUs: windowStartOf(record), record }))
        .sort((a, b) => (descending ? b.startUs - a.startUs : a.startUs - b.startUs));
      const committed = readers.committed(timeframe, code, fromUs, toUs, descending);
      const rows: CandleRow[] = [];
      if (limit === 0) return rows;
      for (const record of overlaid(live, committed, descending)) {
        rows.push(candleRow(record, instrument));
        if (rows.length === limit) break;
      }
      return descending ? rows.reverse() : rows;
    },
  };
}
