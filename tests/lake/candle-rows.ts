/** Generated candle records and the rows they must become. */
import fc from 'fast-check';
import { TIMEFRAME_US, TIMEFRAMES, type Timeframe } from '#schemas/timeframe';
import { formatScaled } from '#src/base/decimal';
import { storeInt64 } from '#src/base/int64';
import { CANDLE_BYTES, CANDLE_WORDS, FLAG_COMPLETE, FLAG_FINAL, WORD } from '#src/candles/record';
import { INSTRUMENTS } from '#tests/lake/trade-rows';

export interface Candle {
  readonly instrument: number;
  readonly timeframe: Timeframe;
  readonly startUs: number;
  readonly prices: readonly [bigint, bigint, bigint, bigint];
  readonly volume: bigint;
  readonly quoteVolume: bigint;
  readonly tradeCount: number;
  readonly firstTradeId: number;
  readonly lastTradeId: number;
  readonly late: readonly number[];
  readonly final: boolean;
  readonly complete: boolean;
}

const price = fc.oneof(
  fc.bigInt(1n, 10n ** 18n - 1n),
  fc.constantFrom(1n, 2n ** 32n, 10n ** 18n - 1n),
);

/** Candles of one timeframe and one partition: distinct (instrument, window), in any order. */
export function candles(timeframe: Timeframe, firstDayUs: number): fc.Arbitrary<Candle[]> {
  const frameUs = TIMEFRAME_US[TIMEFRAMES.indexOf(timeframe)];
  const windows = timeframe === '1d' ? 30 : 86_400_000_000 / frameUs;
  const candle = fc
    .record({
      instrument: fc.nat({ max: INSTRUMENTS.length - 1 }),
      window: fc.oneof(fc.nat({ max: windows - 1 }), fc.constantFrom(0, windows - 1)),
      prices: fc.tuple(price, price, price, price),
      // vwap is at most the highest price: it fits DECIMAL(18,8) whatever the volumes.
      vwapNear: price,
      volume: fc.oneof(fc.bigInt(1n, 10n ** 12n), fc.constantFrom(1n, 3n, 10n ** 20n - 1n)),
      rest: fc.bigInt(0n, 10n ** 20n),
      tradeCount: fc.integer({ min: 1, max: 2 ** 53 - 1 }),
      firstTradeId: fc.maxSafeNat(),
      lastTradeId: fc.maxSafeNat(),
      late: fc.array(fc.nat({ max: 2 ** 32 - 1 }), { minLength: 6, maxLength: 6 }),
      final: fc.boolean(),
      complete: fc.boolean(),
    })
    .map(({ window, vwapNear, rest, ...candle }) => ({
      ...candle,
      timeframe,
      startUs: firstDayUs + window * frameUs,
      quoteVolume: (vwapNear - 1n) * candle.volume + (rest % candle.volume) + 1n,
    }));
  return fc.uniqueArray(candle, {
    minLength: 1,
    maxLength: 60,
    selector: ({ instrument, startUs }) => `${instrument} ${startUs}`,
  });
}

export function candleRecords(all: readonly Candle[]): Uint8Array {
  const bytes = new Uint8Array(all.length * CANDLE_BYTES);
  const words = new Int32Array(bytes.buffer);
  const wide = new BigInt64Array(bytes.buffer);
  for (const [i, c] of all.entries()) {
    const at = i * CANDLE_WORDS;
    const flags = (c.final ? FLAG_FINAL : 0) | (c.complete ? FLAG_COMPLETE : 0);
    words[at + WORD.instrument] = c.instrument;
    words[at + WORD.timeframeAndFlags] = TIMEFRAMES.indexOf(c.timeframe) | (flags << 8);
    storeInt64(words, (at + WORD.windowStart) / 2, c.startUs);
    for (const [k, word] of [
      WORD.openPrice,
      WORD.highPrice,
      WORD.lowPrice,
      WORD.closePrice,
    ].entries()) {
      wide[(at + word) / 2] = c.prices[k];
    }
    storeInt64(words, (at + WORD.firstTradeId) / 2, c.firstTradeId);
    storeInt64(words, (at + WORD.lastTradeId) / 2, c.lastTradeId);
    storeInt64(words, (at + WORD.tradeCount) / 2, c.tradeCount);
    for (const [word, value] of [
      [WORD.volume, c.volume],
      [WORD.quoteVolume, c.quoteVolume],
    ] as const) {
      wide[(at + word) / 2] = BigInt.asIntN(64, value);
      wide[(at + word) / 2 + 1] = value >> 64n;
    }
    words.set(c.late, at + WORD.late);
  }
  return bytes;
}

/** The row a candle must become, as text but for its flags and revision. */
export function candleRow(c: Candle) {
  const instrument = INSTRUMENTS[c.instrument] as (typeof INSTRUMENTS)[number];
  const frame = TIMEFRAMES.indexOf(c.timeframe);
  const [open, high, low, close] = c.prices.map((p) => formatScaled(p, 8));
  const whole = c.quoteVolume / c.volume;
  const half = 2n * (c.quoteVolume % c.volume) >= c.volume;
  return {
    symbol: instrument.symbol,
    exchange: instrument.exchange,
    window_start: String(c.startUs),
    window_end: String(c.startUs + TIMEFRAME_US[frame]),
    window_date: new Date(c.startUs / 1000).toISOString().slice(0, 10),
    open_price: open,
    high_price: high,
    low_price: low,
    close_price: close,
    volume: formatScaled(c.volume, 8),
    trade_count: String(c.tradeCount),
    vwap: formatScaled(half ? whole + 1n : whole, 8),
    quote_volume: formatScaled(c.quoteVolume, 16),
    first_trade_id: String(c.firstTradeId),
    last_trade_id: String(c.lastTradeId),
    revision: Math.min(2 ** 31 - 1, 1 + c.late[frame]),
    is_final: c.final,
    is_complete: c.complete,
  };
}

export function inCandleOrder(all: readonly Candle[]): Candle[] {
  const key = ({ instrument }: Candle): string => {
    const { exchange, symbol } = INSTRUMENTS[instrument] as (typeof INSTRUMENTS)[number];
    return `${exchange} ${symbol}`;
  };
  return [...all].sort((a, b) =>
    key(a) === key(b) ? a.startUs - b.startUs : key(a) < key(b) ? -1 : 1,
  );
}
