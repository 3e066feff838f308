/**
 * Candle timeframes. Every coarse timeframe is a whole multiple of the one it is merged from, and
 * all divide a UTC day, so windows align to 00:00 UTC: window = [open, open + timeframe).
 */
export const TIMEFRAMES = ['1m', '5m', '15m', '30m', '1h', '1d'] as const;

export type Timeframe = (typeof TIMEFRAMES)[number];

const MINUTE_US = 60_000_000;

/** Length of each timeframe in microseconds, in the order of TIMEFRAMES. */
export const TIMEFRAME_US: readonly number[] = [1, 5, 15, 30, 60, 1440].map((m) => m * MINUTE_US);

/** The largest window start (us since the epoch, UTC) that is not after `timeUs`. */
export function windowStartUs(timeUs: number, timeframeUs: number): number {
  return Math.floor(timeUs / timeframeUs) * timeframeUs;
}

export function isTimeframe(text: string): text is Timeframe {
  return (TIMEFRAMES as readonly string[]).includes(text);
}
