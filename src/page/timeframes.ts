/** The timeframes, as schemas/timeframe.ts has them: a browser cannot load that file. */
import type { Timeframe } from '#schemas/timeframe';

export const TIMEFRAMES_SHOWN = [
  '1m',
  '5m',
  '15m',
  '30m',
  '1h',
  '1d',
] as const satisfies readonly Timeframe[];
