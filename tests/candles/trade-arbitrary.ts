/**
 * Random trades the way exchanges send them: ids mostly dense and in order, some missing, some late,
 * some twice; times that often lie exactly on a window's or a lateness' edge.
 */
import fc from 'fast-check';
import type { OracleTrade } from '#tests/candles/candle-oracle';

/** 2025-03-03 23:50 UTC: a few minutes of trades cross windows of every timeframe at midnight. */
export const START_US = Date.UTC(2025, 2, 3, 23, 50) * 1000;

/** x 10^8, 0 < value < 10^18, all magnitudes. */
const decimal = fc.oneof(
  fc.bigInt({ min: 1n, max: 10n ** 18n - 1n }),
  fc.bigInt({ min: 1n, max: 10n ** 10n }),
  fc.constantFrom(1n, 2n ** 32n - 1n, 2n ** 32n, 10n ** 18n - 1n),
);

const GRID_US = 5_000_000;
const onGrid = (steps: number): fc.Arbitrary<number> =>
  fc.integer({ min: 0, max: steps }).map((n) => n * GRID_US);

const step = fc.record({
  /** Mostly the first one: a long history of one tells more than short ones of several. */
  instrument: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.nat() },
  ),
  /** From the instrument's last id: 0 repeats it, more than 1 leaves ids out. */
  idStep: fc.oneof(
    { weight: 8, arbitrary: fc.constant(1) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 3 }) },
  ),
  /** How many trades later than in order it comes. */
  displacement: fc.oneof(
    { weight: 6, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 3 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 60 }) },
  ),
  jitterUs: fc.oneof(onGrid(6), fc.integer({ min: 0, max: 90_000_000 })),
  delayUs: fc.oneof(onGrid(6), onGrid(800), fc.integer({ min: 0, max: 2_000_000 })),
  imported: fc.boolean(),
  price: decimal,
  quantity: decimal,
});

/** Up to `trades` trades of `instruments` instruments, in the order they are received. */
export function arbitraryTrades(instruments: number, trades: number): fc.Arbitrary<OracleTrade[]> {
  return fc
    .record({
      /** From many trades a minute to a trade every 20 minutes. */
      paceUs: fc.constantFrom(GRID_US, 4 * GRID_US, 60_000_000, 1_200_000_000),
      steps: fc.array(step, { maxLength: trades }),
    })
    .map(({ paceUs, steps }) => {
      const lastId = new Array<number>(instruments).fill(0);
      const made = new Map<string, OracleTrade>();
      const received = steps.map((drawn, position) => {
        const instrument = drawn.instrument % instruments;
        lastId[instrument] += drawn.idStep;
        // Each instrument has its own ids, beyond 32 bits.
        const id = 2 ** 33 * instrument + lastId[instrument];
        const key = `${instrument}/${id}`;
        const { price, quantity, imported, delayUs } = drawn;
        const timeUs = START_US + lastId[instrument] * paceUs + drawn.jitterUs;
        const trade = { instrument, id, timeUs, receiveUs: 0, price, quantity, imported };
        const first = made.get(key) ?? trade;
        made.set(key, first);
        return {
          trade: { ...first, imported, receiveUs: first.timeUs + delayUs },
          place: position + drawn.displacement,
        };
      });
      return received.sort((a, b) => a.place - b.place).map(({ trade }) => trade);
    });
}

/** The first of every (instrument, id). */
export function distinct(trades: readonly OracleTrade[]): OracleTrade[] {
  const seen = new Set<string>();
  return trades.filter(({ instrument, id }) => {
    const key = `${instrument}/${id}`;
    return !seen.has(key) && seen.add(key);
  });
}
