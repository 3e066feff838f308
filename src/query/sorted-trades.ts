/**
 * Trades of a few instruments in order of (time, instrument, trade id), a partition at a time, as
 * columns: what aggregations and comparisons are computed from.
 */

import type { Table } from 'apache-arrow';
import { partitionSpan } from '#src/lake/partition';
import { orderRows, type SortKey, tradeIdKey } from '#src/lake/row-order';
import type { DataFile, ReadFile } from '#src/lake/table-reader';
import {
  coded,
  column,
  decimals,
  decodeColumns,
  matchingRows,
  openFiles,
} from '#src/query/trade-files';
import type { TradeFilter } from '#src/query/trade-filter';

/** One trade at a time; the same object every time. */
export interface SortedTrade {
  timeUs: number;
  id: number;
  /** Index in filter.instruments. */
  instrument: number;
  /** x 10^8. */
  price: bigint;
  quantity: bigint;
  isBuy: boolean;
}

const COLUMNS = ['symbol', 'exchange', 'timestamp', 'trade_id', 'price', 'quantity', 'side'];

/** Calls `each` with every trade that matches, in order. */
export async function forEachTrade(
  read: ReadFile,
  files: readonly DataFile[],
  filter: TradeFilter,
  each: (trade: SortedTrade) => void,
): Promise<void> {
  const partitions = [...new Set(files.map(({ partition }) => partition))].sort();
  for (const partition of partitions) {
    const span = partitionSpan(partition);
    if (span.endUs <= filter.startUs || span.startUs >= filter.endUs) continue;
    const theirs = files.filter((file) => file.partition === partition);
    await partitionTrades(read, theirs, filter, each);
  }
}

async function partitionTrades(
  read: ReadFile,
  files: readonly DataFile[],
  filter: TradeFilter,
  each: (trade: SortedTrade) => void,
): Promise<void> {
  const tables = decodeColumns(await openFiles(read, files), COLUMNS);
  const { count, source, row, timeUs, instrument } = matchingRows(tables, filter);
  const columnsOf = tables.map(columnsOfFile);
  const ids: SortKey = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    ids[i] = (columnsOf[source[i] as number] as FileColumns).ids[row[i] as number] as number;
  }
  const keys = [timeUs.subarray(0, count), Float64Array.from(instrument.subarray(0, count)), ids];
  const order = orderRows(keys);
  const trade: SortedTrade = {
    timeUs: 0,
    id: 0,
    instrument: 0,
    price: 0n,
    quantity: 0n,
    isBuy: false,
  };
  for (const i of order) {
    const of = columnsOf[source[i] as number] as FileColumns;
    const at = row[i] as number;
    trade.timeUs = timeUs[i] as number;
    trade.id = ids[i] as number;
    trade.instrument = instrument[i] as number;
    trade.price = of.prices[2 * at] as bigint;
    trade.quantity = of.quantities[2 * at] as bigint;
    trade.isBuy = of.sides[at] === of.buy;
    each(trade);
  }
}

interface FileColumns {
  readonly ids: SortKey;
  readonly prices: BigInt64Array;
  readonly quantities: BigInt64Array;
  readonly sides: ArrayLike<number>;
  /** The code of BUY. */
  readonly buy: number;
}

function columnsOfFile(table: Table): FileColumns | undefined {
  if (table.numRows === 0) return undefined;
  const { texts, codes } = coded(table, 'side');
  return {
    ids: tradeIdKey([column(table, 'trade_id')]),
    prices: decimals(column(table, 'price')),
    quantities: decimals(column(table, 'quantity')),
    sides: codes,
    buy: texts.indexOf('BUY'),
  };
}
