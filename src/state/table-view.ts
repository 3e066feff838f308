/**
 * The files a table is made of, of one epoch: what a reader beside the writer has to agree on before
 * it reads. Partitions are looked up day by day with a turn of the event loop in between, so that a
 * month of files does not hold up whoever asks.
 */
import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import { TABLES } from '#schemas/tables';
import { DAY_US, dayOf, dayText } from '#src/lake/partition';
import type { DataFile } from '#src/state/file-catalog';
import type { StateStore } from '#src/state/store';

export interface TableView {
  /** The last committed epoch, and when that was. */
  readonly epoch: number;
  readonly committedUs: number;
  readonly files: readonly DataFile[];
}

/** More days than this are read in one go: it is quicker than one look-up each. */
const DAYS_MAX = 62;
/** An epoch takes seconds, a view milliseconds. */
const TRIES = 5;

/** Files of `table` whose partition may hold times in [fromUs, toUs). */
export async function viewTable(
  store: StateStore,
  table: string,
  fromUs: number,
  toUs: number,
): Promise<TableView> {
  const column = TABLES.find(({ name }) => name === table)?.schema.partitionBy[0] as string;
  const first = dayOf(fromUs);
  const last = dayOf(Math.max(toUs - 1, fromUs));
  for (let tries = 0; ; tries++) {
    const { epoch, committedUs } = store.epoch();
    const files: DataFile[] = [];
    if (last - first >= DAYS_MAX) {
      files.push(...store.files(table));
    } else {
      for (let day = first; day <= last && day * DAY_US <= committedUs + DAY_US; day++) {
        files.push(...store.files(table, { partition: `${column}=${dayText(day)}` }));
        await eventLoopTurn();
      }
    }
    if (store.epoch().epoch === epoch || tries === TRIES) return { epoch, committedUs, files };
  }
}
