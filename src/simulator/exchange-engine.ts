/**
 * One exchange's truth and the plans of its feeds, moved on by the clock: at the market's rate, or
 * (flood) as fast as the clients take it. It ends after a number of trades, with everything that
 * was held back put out.
 */
import type { Exchange } from '#schemas/exchange';
import type { Clock } from '#src/base/clock';
import type { Random } from '#src/base/random';
import type { FaultProfile } from '#src/simulator/faults';
import { FeedPlan, type ForcedFault } from '#src/simulator/feed-plan';
import type { Feed } from '#src/simulator/frame-format';
import type { Journal } from '#src/simulator/journal';
import type { Market, OrderSink } from '#src/simulator/market';

/** Trades made in one turn, so that sockets are served in between. */
const TURN_TRADES = 4096;

export interface EngineOptions {
  readonly market: Market;
  readonly feeds: readonly Feed[];
  readonly profile: FaultProfile;
  readonly journal: Journal;
  readonly random: Random;
  readonly clock: Clock;
  readonly flood: boolean;
  readonly paused: boolean;
  readonly finishAfterTrades: number;
}

export class ExchangeEngine implements OrderSink {
  readonly market: Market;
  readonly plans: ReadonlyMap<Feed, FeedPlan>;
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #flood: boolean;
  readonly #historyTrades: number;
  readonly #finishAfterTrades: number;
  #paused: boolean;
  #finished = false;

  constructor(options: EngineOptions) {
    const { market, feeds, profile, journal, random } = options;
    this.market = market;
    this.#clock = options.clock;
    this.#journal = journal;
    this.#flood = options.flood;
    this.#paused = options.paused;
    this.#historyTrades = market.trades;
    this.#finishAfterTrades = options.finishAfterTrades;
    this.plans = new Map(
      feeds.map((feed, index) => [
        feed,
        new FeedPlan(feed, market.tapes, profile, journal, random.fork(10 + index)),
      ]),
    );
  }

  get exchange(): Exchange {
    return this.market.exchange;
  }

  get finished(): boolean {
    return this.#finished;
  }

  /** Trades made since the start, history left out. */
  get trades(): number {
    return this.market.trades - this.#historyTrades;
  }

  order(instrument: number, firstRow: number, fills: number, timeUs: number): void {
    this.#journal.happened(this.market.tapes[instrument]!, firstRow, fills);
    for (const plan of this.plans.values()) plan.order(instrument, firstRow, fills, timeUs);
  }

  force(feed: Feed, fault: ForcedFault): void {
    this.plans.get(feed)?.force(fault);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (this.#paused) this.market.skipTo(this.#clock.nowUs());
    this.#paused = false;
  }

  /** One turn. True when there is more to do at once. `ready`: the clients keep up (flood only). */
  turn(ready: boolean): boolean {
    const nowUs = this.#clock.nowUs();
    if (this.#paused || this.#finished) return false;
    const left = this.#finishAfterTrades - this.trades;
    const most = Math.min(TURN_TRADES, left);
    let more = false;
    if (this.#flood) {
      if (ready) this.market.burst(most, nowUs, this);
      more = ready;
    } else more = !this.market.step(nowUs, most, this);
    for (const plan of this.plans.values()) plan.release(nowUs);
    if (this.trades < this.#finishAfterTrades) return more;
    for (const plan of this.plans.values()) plan.flush();
    this.#finished = true;
    return false;
  }
}
