/**
 * The truth of one exchange: taker orders that walk the prices of its instruments at random.
 *
 * The trades are a function of the seed, the start time and the rate alone. How they are asked for
 * (small steps, large steps) does not matter. An order has one to six fills at one time, at prices
 * that move away from the taker; each fill is a trade with the next id of its instrument.
 */
import type { Exchange } from '#schemas/exchange';
import { assert } from '#src/base/errors';
import type { Random } from '#src/base/random';
import type { SimulatedInstrument } from '#src/simulator/instrument';
import { BUY, SELL, Tape } from '#src/simulator/tape';

/** Told of each order after its fills are on the tape: rows [firstRow, firstRow + fills). */
export interface OrderSink {
  order(instrument: number, firstRow: number, fills: number, timeUs: number): void;
}

export interface MarketOptions {
  readonly exchange: Exchange;
  readonly instruments: readonly SimulatedInstrument[];
  readonly random: Random;
  readonly startUs: number;
  /** Trades per second over all instruments, on average. */
  readonly ratePerSecond: number;
  /** Times are whole multiples of this: 1000 where the exchange publishes milliseconds. */
  readonly timeStepUs: number;
  /** Probability that a trade is lost for ever (no feed, no REST). */
  readonly lose: number;
  /** Trades kept per instrument; older ones are let go. */
  readonly keepTradesMax: number;
}

/** Average of FILLS. */
const FILLS = [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6] as const;
const FILLS_MEAN = FILLS.reduce<number>((sum, n) => sum + n, 0) / FILLS.length;

export class Market {
  readonly exchange: Exchange;
  readonly tapes: readonly Tape[];
  readonly #options: MarketOptions;
  readonly #orders: Random;
  readonly #times: Random;
  readonly #losses: Random;
  #intervalUs: number;
  /** Instruments, the first ones more often: trading is concentrated in a few pairs. */
  readonly #schedule: readonly number[];
  /** Time of the next order, fractional. */
  #nextUs: number;
  #lastUs: number;
  #trades = 0;

  constructor(options: MarketOptions) {
    assert(options.instruments.length > 0, `${options.exchange} has no instruments to simulate`);
    assert(options.ratePerSecond > 0, `rate ${options.ratePerSecond}/s is not positive`);
    this.exchange = options.exchange;
    this.#options = options;
    this.tapes = options.instruments.map((instrument) => new Tape(instrument));
    this.#orders = options.random.fork(1);
    this.#times = options.random.fork(2);
    this.#losses = options.random.fork(3);
    this.#intervalUs = intervalUs(options.ratePerSecond);
    this.#schedule = options.instruments.flatMap((_, i) =>
      new Array<number>(Math.max(1, Math.ceil(8 / (i + 1)))).fill(i),
    );
    this.#nextUs = options.startUs;
    this.#lastUs = options.startUs;
  }

  /** Trades so far, over all instruments. */
  get trades(): number {
    return this.#trades;
  }

  /** Time of the newest trade, or the start time. */
  get lastUs(): number {
    return this.#lastUs;
  }

  /**
   * Makes the orders due up to `untilUs`, at most about `tradesMax` trades. True when all are made.
   */
  step(untilUs: number, tradesMax: number, sink: OrderSink): boolean {
    const end = this.#trades + tradesMax;
    while (this.#nextUs <= untilUs) {
      if (this.#trades >= end) return false;
      this.#order(this.#nextUs, sink);
      this.#nextUs += this.#intervalUs * (0.5 + this.#times.unit());
    }
    return true;
  }

  /** Makes `trades` trades (or a few more) now, whatever the rate: the same ids and prices. */
  burst(trades: number, timeUs: number, sink: OrderSink): void {
    const end = this.#trades + trades;
    while (this.#trades < end) this.#order(timeUs, sink);
    this.#nextUs = timeUs;
  }

  /** Average trades per second from the next order on. */
  setRate(ratePerSecond: number): void {
    assert(ratePerSecond > 0, `rate ${ratePerSecond}/s is not positive`);
    this.#intervalUs = intervalUs(ratePerSecond);
  }

  /** Lets the time up to `timeUs` pass without trades. */
  skipTo(timeUs: number): void {
    this.#nextUs = Math.max(this.#nextUs, timeUs);
  }

  #order(timeUs: number, sink: OrderSink): void {
    const random = this.#orders;
    const { timeStepUs, lose, keepTradesMax } = this.#options;
    const stepped = Math.floor(timeUs / timeStepUs) * timeStepUs;
    const time = Math.max(stepped, this.#lastUs);
    const code = this.#schedule[random.below(this.#schedule.length)] as number;
    const tape = this.tapes[code] as Tape;
    const draw = random.uint32();
    const side = (draw & 1) === 0 ? BUY : SELL;
    const fills = FILLS[(draw >>> 1) & 15] as number;
    const marketOrder = ((draw >>> 5) & 1) === 1;
    const firstRow = tape.rows;
    let price = this.#openingPrice(tape, side, draw >>> 8);
    for (let fill = 0; fill < fills; fill++) {
      const roll = random.uint32();
      if (fill > 0 && (roll & 1) === 1) price = Math.max(1, side === BUY ? price + 1 : price - 1);
      const lost = lose > 0 && this.#losses.chance(lose);
      tape.append(time, price, lots(tape.instrument, roll), side, firstRow, lost, marketOrder);
    }
    if (tape.rows - tape.firstRow > 2 * keepTradesMax) tape.forgetBelow(tape.rows - keepTradesMax);
    this.#trades += fills;
    this.#lastUs = time;
    sink.order(code, firstRow, fills, time);
  }

  /**
   * Half the orders trade at the last price; the others up to 0.02 % away, within [1/2, 2] x start.
   */
  #openingPrice(tape: Tape, side: number, roll: number): number {
    const start = tape.instrument.startPriceTicks;
    const last = tape.rows === 0 ? start : tape.price.get(tape.rows - 1);
    if ((roll & 1) === 0) return last;
    const stepMax = Math.max(1, Math.round(start / 5000));
    const step = 1 + ((roll >>> 1) % stepMax);
    // A buyer lifts the price, a seller presses it; at the edge of the range it turns back.
    const next = side === BUY ? last + step : last - step;
    if (next < start / 2) return last + step;
    return next > start * 2 ? last - step : next;
  }
}

/** 1 lot to about 60 times the typical size, skewed to small; a quarter are round numbers. */
function lots(instrument: SimulatedInstrument, roll: number): number {
  const unit = ((roll >>> 8) & 0xffff) / 0x10000;
  const size = 1 + Math.floor(instrument.typicalLots * unit * unit * unit * 8);
  const scale = (roll & 62) === 0 ? 8 : 1;
  const whole = size * scale;
  if ((roll & 0xc0) !== 0) return whole;
  // Round to one significant digit: sizes people type, whose text ends in zeros.
  const magnitude = 10 ** Math.floor(Math.log10(whole));
  return Math.floor(whole / magnitude) * magnitude;
}

/** Between two orders, on average, us. */
function intervalUs(ratePerSecond: number): number {
  return (1e6 * FILLS_MEAN) / ratePerSecond;
}
