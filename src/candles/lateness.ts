/**
 * Lateness: for which timeframes a trade came after the window around it had closed.
 *
 * A window is closed once time has passed its end by the allowed lateness. Windows of coarser
 * timeframes contain those of finer ones, so a trade late for one timeframe is late for all finer.
 */
import { TIMEFRAME_US, windowStartUs } from '#schemas/timeframe';

/**
 * Bit k: the trade at `timeUs` is late for timeframe k, because windows that end at or before
 * `closedUntilUs` had been closed when it was accepted.
 */
export function lateMask(timeUs: number, closedUntilUs: number): number {
  let mask = 0;
  for (let k = 0; k < TIMEFRAME_US.length; k++) {
    const lengthUs = TIMEFRAME_US[k];
    if (windowStartUs(timeUs, lengthUs) + lengthUs > closedUntilUs) break;
    mask |= 1 << k;
  }
  return mask;
}
