/**
 * Reads the fields of candle records by name, as exact integers: for output, the API and tests.
 * One reader walks any number of records; it copies nothing and computes only what is asked.
 */
import { bigInt64 } from '#src/base/int64';
import { bigInt128 } from '#src/base/int128';
import {
  CANDLE_WORDS,
  FLAG_COMPLETE,
  FLAG_FINAL,
  flagsAt,
  numberAt,
  timeframeAt,
  WORD,
  windowEndAt,
} from '#src/candles/record';
import { vwap } from '#src/candles/vwap';

export class CandleReader {
  readonly #words: Int32Array;
  #at = 0;

  /** `words`: records back to back (`recordWords` makes them of bytes). Starts at the first. */
  constructor(words: Int32Array) {
    this.#words = words;
  }

  get count(): number {
    return this.#words.length / CANDLE_WORDS;
  }

  /** Goes to record `index` and returns this reader. */
  move(index: number): this {
    this.#at = index * CANDLE_WORDS;
    return this;
  }

  get instrument(): number {
    return this.#words[this.#at + WORD.instrument];
  }

  /** Index into TIMEFRAMES. */
  get timeframe(): number {
    return timeframeAt(this.#words, this.#at);
  }

  get windowStartUs(): number {
    return this.#number(WORD.windowStart);
  }

  /** Exclusive. */
  get windowEndUs(): number {
    return windowEndAt(this.#words, this.#at);
  }

  /** x 10^8, as are the other prices. */
  get openPrice(): bigint {
    return this.#big(WORD.openPrice);
  }

  get highPrice(): bigint {
    return this.#big(WORD.highPrice);
  }

  get lowPrice(): bigint {
    return this.#big(WORD.lowPrice);
  }

  get closePrice(): bigint {
    return this.#big(WORD.closePrice);
  }

  /** Time of the trade that opened it. */
  get openTimeUs(): number {
    return this.#number(WORD.openTime);
  }

  get closeTimeUs(): number {
    return this.#number(WORD.closeTime);
  }

  /** Smallest trade id. */
  get firstTradeId(): number {
    return this.#number(WORD.firstTradeId);
  }

  /** Largest trade id. */
  get lastTradeId(): number {
    return this.#number(WORD.lastTradeId);
  }

  get tradeCount(): number {
    return this.#number(WORD.tradeCount);
  }

  /** x 10^8. */
  get volume(): bigint {
    return bigInt128(this.#words, this.#at + WORD.volume);
  }

  /** x 10^16. */
  get quoteVolume(): bigint {
    return bigInt128(this.#words, this.#at + WORD.quoteVolume);
  }

  /** quote volume / volume, x 10^8, rounded half up. */
  get vwap(): bigint {
    return vwap(this.quoteVolume, this.volume);
  }

  /** Trades that arrived after the window of timeframe `timeframe` around them had closed. */
  late(timeframe: number): number {
    return this.#words[this.#at + WORD.late + timeframe] >>> 0;
  }

  get revision(): number {
    return 1 + this.late(this.timeframe);
  }

  get isFinal(): boolean {
    return (flagsAt(this.#words, this.#at) & FLAG_FINAL) !== 0;
  }

  get isComplete(): boolean {
    return (flagsAt(this.#words, this.#at) & FLAG_COMPLETE) !== 0;
  }

  #number(field: number): number {
    return numberAt(this.#words, this.#at, field);
  }

  #big(field: number): bigint {
    return bigInt64(this.#words, (this.#at + field) / 2);
  }
}
