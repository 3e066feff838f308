/**
 * Aggregations of one instrument's trades, in order of (time, id), exact:
 *
 *   vwap            quote volume / volume, per interval or of all
 *   twap            the mean price over time: each price counts for as long as it was the last one
 *   ohlcv           candles of any interval; empty ones are left out
 *   volume_profile  volume per price step, of buyers and of sellers
 *   tick_bars       a bar per `size` trades
 *   volume_bars     a bar closes with the trade that brings it to `size` of the base asset
 *   quote_bars      the same for the quote asset; no trade is divided between bars
 */
import type { Column } from '#schemas/schema';
import { formatScaled } from '#src/base/decimal';
import type { AnswerTable, PlainRow } from '#src/query/answer-table';
import { BAR_COLUMNS, Bar } from '#src/query/bar';
import type { SortedTrade } from '#src/query/sorted-trades';

export const AGGREGATIONS = [
  'vwap',
  'twap',
  'ohlcv',
  'volume_profile',
  'tick_bars',
  'volume_bars',
  'quote_bars',
] as const;
export type AggregationKind = (typeof AGGREGATIONS)[number];

export interface AggregationRequest {
  readonly kind: AggregationKind;
  readonly startUs: number;
  readonly endUs: number;
  /** Windows [k x interval, (k + 1) x interval) since the epoch; one window of all when undefined. */
  readonly intervalUs?: number;
  /** tick_bars: trades; volume_bars and volume_profile: x 10^8; quote_bars: x 10^8. */
  readonly size?: bigint;
}

/** Rows an aggregation may have; one that would have more is refused. */
export const AGGREGATION_ROWS_MAX = 10_000;

/** The answer would have more rows than it may. */
export class TooManyRows extends Error {
  constructor() {
    super(`The answer would have more than ${AGGREGATION_ROWS_MAX} rows.`);
    this.name = 'TooManyRows';
  }
}

export interface Aggregation {
  add(trade: SortedTrade): void;
  table(): AnswerTable;
}

export function aggregation(request: AggregationRequest): Aggregation {
  switch (request.kind) {
    case 'vwap':
    case 'ohlcv':
      return new WindowBars(request);
    case 'twap':
      return new TimeWeighted(request);
    case 'volume_profile':
      return new VolumeProfile(request.size ?? 1n);
    case 'tick_bars':
      return new SizedBars(request.size ?? 1n, (bar) => BigInt(bar.trades));
    case 'volume_bars':
      return new SizedBars(request.size ?? 1n, (bar) => bar.volume);
    case 'quote_bars':
      return new SizedBars((request.size ?? 1n) * 100_000_000n, (bar) => bar.quoteVolume);
  }
}

function numbered(columns: readonly Omit<Column, 'id'>[]): Column[] {
  return columns.map((column, i) => ({ id: i + 1, ...column }));
}

const WINDOW: readonly Omit<Column, 'id'>[] = [
  { name: 'window_start', type: 'timestamptz', required: true, doc: 'Inclusive.' },
  { name: 'window_end', type: 'timestamptz', required: true, doc: 'Exclusive.' },
];

function push(rows: PlainRow[], row: PlainRow): void {
  if (rows.length === AGGREGATION_ROWS_MAX) throw new TooManyRows();
  rows.push(row);
}

/** The window a time is in, cut to the range that was asked for only where there is one window. */
function windowOf(request: AggregationRequest, timeUs: number): { from: number; to: number } {
  const { intervalUs, startUs, endUs } = request;
  if (intervalUs === undefined) return { from: startUs, to: endUs };
  const from = Math.floor(timeUs / intervalUs) * intervalUs;
  return { from, to: from + intervalUs };
}

class WindowBars implements Aggregation {
  readonly #request: AggregationRequest;
  readonly #rows: PlainRow[] = [];
  #bar = new Bar();
  #to = Number.NEGATIVE_INFINITY;
  #from = 0;

  constructor(request: AggregationRequest) {
    this.#request = request;
  }

  add(trade: SortedTrade): void {
    if (trade.timeUs >= this.#to) {
      this.#close();
      const { from, to } = windowOf(this.#request, trade.timeUs);
      this.#from = from;
      this.#to = to;
    }
    this.#bar.add(trade);
  }

  #close(): void {
    if (this.#bar.trades === 0) return;
    push(this.#rows, { window_start: this.#from, window_end: this.#to, ...this.#bar.row() });
    this.#bar = new Bar();
  }

  table(): AnswerTable {
    this.#close();
    const names = ['vwap', 'volume', 'quote_volume', 'trade_count'];
    const bars =
      this.#request.kind === 'ohlcv'
        ? BAR_COLUMNS
        : BAR_COLUMNS.filter(({ name }) => names.includes(name));
    return { columns: numbered([...WINDOW, ...bars]), rows: this.#rows };
  }
}

class SizedBars implements Aggregation {
  readonly #size: bigint;
  readonly #sizeOf: (bar: Bar) => bigint;
  readonly #rows: PlainRow[] = [];
  #bar = new Bar();

  constructor(size: bigint, sizeOf: (bar: Bar) => bigint) {
    this.#size = size;
    this.#sizeOf = sizeOf;
  }

  add(trade: SortedTrade): void {
    this.#bar.add(trade);
    if (this.#sizeOf(this.#bar) >= this.#size) this.#close(true);
  }

  #close(isFull: boolean): void {
    if (this.#bar.trades === 0) return;
    const { firstTimeUs, lastTimeUs } = this.#bar;
    const times = { first_time: firstTimeUs, last_time: lastTimeUs };
    push(this.#rows, { ...times, ...this.#bar.row(), is_full: isFull });
    this.#bar = new Bar();
  }

  table(): AnswerTable {
    this.#close(false);
    const columns = numbered([
      { name: 'first_time', type: 'timestamptz', required: true, doc: 'Time of its first trade.' },
      { name: 'last_time', type: 'timestamptz', required: true, doc: 'Time of its last trade.' },
      ...BAR_COLUMNS,
      {
        name: 'is_full',
        type: 'boolean',
        required: true,
        doc: 'False for the last bar where the range ended before it was full.',
      },
    ]);
    return { columns, rows: this.#rows };
  }
}

/** Price steps are [k x size, (k + 1) x size). */
class VolumeProfile implements Aggregation {
  readonly #size: bigint;
  readonly #steps = new Map<bigint, { buy: bigint; sell: bigint; quote: bigint; trades: number }>();

  constructor(size: bigint) {
    this.#size = size;
  }

  add({ price, quantity, isBuy }: SortedTrade): void {
    const step = price / this.#size;
    let sums = this.#steps.get(step);
    if (sums === undefined) {
      if (this.#steps.size === AGGREGATION_ROWS_MAX) throw new TooManyRows();
      sums = { buy: 0n, sell: 0n, quote: 0n, trades: 0 };
      this.#steps.set(step, sums);
    }
    if (isBuy) sums.buy += quantity;
    else sums.sell += quantity;
    sums.quote += price * quantity;
    sums.trades++;
  }

  table(): AnswerTable {
    const steps = [...this.#steps].sort(([a], [b]) => (a < b ? -1 : 1));
    const volume = (name: string, doc: string) =>
      ({ name, type: 'decimal(38, 8)', required: true, doc }) as const;
    const columns = numbered([
      volume('price_from', 'Inclusive.'),
      volume('price_to', 'Exclusive.'),
      volume('volume', 'Exact sum of quantities.'),
      volume('buy_volume', 'Of trades whose aggressor bought.'),
      volume('sell_volume', 'Of trades whose aggressor sold.'),
      {
        name: 'quote_volume',
        type: 'decimal(38, 16)',
        required: true,
        doc: 'Exact sum of price x quantity.',
      },
      { name: 'trade_count', type: 'long', required: true, doc: 'Trades in it.' },
    ]);
    const rows = steps.map(([step, { buy, sell, quote, trades }]) => ({
      price_from: formatScaled(step * this.#size, 8),
      price_to: formatScaled((step + 1n) * this.#size, 8),
      volume: formatScaled(buy + sell, 8),
      buy_volume: formatScaled(buy, 8),
      sell_volume: formatScaled(sell, 8),
      quote_volume: formatScaled(quote, 16),
      trade_count: trades,
    }));
    return { columns, rows };
  }
}

/**
 * A price counts from its trade to the next one; a window starts with the price before it, where
 * the range has one, so it may have no trade of its own. Of trades at one time the last one counts.
 */
class TimeWeighted implements Aggregation {
  readonly #request: AggregationRequest;
  readonly #rows: PlainRow[] = [];
  #price: bigint | undefined;
  #sinceUs = 0;
  #sum = 0n;
  #coveredUs = 0;
  #trades = 0;
  #window = { from: 0, to: 0 };

  constructor(request: AggregationRequest) {
    this.#request = request;
  }

  add({ timeUs, price }: SortedTrade): void {
    if (this.#price === undefined) this.#window = windowOf(this.#request, timeUs);
    else this.#advance(timeUs);
    this.#price = price;
    this.#sinceUs = timeUs;
    this.#trades++;
  }

  /** Lets the last price count up to `timeUs`, closing the windows that end before. */
  #advance(timeUs: number): void {
    while (timeUs >= this.#window.to) {
      this.#count(this.#window.to);
      this.#close();
      this.#window = windowOf(this.#request, this.#window.to);
      if (this.#window.from >= this.#request.endUs) return;
      if (this.#request.intervalUs === undefined) return;
    }
    this.#count(timeUs);
  }

  #count(untilUs: number): void {
    const until = Math.min(untilUs, this.#request.endUs);
    this.#sum += (this.#price as bigint) * BigInt(until - this.#sinceUs);
    this.#coveredUs += until - this.#sinceUs;
    this.#sinceUs = until;
  }

  #close(): void {
    if (this.#coveredUs > 0) {
      const covered = BigInt(this.#coveredUs);
      push(this.#rows, {
        window_start: this.#window.from,
        window_end: this.#window.to,
        twap: formatScaled((2n * this.#sum + covered) / (2n * covered), 8),
        covered_us: this.#coveredUs,
        trade_count: this.#trades,
      });
    }
    this.#sum = 0n;
    this.#coveredUs = 0;
    this.#trades = 0;
  }

  table(): AnswerTable {
    if (this.#price !== undefined) {
      const { endUs } = this.#request;
      this.#advance(endUs);
      this.#close();
    }
    const columns = numbered([
      ...WINDOW,
      {
        name: 'twap',
        type: 'decimal(18, 8)',
        required: true,
        doc: 'Mean price over time, rounded half up to 8 decimals.',
      },
      {
        name: 'covered_us',
        type: 'long',
        required: true,
        doc: 'Microseconds of the window with a known price.',
      },
      { name: 'trade_count', type: 'long', required: true, doc: 'Trades in it.' },
    ]);
    return { columns, rows: this.#rows };
  }
}
