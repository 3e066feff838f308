/**
 * One asset across exchanges: the last price on each, and how far apart they are. Where the quotes
 * differ (USD here, USDT there) it says so: part of the difference is theirs.
 */
import type { CandleRow } from '#src/output/candle-row';
import { byId, element, mark, say } from './dom.js';
import { decimal, exchangeName } from './format.js';
import type { LiveStream } from './live-stream.js';
import type { Listing } from './pickers.js';

/** Quotes that are meant to be worth the same. */
const FAMILIES: readonly (readonly string[])[] = [
  ['USD', 'USDT', 'USDC'],
  ['EUR', 'EURC'],
];
const ROWS_MAX = 5;

interface Line {
  readonly listing: Listing;
  readonly price: HTMLElement;
  readonly off: HTMLElement;
  candle: CandleRow | undefined;
}

function isComparable(a: Listing, b: Listing): boolean {
  if (a.base_asset !== b.base_asset) return false;
  if (a.quote_asset === b.quote_asset) return true;
  return FAMILIES.some((all) => all.includes(a.quote_asset) && all.includes(b.quote_asset));
}

export class Spread {
  readonly #stream: LiveStream;
  readonly #listings: readonly Listing[];
  #lines: Line[] = [];
  #ends: (() => void)[] = [];
  #isDue = false;

  constructor(stream: LiveStream, listings: readonly Listing[]) {
    this.#stream = stream;
    this.#listings = listings;
  }

  show(chosen: Listing): void {
    for (const end of this.#ends) end();
    const comparable = this.#listings.filter((one) => isComparable(one, chosen)).slice(0, ROWS_MAX);
    this.#lines = comparable.map((listing) => ({
      listing,
      price: element('span', 'figure', '\u2013'),
      off: element('span', 'off', '\u00a0'),
      candle: undefined,
    }));
    byId('spread').replaceChildren(
      ...this.#lines.map(({ listing, price, off }) =>
        element(
          'div',
          'spread-row',
          element(
            'span',
            'where',
            exchangeName(listing.exchange),
            element('span', 'quiet', listing.symbol),
          ),
          price,
          off,
        ),
      ),
    );
    this.#ends = this.#lines.map((line) => {
      const { exchange, symbol } = line.listing;
      const subject = { channel: 'candles', exchange, symbol, timeframe: '1m', limit: 1 } as const;
      return this.#stream.subscribe(subject, (message) => {
        if (message.channel !== 'candles') return;
        line.candle = message.candles.at(-1) ?? line.candle;
        this.#drawLater();
      });
    });
    this.#draw();
  }

  #drawLater(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  #draw(): void {
    const known = this.#lines.filter(({ candle }) => candle !== undefined);
    const prices = known.map(({ candle }) => Number(candle?.close));
    const low = Math.min(...prices);
    const high = Math.max(...prices);
    const points = (from: number, to: number): number => ((to - from) / from) * 10_000;
    for (const { candle, price, off } of this.#lines) {
      say(price, candle === undefined ? '\u2013' : decimal(candle.close, 2));
      const above = candle === undefined ? 0 : points(low, Number(candle.close));
      const isLow = candle !== undefined && known.length > 1 && above === 0;
      say(
        off,
        known.length < 2 || candle === undefined
          ? '\u00a0'
          : isLow
            ? 'lowest'
            : `+${above.toFixed(1)} bp`,
      );
      mark(off, 'end', isLow ? 'low' : '');
    }
    const quotes = new Set(this.#lines.map(({ listing }) => listing.quote_asset));
    say(
      byId('spread-figure'),
      known.length < 2 ? '\u2013' : `${points(low, high).toFixed(1)} bp apart`,
    );
    const note =
      this.#lines.length < 2
        ? 'No other exchange here lists it.'
        : quotes.size > 1
          ? `${[...quotes].join(' and ')} are different quotes: part of it is theirs.`
          : 'Last prices; 1 bp is a hundredth of a percent.';
    say(byId('spread-note'), note);
  }
}
