/**
 * Candles computed from the truth with BigInt sums, for the REST answers: an independent opinion to
 * compare our own candles with.
 */
import { SELL, type Tape } from '#src/simulator/tape';

/** Prices in ticks, volumes in lots, quote volumes in ticks x lots. */
export interface ExactCandle {
  readonly openUs: number;
  readonly open: bigint;
  readonly high: bigint;
  readonly low: bigint;
  readonly close: bigint;
  readonly volume: bigint;
  readonly quoteVolume: bigint;
  readonly takerBuyVolume: bigint;
  readonly takerBuyQuoteVolume: bigint;
  readonly trades: number;
}

/**
 * The candle of [openUs, openUs + lengthUs). Without trades: the close before it four times and
 * zero volumes; undefined when there was no trade before it either.
 */
export function exactCandle(tape: Tape, openUs: number, lengthUs: number): ExactCandle | undefined {
  const start = tape.rowAtTime(openUs);
  const end = tape.rowAtTime(openUs + lengthUs);
  let candle: ExactCandle | undefined;
  for (let row = start; row < end; row++) {
    if (tape.lost(row)) continue;
    const price = BigInt(tape.price.get(row));
    const lots = BigInt(tape.quantity.get(row));
    const bought = tape.side(row) === SELL ? 0n : lots;
    candle = {
      openUs,
      open: candle?.open ?? price,
      high: candle === undefined || price > candle.high ? price : candle.high,
      low: candle === undefined || price < candle.low ? price : candle.low,
      close: price,
      volume: (candle?.volume ?? 0n) + lots,
      quoteVolume: (candle?.quoteVolume ?? 0n) + lots * price,
      takerBuyVolume: (candle?.takerBuyVolume ?? 0n) + bought,
      takerBuyQuoteVolume: (candle?.takerBuyQuoteVolume ?? 0n) + bought * price,
      trades: (candle?.trades ?? 0) + 1,
    };
  }
  if (candle !== undefined) return candle;
  const before = tape.keptRowBelow(start);
  if (before < 0) return undefined;
  const price = BigInt(tape.price.get(before));
  const prices = { open: price, high: price, low: price, close: price };
  const none = { volume: 0n, quoteVolume: 0n, takerBuyVolume: 0n, takerBuyQuoteVolume: 0n };
  return { openUs, ...prices, ...none, trades: 0 };
}
