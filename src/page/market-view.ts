/**
 * The market: one instrument's chart, price and trades. History comes over REST, everything after it
 * over the stream; both are the same rows, so whichever is newer replaces the other.
 */
import type { CandleRow } from '#src/output/candle-row';
import { CandleChart } from './candle-chart.js';
import { byId, element, mark, say } from './dom.js';
import { dayTime, decimal, decimalsOf, exchangeName, integer, short } from './format.js';
import type { LiveMessage, LiveStream } from './live-stream.js';
import type { Choice, Listing } from './pickers.js';
import { getJson } from './server.js';
import { TradeTape } from './trade-tape.js';

const PAGE = 500;
/** Candles a subscription starts with: covers what changed while the history was on its way. */
const OVERLAP = 5;

interface Answer {
  readonly candles: readonly CandleRow[];
}

export class MarketView {
  readonly chart: CandleChart;
  readonly #tape = new TradeTape();
  readonly #stream: LiveStream;
  readonly #onFailure: (error: unknown) => void;
  #choice: Choice | undefined;
  #listing: Listing | undefined;
  #ends: (() => void)[] = [];
  #pointed: CandleRow | undefined;
  #isLoading = false;
  #hasAll = false;
  #decimals = 2;

  constructor(stream: LiveStream, onFailure: (error: unknown) => void) {
    this.#stream = stream;
    this.#onFailure = onFailure;
    this.chart = new CandleChart(byId('chart'), {
      onPoint: (candle) => {
        this.#pointed = candle;
        this.#showFacts();
      },
      onLeftEdge: () => void this.#loadOlder(),
    });
  }

  /** Another instrument or timeframe. */
  show(choice: Choice, listing: Listing): void {
    const isSameMarket =
      this.#choice?.exchange === choice.exchange && this.#choice.symbol === choice.symbol;
    for (const end of this.#ends) end();
    this.#choice = choice;
    this.#listing = listing;
    this.#hasAll = false;
    this.#pointed = undefined;
    this.chart.clear();
    if (!isSameMarket) {
      this.#tape.clear();
      this.#decimals = 2;
    }
    const { exchange, symbol, timeframe } = choice;
    say(byId('market-title'), `${listing.base_asset} / ${listing.quote_asset}`);
    say(byId('market-where'), `${exchangeName(exchange)}, ${timeframe}, UTC`);
    document.title = `${symbol} \u00b7 Bullion`;
    const hear = (message: LiveMessage): void => this.#hear(message);
    this.#ends = [
      this.#stream.subscribe(
        { channel: 'candles', exchange, symbol, timeframe, limit: OVERLAP },
        hear,
      ),
      this.#stream.subscribe({ channel: 'trades', exchange, symbol, limit: 40 }, (message) =>
        this.#tape.hear(message),
      ),
    ];
    this.#showPrice();
    void this.reload().then(() => {
      if (choice === this.#choice) this.chart.fit();
    });
  }

  /** Fetches the newest history again: at first, and after a connection was lost. */
  async reload(): Promise<void> {
    await this.#fetch('');
    this.#showPrice();
  }

  tick(): void {
    this.#tape.tick();
  }

  async #loadOlder(): Promise<void> {
    const oldest = this.chart.oldest;
    if (this.#isLoading || this.#hasAll || oldest === undefined) return;
    this.#isLoading = true;
    const found = await this.#fetch(`&end=${encodeURIComponent(oldest.window_start)}`);
    this.#hasAll = found < PAGE;
    this.#isLoading = false;
  }

  /** Answers how many candles there were. */
  async #fetch(range: string): Promise<number> {
    const choice = this.#choice as Choice;
    const { exchange, symbol, timeframe } = choice;
    const instrument = `symbol=${encodeURIComponent(symbol)}&exchange=${encodeURIComponent(exchange)}`;
    try {
      const path = `/v1/ohlcv/${timeframe}?${instrument}&limit=${PAGE}${range}`;
      const { candles } = await getJson<Answer>(path);
      if (choice !== this.#choice) return candles.length; // something else is looked at by now
      this.#note(candles);
      this.chart.load(candles);
      return candles.length;
    } catch (error) {
      this.#onFailure(error);
      return PAGE; // not known to be all
    }
  }

  #hear(message: LiveMessage): void {
    if (message.channel !== 'candles' || message.timeframe !== this.#choice?.timeframe) return;
    this.#note(message.candles);
    for (const candle of message.candles) {
      this.chart.update(candle);
      if (this.#pointed?.window_start === candle.window_start) this.#pointed = candle;
    }
    this.#showPrice();
  }

  /** Prices are shown with as many decimals as any of them has had. */
  #note(candles: readonly CandleRow[]): void {
    for (const { open, high, low, close } of candles) {
      for (const price of [open, high, low, close]) {
        this.#decimals = Math.max(this.#decimals, decimalsOf(price));
      }
    }
    this.chart.decimals = this.#decimals;
  }

  #showPrice(): void {
    const newest = this.chart.newest;
    say(byId('price'), newest === undefined ? '\u2013' : decimal(newest.close, this.#decimals));
    const oldest = this.chart.oldest;
    const change = byId('change');
    if (newest === undefined || oldest === undefined) {
      say(change, '\u00a0');
      mark(change, 'way', '');
    } else {
      const share = (Number(newest.close) / Number(oldest.open) - 1) * 100;
      say(
        change,
        `${share >= 0 ? '+' : '\u2212'}${Math.abs(share).toFixed(2)} % since ${dayTime(oldest.window_start)}`,
      );
      mark(change, 'way', share >= 0 ? 'up' : 'down');
    }
    this.#showFacts();
  }

  #showFacts(): void {
    const candle = this.#pointed ?? this.chart.newest;
    const container = byId('candle-facts');
    if (candle === undefined || this.#listing === undefined) {
      container.replaceChildren(
        element('div', '', 'No trades yet: candles appear with the first one.'),
      );
      return;
    }
    const price = (text: string): string => decimal(text, this.#decimals);
    const state = candle.is_final
      ? candle.is_complete
        ? 'final, complete'
        : 'final, not proven complete'
      : 'open';
    const facts: [string, string][] = [
      [dayTime(candle.window_start), ''],
      ['O', price(candle.open)],
      ['H', price(candle.high)],
      ['L', price(candle.low)],
      ['C', price(candle.close)],
      ['Vol', `${short(candle.volume)} ${this.#listing.base_asset}`],
      ['VWAP', decimal(Number(candle.vwap).toFixed(this.#decimals))],
      ['Trades', integer(candle.trade_count)],
      ['State', candle.revision > 1 ? `${state}, revision ${candle.revision}` : state],
    ];
    container.replaceChildren(
      ...facts.map(([name, value]) => {
        const line = element('div', '', element('dt', '', name), element('dd', '', value));
        if (name === 'State' && state.includes('not proven')) mark(line, 'state', 'warn');
        return line;
      }),
    );
  }
}
