/** One symbol's day: its daily candle on every exchange, and all of them together, exactly. */
import { type Static, Type } from '@sinclair/typebox';
import type { Instrument } from '#schemas/instrument';
import type { CandleSource } from '#src/api/candle-source';
import { formatScaled, parseScaled } from '#src/base/decimal';
import { vwap } from '#src/candles/vwap';
import { dayText } from '#src/lake/partition';
import type { CandleRow } from '#src/output/candle-row';

const DAY_US = 86_400_000_000;

const decimal = (description: string) => Type.String({ description });

const FIGURES = {
  high: decimal('Highest price.'),
  low: decimal('Lowest price.'),
  volume: decimal('Exact sum of quantities.'),
  quote_volume: decimal('Exact sum of price x quantity.'),
  vwap: decimal('quote_volume / volume, rounded half up to 8 decimals.'),
  trade_count: Type.Integer(),
  is_final: Type.Boolean({ description: 'The day is over for every exchange in it.' }),
  is_complete: Type.Boolean({ description: 'Proof that no trade of the day is missing.' }),
};

const EXCHANGE_DAY = Type.Object({
  exchange: Type.String(),
  open: decimal('Price of the first trade.'),
  close: decimal('Price of the last trade.'),
  ...FIGURES,
});

export const SUMMARY = Type.Object({
  symbol: Type.String(),
  date: Type.String({ format: 'date' }),
  exchanges: Type.Array(EXCHANGE_DAY, { description: 'Those with a trade on that day.' }),
  total: Type.Union([Type.Object(FIGURES), Type.Null()], {
    description: 'Over all exchanges; null without a trade.',
  }),
});

/** `instruments`: all of one symbol. `fromUs`: midnight. */
export async function daySummary(
  instruments: readonly Instrument[],
  fromUs: number,
  source: CandleSource,
): Promise<Static<typeof SUMMARY>> {
  const days = await Promise.all(
    instruments.map((instrument) =>
      source.candles({
        timeframe: '1d',
        instrument,
        fromUs,
        toUs: fromUs + DAY_US,
        limit: 1,
        which: 'first',
      }),
    ),
  );
  const candles = days.flat();
  return {
    symbol: (instruments[0] as Instrument).symbol,
    date: dayText(fromUs / DAY_US),
    exchanges: candles.map((candle) => ({
      exchange: candle.exchange,
      open: candle.open,
      close: candle.close,
      ...figures([candle]),
    })),
    total: candles.length === 0 ? null : figures(candles),
  };
}

function scaled(text: string, scale: number): bigint {
  return parseScaled(text, scale) as bigint;
}

function figures(candles: readonly CandleRow[]) {
  const sum = (name: 'volume' | 'quote_volume', scale: number): bigint =>
    candles.reduce((total, candle) => total + scaled(candle[name], scale), 0n);
  const prices = (name: 'high' | 'low'): bigint[] =>
    candles.map((candle) => scaled(candle[name], 8)).sort((a, b) => (a < b ? -1 : 1));
  const volume = sum('volume', 8);
  const quoteVolume = sum('quote_volume', 16);
  return {
    high: formatScaled(prices('high').at(-1) as bigint, 8),
    low: formatScaled(prices('low')[0] as bigint, 8),
    volume: formatScaled(volume, 8),
    quote_volume: formatScaled(quoteVolume, 16),
    vwap: formatScaled(vwap(quoteVolume, volume), 8),
    trade_count: candles.reduce((total, candle) => total + candle.trade_count, 0),
    is_final: candles.every((candle) => candle.is_final),
    is_complete: candles.every((candle) => candle.is_complete),
  };
}
