/** How fresh and how complete the candles of each instrument are, by its newest windows. */
import { type Static, Type } from '@sinclair/typebox';
import type { Instrument } from '#schemas/instrument';
import type { Timeframe } from '#schemas/timeframe';
import type { CandleSource } from '#src/api/candle-source';

/** Windows looked at in each series. */
const WINDOWS = 12;

const COUNT = (description: string) => Type.Integer({ minimum: 0, description });

export const SERIES_HEALTH = Type.Object({
  symbol: Type.String(),
  exchange: Type.String(),
  timeframe: Type.String(),
  newest_window: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
    description: 'Start of the newest candle; null before any.',
  }),
  age_ms: Type.Union([Type.Integer(), Type.Null()], {
    description: 'Since the end of the newest window; negative while it is open.',
  }),
  windows: COUNT(`Newest candles looked at, at most ${WINDOWS}.`),
  final: COUNT('Of these: final ones.'),
  complete: COUNT('Of these: proven complete ones.'),
  revised: COUNT('Of these: changed by late trades.'),
});

export type SeriesHealth = Static<typeof SERIES_HEALTH>;

export async function candlesHealth(
  instruments: readonly Instrument[],
  timeframe: Timeframe,
  source: CandleSource,
  nowUs: number,
): Promise<SeriesHealth[]> {
  const series: SeriesHealth[] = [];
  for (const instrument of instruments) {
    const newest = await source.candles({
      timeframe,
      instrument,
      fromUs: 0,
      toUs: Number.MAX_SAFE_INTEGER,
      limit: WINDOWS,
      which: 'last',
    });
    const last = newest.at(-1);
    const count = (is: (candle: (typeof newest)[number]) => boolean): number =>
      newest.filter(is).length;
    series.push({
      symbol: instrument.symbol,
      exchange: instrument.exchange,
      timeframe,
      newest_window: last?.window_start ?? null,
      age_ms: last === undefined ? null : Math.round(nowUs / 1000) - Date.parse(last.window_end),
      windows: newest.length,
      final: count(({ is_final }) => is_final),
      complete: count(({ is_complete }) => is_complete),
      revised: count(({ revision }) => revision > 1),
    });
  }
  return series;
}
