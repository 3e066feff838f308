/** How one column of a trade file is made from a batch. */
import type { Data } from 'apache-arrow';
import type { TradeBatch } from '#src/columns/trade-batch';

/** Rows gathered at a time, one Arrow record batch. */
export const GATHER_ROWS = 8_192;

/**
 * The column's values of rows `order` (at most GATHER_ROWS) of the batch, all of hour `hour` since
 * the epoch; valid until the next call.
 */
export type Gather = (batch: TradeBatch, order: Int32Array, hour: number) => Data;
