/**
 * Candles to read: those the last epoch committed, and over them those still changing in memory.
 * For a window that both have, the live one wins: it holds everything the committed one does.
 */

import type { Instrument } from '#schemas/instrument';
import type { Timeframe } from '#schemas/timeframe';
import { RowMemo } from '#src/api/row-memo';
import { type CandleRecord, type CandleRow, windowStartOf } from '#src/output/candle-row';

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
  /** The first `limit` live records of the range in the same order; each is used before the next. */
  live(
    timeframe: Timeframe,
    instrument: number,
    fromUs: number,
    toUs: number,
    descending: boolean,
    limit: number,
  ): Iterable<CandleRecord>;
}

interface Timed {
  readonly startUs: number;
  readonly row: CandleRow;
}

/** Reads committed and live candles as one sequence, without waiting. */
export function mergedCandles(readers: CandleReaders): {
  candles(range: CandleRange): readonly CandleRow[];
} {
  const memo = new RowMemo();
  return {
    candles({ timeframe, instrument, fromUs, toUs, limit, which }) {
      const descending = which === 'last';
      const { code } = instrument;
      const rows: CandleRow[] = [];
      if (limit === 0) return rows;
      const live: Timed[] = [];
      // Before the committed ones: a candle that leaves memory meanwhile is found there.
      for (const record of readers.live(timeframe, code, fromUs, toUs, descending, limit)) {
        live.push({ startUs: windowStartOf(record), row: memo.row(record, instrument) });
      }
      let next = 0;
      for (const record of readers.committed(timeframe, code, fromUs, toUs, descending)) {
        const startUs = windowStartOf(record);
        for (; next < live.length && rows.length < limit; next++) {
          const over = live[next] as Timed;
          if (descending ? over.startUs <= startUs : over.startUs >= startUs) break;
          rows.push(over.row);
        }
        if (rows.length === limit) break;
        if (live[next]?.startUs === startUs) continue;
        rows.push(memo.row(record, instrument));
        if (rows.length === limit) break;
      }
      for (; next < live.length && rows.length < limit; next++) {
        rows.push((live[next] as Timed).row);
      }
      return descending ? rows.reverse() : rows;
    },
  };
}
