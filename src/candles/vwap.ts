/** The one rounded value of a candle, computed in one place. */
import { assert } from '#src/base/errors';

/** quote_volume (x 10^16) / volume (x 10^8), x 10^8, rounded half up; both are positive. */
export function vwap(quoteVolume: bigint, volume: bigint): bigint {
  assert(volume > 0n, `a candle of volume ${volume}`);
  return (2n * quoteVolume + volume) / (2n * volume);
}
