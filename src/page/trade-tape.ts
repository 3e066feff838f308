/**
 * The trade tape: the newest trades, newest on top. The rows are made once and filled anew, at most
 * once a frame, so the busiest pair moves nothing but text.
 */
import type { TradeUpdate } from '#src/push/messages';
import { byId, element, mark, say } from './dom.js';
import { clockTime, decimal, decimalsOf, integer } from './format.js';
import type { LiveMessage } from './live-stream.js';

const ROWS = 40;
/** Milliseconds the rate goes back. */
const RATE_MS = 5_000;

interface Row {
  readonly row: HTMLElement;
  readonly time: HTMLElement;
  readonly price: HTMLElement;
  readonly quantity: HTMLElement;
}

export class TradeTape {
  readonly #rows: readonly Row[];
  readonly #rate = byId('tape-rate');
  #trades: TradeUpdate[] = [];
  #decimals = 2;
  #counts: { atMs: number; next: number }[] = [];
  #isDue = false;

  constructor() {
    const tape = byId('tape');
    const head = element(
      'div',
      'tape-row head',
      element('span', '', 'Time, UTC'),
      element('span', '', 'Price'),
      element('span', '', 'Quantity'),
    );
    this.#rows = Array.from({ length: ROWS }, () => {
      const [time, price, quantity] = [element('span'), element('span'), element('span')];
      const row = element('div', 'tape-row', time, price, quantity);
      return { row, time, price, quantity };
    });
    tape.append(head, ...this.#rows.map(({ row }) => row));
  }

  /** Another instrument: nothing of the last one stays. */
  clear(): void {
    this.#trades = [];
    this.#counts = [];
    this.#decimals = 2;
    this.#draw();
  }

  hear(message: LiveMessage): void {
    if (message.channel !== 'trades') return;
    if (message.type === 'snapshot') this.#trades = [];
    const fresh = [...message.trades].reverse();
    this.#trades = [...fresh, ...this.#trades].slice(0, ROWS);
    for (const { price } of fresh) this.#decimals = Math.max(this.#decimals, decimalsOf(price));
    this.#counts.push({ atMs: performance.now(), next: message.next });
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  /** Call now and then: a tape that stands still has a rate, too. */
  tick(): void {
    const nowMs = performance.now();
    while (this.#counts.length > 1 && (this.#counts[1]?.atMs ?? 0) < nowMs - RATE_MS) {
      this.#counts.shift();
    }
    const [first] = this.#counts;
    const last = this.#counts.at(-1);
    if (first === undefined || last === undefined) {
      say(this.#rate, '\u00a0');
      return;
    }
    const seconds = Math.max(1, (nowMs - first.atMs) / 1_000);
    const perSecond = (last.next - first.next) / seconds;
    const shown = perSecond < 10 ? perSecond.toFixed(1) : integer(Math.round(perSecond));
    say(this.#rate, `${shown} a second`);
  }

  #draw(): void {
    for (const [i, { row, time, price, quantity }] of this.#rows.entries()) {
      const trade = this.#trades[i];
      say(time, trade === undefined ? '' : clockTime(trade.timestamp));
      say(price, trade === undefined ? '' : decimal(trade.price, this.#decimals));
      say(quantity, trade === undefined ? '' : decimal(trade.quantity));
      mark(price, 'way', trade === undefined ? '' : trade.side === 'BUY' ? 'up' : 'down');
      row.title =
        trade === undefined
          ? ''
          : `${trade.side === 'BUY' ? 'bought' : 'sold'} by the aggressor, ${trade.trade_id}`;
    }
  }
}
