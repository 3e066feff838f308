/**
 * Counts of everything as of the last epoch, from the state: computed once per epoch, table by table
 * with a turn of the event loop in between.
 */
import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import type { Instrument } from '#schemas/instrument';
import { TABLES } from '#schemas/tables';
import type { StateStore } from '#src/state/store';
import { type Gap, type GapTotals, gapsOf, gapTotals } from '#src/trades/gaps';
import { IntervalSet } from '#src/trades/interval-set';

export interface TableTotals {
  readonly table: string;
  readonly files: number;
  readonly rows: number;
  readonly bytes: number;
}

export async function tableTotals(store: StateStore): Promise<TableTotals[]> {
  const totals: TableTotals[] = [];
  for (const { name } of TABLES) {
    let files = 0;
    let rows = 0;
    let bytes = 0;
    for (const file of store.files(name)) {
      files++;
      rows += file.rows;
      bytes += file.bytes;
    }
    totals.push({ table: name, files, rows, bytes });
    await eventLoopTurn();
  }
  return totals;
}

export function instrumentGaps(store: StateStore, instrument: Instrument): Gap[] {
  const packed = store.intervals(instrument);
  return packed === undefined ? [] : gapsOf(IntervalSet.unpack(packed));
}

/** What `GET /v1/stats` tells. */
export async function ledgerStats(store: StateStore, instruments: readonly Instrument[]) {
  const { epoch, committedUs, progress, gold } = store.epoch();
  const tables = await tableTotals(store);
  return {
    epoch,
    committed_at: new Date(committedUs / 1000).toISOString(),
    instruments: instruments.length,
    exchanges: progress.map(({ exchange, frames, control, valid, deadLetters }) => {
      const counted = gold.find((one) => one.exchange === exchange);
      const totals = instruments
        .filter((instrument) => instrument.exchange === exchange)
        .map((instrument) => instrumentGapTotals(store, instrument));
      return {
        exchange,
        frames,
        control_frames: control,
        valid_trades: valid,
        gold_trades: counted?.trades ?? 0,
        duplicates: counted?.duplicates ?? 0,
        dead_letters: deadLetters,
        gaps: totals.reduce((sum, { gaps }) => sum + gaps, 0),
        missing_trades: totals.reduce((sum, { missing }) => sum + missing, 0),
      };
    }),
    tables,
  };
}

function instrumentGapTotals(store: StateStore, instrument: Instrument): GapTotals {
  const packed = store.intervals(instrument);
  return packed === undefined ? { gaps: 0, missing: 0 } : gapTotals(IntervalSet.unpack(packed));
}
