/**
 * A bar: what a run of trades in order of (time, id) amounts to. Every sum is exact; vwap is the one
 * rounded value, half up to 8 decimals, as in a candle.
 */
import type { Column } from '#schemas/schema';
import { formatScaled } from '#src/base/decimal';
import { vwap } from '#src/candles/vwap';
import type { PlainRow } from '#src/query/answer-table';
import type { SortedTrade } from '#src/query/sorted-trades';

export class Bar {
  open = 0n;
  high = 0n;
  low = 0n;
  close = 0n;
  volume = 0n;
  /** x 10^16. */
  quoteVolume = 0n;
  trades = 0;
  firstTimeUs = 0;
  lastTimeUs = 0;
  firstId = 0;
  lastId = 0;

  add({ price, quantity, timeUs, id }: SortedTrade): void {
    if (this.trades === 0) {
      this.open = price;
      this.high = price;
      this.low = price;
      this.firstTimeUs = timeUs;
      this.firstId = id;
      this.lastId = id;
    }
    if (price > this.high) this.high = price;
    if (price < this.low) this.low = price;
    if (id < this.firstId) this.firstId = id;
    if (id > this.lastId) this.lastId = id;
    this.close = price;
    this.lastTimeUs = timeUs;
    this.volume += quantity;
    this.quoteVolume += price * quantity;
    this.trades++;
  }

  /** The values of BAR_COLUMNS. */
  row(): PlainRow {
    return {
      open: formatScaled(this.open, 8),
      high: formatScaled(this.high, 8),
      low: formatScaled(this.low, 8),
      close: formatScaled(this.close, 8),
      volume: formatScaled(this.volume, 8),
      quote_volume: formatScaled(this.quoteVolume, 16),
      vwap: formatScaled(vwap(this.quoteVolume, this.volume), 8),
      trade_count: this.trades,
      first_trade_id: this.firstId,
      last_trade_id: this.lastId,
    };
  }
}

const price = (name: string, doc: string) =>
  ({ name, type: 'decimal(18, 8)', required: true, doc }) as const;

export const BAR_COLUMNS: readonly Omit<Column, 'id'>[] = [
  price('open', 'Price of the first trade by (time, id).'),
  price('high', 'Highest price.'),
  price('low', 'Lowest price.'),
  price('close', 'Price of the last trade by (time, id).'),
  { name: 'volume', type: 'decimal(38, 8)', required: true, doc: 'Exact sum of quantities.' },
  {
    name: 'quote_volume',
    type: 'decimal(38, 16)',
    required: true,
    doc: 'Exact sum of price x quantity.',
  },
  price('vwap', 'quote_volume / volume, rounded half up to 8 decimals.'),
  { name: 'trade_count', type: 'long', required: true, doc: 'Trades in it.' },
  { name: 'first_trade_id', type: 'long', required: true, doc: 'Smallest trade id in it.' },
  { name: 'last_trade_id', type: 'long', required: true, doc: 'Largest trade id in it.' },
];
