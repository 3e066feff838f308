/**
 * The files a table is made of, of one epoch: what a reader beside the writer has to agree on before
 * it reads. Partitions are looked up day by day with a turn of the event loop in between, so that a
 * month of files does not hold up whoever asks.
 */
import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import { TABLES } from '#schemas/tables';
import { DAY_US, dayOf, dayText, HOUR_US, hourPartition } from '#src/lake/partition';
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
/** Up to this many hours are looked up one by one: a day can have hundreds of files. */
const HOURS_MAX = 24;
/** An epoch takes seconds, a view milliseconds. */
const TRIES = 5;

/** Files of `table` whose partition may hold times in [fromUs, toUs). */
export async function viewTable(
  store: StateStore,
  table: string,
  fromUs: number,
  toUs: number,
): Promise<TableView> {
  for (let tries = 0; ; tries++) {
    const { epoch, committedUs } = store.epoch();
    const files: DataFile[] = [];
    // Nothing is later than the last commit by more than clocks differ.
    const folders = partitions(table, fromUs, Math.min(toUs, committedUs + DAY_US));
    if (folders === undefined) files.push(...store.files(table));
    for (const partition of folders ?? []) {
      files.push(...store.files(table, { partition }));
      await eventLoopTurn();
    }
    if (store.epoch().epoch === epoch || tries === TRIES) return { epoch, committedUs, files };
  }
}

/** The folders to look into: days, or hours where there are few; undefined for all there are. */
function partitions(table: string, fromUs: number, toUs: number): string[] | undefined {
  if (toUs <= fromUs) return [];
  const [column, hours] = TABLES.find(({ name }) => name === table)?.schema.partitionBy ?? [];
  if (hours !== undefined && toUs - fromUs <= HOURS_MAX * HOUR_US) {
    const [first, last] = [Math.floor(fromUs / HOUR_US), Math.floor((toUs - 1) / HOUR_US)];
    return Array.from({ length: last - first + 1 }, (_, i) => hourPartition(first + i));
  }
  const [first, last] = [dayOf(fromUs), dayOf(toUs - 1)];
  if (last - first >= DAYS_MAX) return undefined;
  return Array.from({ length: last - first + 1 }, (_, i) => `${column}=${dayText(first + i)}`);
}
