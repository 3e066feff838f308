/**
 * One symbol on several exchanges, as-of joined: at each time, every exchange's last price at or
 * before it, unless that is older than `maxAgeUs`, and how far the prices are apart.
 */
import type { Exchange } from '#schemas/exchange';
import type { Column } from '#schemas/schema';
import { formatScaled } from '#src/base/decimal';
import { TooManyRows } from '#src/query/aggregation';
import type { AnswerTable, PlainRow } from '#src/query/answer-table';
import type { SortedTrade } from '#src/query/sorted-trades';

export interface ComparisonRequest {
  /** In the order of the trades' `instrument`. */
  readonly exchanges: readonly Exchange[];
  /** Rows are given for times in [startUs, endUs). */
  readonly startUs: number;
  readonly endUs: number;
  /** A row at every multiple of it; a row at every time with a trade when undefined. */
  readonly intervalUs?: number;
  readonly maxAgeUs: number;
  readonly rowsMax: number;
}

interface LastPrice {
  price: bigint;
  timeUs: number;
}

/** Takes trades from startUs - maxAgeUs on, by time. */
export class Comparison {
  readonly #request: ComparisonRequest;
  readonly #last: (LastPrice | undefined)[];
  readonly #rows: PlainRow[] = [];
  /** The next time to give a row for, on a grid; else the time of the trades seen last. */
  #nextUs: number;

  constructor(request: ComparisonRequest) {
    this.#request = request;
    this.#last = request.exchanges.map(() => undefined);
    const { startUs, intervalUs } = request;
    this.#nextUs =
      intervalUs === undefined ? Number.NaN : Math.ceil(startUs / intervalUs) * intervalUs;
  }

  add({ timeUs, instrument, price }: SortedTrade): void {
    const { intervalUs } = this.#request;
    if (intervalUs === undefined) {
      if (timeUs !== this.#nextUs) this.#row(this.#nextUs);
      this.#nextUs = timeUs;
    } else {
      for (; this.#nextUs < timeUs; this.#nextUs += intervalUs) this.#row(this.#nextUs);
    }
    this.#last[instrument] = { price, timeUs };
  }

  #row(atUs: number): void {
    const { exchanges, startUs, endUs, maxAgeUs, rowsMax } = this.#request;
    if (!(atUs >= startUs && atUs < endUs)) return;
    const known = this.#last.map((last) =>
      last !== undefined && atUs - last.timeUs <= maxAgeUs ? last : undefined,
    );
    const priced = known.flatMap((last, k) =>
      last === undefined ? [] : [{ price: last.price, exchange: exchanges[k] as Exchange }],
    );
    if (priced.length === 0) return;
    if (this.#rows.length === rowsMax) throw new TooManyRows();
    const low = priced.reduce((a, b) => (b.price < a.price ? b : a));
    const high = priced.reduce((a, b) => (b.price > a.price ? b : a));
    const spread = high.price - low.price;
    const perExchange = exchanges.flatMap((exchange, k) => {
      const name = exchange.toLowerCase();
      const last = known[k];
      return [
        [`${name}_price`, last === undefined ? null : formatScaled(last.price, 8)],
        [`${name}_age_us`, last === undefined ? null : atUs - last.timeUs],
      ] as const;
    });
    this.#rows.push({
      time: atUs,
      ...Object.fromEntries(perExchange),
      lowest: low.exchange,
      highest: high.exchange,
      spread: formatScaled(spread, 8),
      // spread / low x 10^4, x 10^8, rounded half up.
      spread_bps: formatScaled((2n * spread * 10n ** 12n + low.price) / (2n * low.price), 8),
    });
  }

  table(): AnswerTable {
    const { exchanges, endUs, intervalUs } = this.#request;
    if (intervalUs === undefined) this.#row(this.#nextUs);
    else for (; this.#nextUs < endUs; this.#nextUs += intervalUs) this.#row(this.#nextUs);
    const price = (name: string, required: boolean, doc: string) =>
      ({ name, type: 'decimal(18, 8)', required, doc }) as const;
    const columns: Omit<Column, 'id'>[] = [
      { name: 'time', type: 'timestamptz', required: true, doc: 'The prices are as of then.' },
      ...exchanges.flatMap((exchange): Omit<Column, 'id'>[] => {
        const name = exchange.toLowerCase();
        return [
          price(`${name}_price`, false, 'Its last price; null where it is too old.'),
          { name: `${name}_age_us`, type: 'long', required: false, doc: 'How old that is.' },
        ];
      }),
      { name: 'lowest', type: 'string', required: true, doc: 'Exchange with the lowest price.' },
      { name: 'highest', type: 'string', required: true, doc: 'Exchange with the highest price.' },
      price('spread', true, 'Highest less lowest price.'),
      price('spread_bps', true, 'Spread in 1/10,000 of the lowest price, rounded half up.'),
    ];
    return { columns: columns.map((column, i) => ({ id: i + 1, ...column })), rows: this.#rows };
  }
}
