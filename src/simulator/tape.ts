/**
 * The truth of one instrument: every trade that happened, in id order, as columns.
 *
 * Row r is the trade with id startId + r. Times never decrease. Nothing here is ever changed after
 * it was appended; with a row limit the oldest rows are let go, as real exchanges do over REST.
 * Taker orders are kept too: the fills of one order at one price are one Binance aggregate trade.
 */
import { ByteColumn, NumberColumn } from '#src/simulator/column';
import type { SimulatedInstrument } from '#src/simulator/instrument';

export const BUY = 0;
export const SELL = 1;

const FLAG_SELL = 1;
/** The exchange lost the trade: no feed sends it and no REST page holds it. A gap for ever. */
const FLAG_LOST = 2;
const FLAG_MARKET_ORDER = 4;

export class Tape {
  readonly instrument: SimulatedInstrument;
  readonly time = new NumberColumn();
  readonly price = new NumberColumn();
  readonly quantity = new NumberColumn();
  /** Row of the first fill of the taker order this row belongs to. */
  readonly orderRow = new NumberColumn();
  readonly #flags = new ByteColumn();
  /** First row of each aggregate; aggregate a has id startId + a. */
  readonly #aggregateRow = new NumberColumn();
  #rows = 0;
  #aggregates = 0;

  constructor(instrument: SimulatedInstrument) {
    this.instrument = instrument;
  }

  /** Rows ever appended; the next row. */
  get rows(): number {
    return this.#rows;
  }

  /** The oldest row still held. */
  get firstRow(): number {
    return this.time.first;
  }

  get aggregates(): number {
    return this.#aggregates;
  }

  id(row: number): number {
    return this.instrument.startId + row;
  }

  side(row: number): number {
    return this.#flags.get(row) & FLAG_SELL;
  }

  lost(row: number): boolean {
    return (this.#flags.get(row) & FLAG_LOST) !== 0;
  }

  marketOrder(row: number): boolean {
    return (this.#flags.get(row) & FLAG_MARKET_ORDER) !== 0;
  }

  /** The oldest aggregate all of whose rows are still held. */
  get firstAggregate(): number {
    const a = this.aggregateAtRow(this.firstRow);
    return this.aggregateRow(a) < this.firstRow ? a + 1 : a;
  }

  /** First row of aggregate `a`; for the aggregate after the last one, the next row. */
  aggregateRow(a: number): number {
    return a < this.#aggregates ? this.#aggregateRow.get(a) : this.#rows;
  }

  append(
    timeUs: number,
    priceTicks: number,
    lots: number,
    side: number,
    orderRow: number,
    lost: boolean,
    marketOrder: boolean,
  ): void {
    const row = this.#rows;
    if (row === orderRow || this.price.get(row - 1) !== priceTicks) {
      this.#aggregateRow.set(this.#aggregates++, row);
    }
    this.time.set(row, timeUs);
    this.price.set(row, priceTicks);
    this.quantity.set(row, lots);
    this.orderRow.set(row, orderRow);
    const flags = (side === SELL ? FLAG_SELL : 0) | (marketOrder ? FLAG_MARKET_ORDER : 0);
    this.#flags.set(row, lost ? flags | FLAG_LOST : flags);
    this.#rows = row + 1;
  }

  forgetBelow(row: number): void {
    this.time.forgetBelow(row);
    this.price.forgetBelow(row);
    this.quantity.forgetBelow(row);
    this.orderRow.forgetBelow(row);
    this.#flags.forgetBelow(row);
    this.#aggregateRow.forgetBelow(this.aggregateAtRow(this.firstRow));
  }

  /** The first held row whose time is not before `timeUs`. */
  rowAtTime(timeUs: number): number {
    let low = this.firstRow;
    let high = this.#rows;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.time.get(middle) < timeUs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The aggregate that holds `row`. */
  aggregateAtRow(row: number): number {
    let low = 0;
    let high = this.#aggregates;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.aggregateRow(middle + 1) <= row) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The newest row below `row` that the exchange did not lose, or -1. */
  keptRowBelow(row: number): number {
    let at = row - 1;
    while (at >= this.firstRow && this.lost(at)) at--;
    return at >= this.firstRow ? at : -1;
  }
}
