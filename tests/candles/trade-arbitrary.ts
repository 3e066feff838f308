/** Random trades whose ids, times and windows meet often enough to matter. */
import fc from 'fast-check';
import type { OracleTrade } from '#tests/candles/candle-oracle';

/** 2025-03-03 23:40 UTC: 20 minutes of trades cross windows of every timeframe at midnight. */
export const START_US = Date.UTC(2025, 2, 3, 23, 40) * 1000;

/** x 10^8, 0 < value < 10^18, all magnitudes. */
const decimal = fc.oneof(
  fc.bigInt({ min: 1n, max: 10n ** 18n - 1n }),
  fc.bigInt({ min: 1n, max: 10n ** 10n }),
  fc.constantFrom(1n, 2n ** 32n - 1n, 2n ** 32n, 10n ** 18n - 1n),
);

export interface TradeLimits {
  readonly instruments: number;
  readonly ids: number;
  readonly trades: number;
}

/**
 * Up to `trades` trades; the same (instrument, id) may come several times, and then it is the same
 * trade but for its receive time. Times mostly grow with the id.
 */
export function arbitraryTrades(limits: TradeLimits): fc.Arbitrary<OracleTrade[]> {
  const exchangeTrade = fc.record({
    jitterUs: fc.oneof(fc.integer({ min: 0, max: 90_000_000 }), fc.constant(0)),
    price: decimal,
    quantity: decimal,
  });
  return fc
    .record({
      /** From many trades a minute to a trade every 20 minutes. */
      paceUs: fc.constantFrom(100_000, 7_000_000, 60_000_000, 1_200_000_000),
      made: fc.array(exchangeTrade, { minLength: limits.ids, maxLength: limits.ids }),
      received: fc.array(
        fc.record({
          instrument: fc.integer({ min: 0, max: limits.instruments - 1 }),
          id: fc.integer({ min: 0, max: limits.ids - 1 }),
          delayUs: fc.oneof(
            fc.integer({ min: 0, max: 2_000_000 }),
            fc.integer({ min: 0, max: 4_000_000_000 }),
          ),
          imported: fc.boolean(),
        }),
        { maxLength: limits.trades },
      ),
    })
    .map(({ paceUs, made, received }) =>
      received.map(({ instrument, id, delayUs, imported }) => {
        const { jitterUs, price, quantity } = made[id];
        const timeUs = START_US + id * paceUs + jitterUs;
        // Each instrument has its own ids, beyond 32 bits.
        const own = 2 ** 33 * instrument + id + 1;
        const receiveUs = timeUs + delayUs;
        return { instrument, id: own, timeUs, receiveUs, price, quantity, imported };
      }),
    );
}

/** The first of every (instrument, id). */
export function distinct(trades: readonly OracleTrade[]): OracleTrade[] {
  const seen = new Set<string>();
  return trades.filter(({ instrument, id }) => {
    const key = `${instrument}/${id}`;
    return !seen.has(key) && seen.add(key);
  });
}
