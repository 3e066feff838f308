/**
 * What is looked at: exchange, symbol and timeframe. Kept in the address, so that a view can be
 * shared and the browser's back button works.
 */

import { byId, element } from './dom.js';
import { exchangeName } from './format.js';
import { TIMEFRAMES_SHOWN } from './timeframes.js';

export interface Listing {
  readonly symbol: string;
  readonly exchange: string;
  readonly base_asset: string;
  readonly quote_asset: string;
}

export interface Choice {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
}

/** A row of radio buttons that looks like one control. */
function segments(
  container: HTMLElement,
  name: string,
  options: readonly { value: string; text: string }[],
): void {
  for (const { value, text } of options) {
    const input = element('input');
    Object.assign(input, { type: 'radio', name, value, id: `${name}-${value}` });
    const label = element('label', '', text);
    label.htmlFor = input.id;
    container.append(input, label);
  }
}

export class Pickers {
  readonly #listings: readonly Listing[];
  readonly #onChange: (choice: Choice) => void;
  readonly #form = byId<HTMLFormElement>('pickers');
  readonly #symbols = byId<HTMLSelectElement>('symbol');
  #choice: Choice;

  constructor(listings: readonly Listing[], onChange: (choice: Choice) => void) {
    this.#listings = listings;
    this.#onChange = onChange;
    const exchanges = [...new Set(listings.map(({ exchange }) => exchange))];
    segments(
      byId('exchanges'),
      'exchange',
      exchanges.map((value) => ({ value, text: exchangeName(value) })),
    );
    segments(
      byId('timeframes'),
      'timeframe',
      TIMEFRAMES_SHOWN.map((value) => ({ value, text: value })),
    );
    this.#choice = this.#ofAddress();
    this.#form.addEventListener('submit', (event) => event.preventDefault());
    this.#form.addEventListener('change', () => this.#picked());
    window.addEventListener('hashchange', () => {
      const choice = this.#ofAddress();
      if (this.#address(choice) !== this.#address(this.#choice)) this.#choose(choice);
    });
    this.#choose(this.#choice);
  }

  get listing(): Listing | undefined {
    return this.#find(this.#choice.exchange, this.#choice.symbol);
  }

  #find(exchange: string, symbol: string): Listing | undefined {
    return this.#listings.find((one) => one.exchange === exchange && one.symbol === symbol);
  }

  #ofAddress(): Choice {
    const [exchange = '', symbol = '', timeframe = ''] = location.hash.slice(1).split('/');
    const known = this.#find(exchange, symbol) ?? (this.#listings[0] as Listing);
    const isKnown = (TIMEFRAMES_SHOWN as readonly string[]).includes(timeframe);
    return {
      exchange: known.exchange,
      symbol: known.symbol,
      timeframe: isKnown ? timeframe : '1m',
    };
  }

  #address({ exchange, symbol, timeframe }: Choice): string {
    return `#${exchange}/${symbol}/${timeframe}`;
  }

  #picked(): void {
    const data = new FormData(this.#form);
    const exchange = String(data.get('exchange'));
    const timeframe = String(data.get('timeframe'));
    let symbol = this.#symbols.value;
    if (exchange !== this.#choice.exchange) {
      // The same pair on the other exchange, or the same asset against another quote.
      const base = this.listing?.base_asset;
      const there = this.#listings.filter((one) => one.exchange === exchange);
      const same =
        there.find((one) => one.symbol === symbol) ??
        there.find((one) => one.base_asset === base) ??
        there[0];
      symbol = same?.symbol ?? symbol;
    }
    this.#choose({ exchange, symbol, timeframe });
  }

  #choose(choice: Choice): void {
    this.#choice = choice;
    const { exchange, symbol, timeframe } = choice;
    for (const input of this.#form.querySelectorAll('input')) {
      input.checked = input.value === (input.name === 'exchange' ? exchange : timeframe);
    }
    const options = this.#listings
      .filter((one) => one.exchange === exchange)
      .map((one) => {
        const option = element('option', '', `${one.base_asset} / ${one.quote_asset}`);
        option.value = one.symbol;
        return option;
      });
    this.#symbols.replaceChildren(...options);
    this.#symbols.value = symbol;
    if (location.hash !== this.#address(choice)) history.pushState(null, '', this.#address(choice));
    this.#onChange(choice);
  }
}
