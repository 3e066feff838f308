/**
 * Rows of candle records that were shown before: formatting one takes 3 us, most of it BigInt, and
 * of the candles a client polls all but one are as they were.
 */
import type { Instrument } from '#schemas/instrument';
import {
  type CandleRecord,
  type CandleRow,
  candleRow,
  windowStartOf,
} from '#src/output/candle-row';

/** Some 1.5 KiB each, with the row's text: 3 MiB. */
const ROWS_MAX = 2_048;

export class RowMemo {
  readonly #rows = new Map<string, { readonly record: Uint8Array; readonly row: CandleRow }>();

  /** The row of a record, which may be changed afterwards. The same bytes give the same object. */
  row(record: CandleRecord, instrument: Instrument): CandleRow {
    // Timeframe, and flags beside it, are at byte 4 of a record.
    const key = `${instrument.code}/${record[4]}/${windowStartOf(record)}`;
    const known = this.#rows.get(key);
    if (known !== undefined && Buffer.compare(known.record, record) === 0) return known.row;
    const row = candleRow(record, instrument);
    this.#rows.delete(key);
    this.#rows.set(key, { record: record.slice(), row });
    if (this.#rows.size > ROWS_MAX) this.#rows.delete(this.#rows.keys().next().value as string);
    return row;
  }
}
