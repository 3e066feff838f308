/**
 * What an import says at its end. `frames` = `control` + frames with trades or dead letters;
 * `trades` are those added to gold; `gaps` and `missing_ids` are the exchange's whole ledger.
 */
import type { Exchange } from '#schemas/exchange';
import type { DataDirectory } from '#src/supervision/data-directory';
import { gapTotals } from '#src/trades/gaps';
import { IntervalSet } from '#src/trades/interval-set';

export interface Figures {
  readonly frames: number;
  readonly control: number;
  readonly trades: number;
  readonly duplicates: number;
  readonly dead_letters: number;
  readonly gaps: number;
  readonly missing_ids: number;
  readonly epochs: number;
}

export function figuresOf({ store, instruments }: DataDirectory, exchange: Exchange): Figures {
  const last = store.epoch();
  const progress = last.progress.find((p) => p.exchange === exchange);
  const gold = last.gold.find((total) => total.exchange === exchange);
  let gaps = 0;
  let missing = 0;
  for (const instrument of instruments) {
    if (instrument.exchange !== exchange) continue;
    const packed = store.intervals(instrument);
    if (packed === undefined) continue;
    const totals = gapTotals(IntervalSet.unpack(packed));
    gaps += totals.gaps;
    missing += totals.missing;
  }
  return {
    frames: progress?.frames ?? 0,
    control: progress?.control ?? 0,
    trades: gold?.trades ?? 0,
    duplicates: gold?.duplicates ?? 0,
    dead_letters: progress?.deadLetters ?? 0,
    gaps,
    missing_ids: missing,
    epochs: last.epoch,
  };
}

/** What came in between: counts are differences, the ledger is as it is now. */
export function subtractFigures(now: Figures, before: Figures): Figures {
  return {
    frames: now.frames - before.frames,
    control: now.control - before.control,
    trades: now.trades - before.trades,
    duplicates: now.duplicates - before.duplicates,
    dead_letters: now.dead_letters - before.dead_letters,
    gaps: now.gaps,
    missing_ids: now.missing_ids,
    epochs: now.epochs - before.epochs,
  };
}
