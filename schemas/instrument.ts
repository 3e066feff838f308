/**
 * An instrument: one traded pair on one exchange.
 *
 * `code` is its index in the data directory's registry (src/state): the first start writes the
 * configured instruments there, later starts only append, so a code keeps its meaning for ever.
 */
import type { Exchange } from './exchange.js';

export interface Instrument {
  readonly code: number;
  readonly exchange: Exchange;
  /** The exchange's own spelling, as frames carry it: `BTCUSDT`, `BTC/USD`, `BTC-USD`. */
  readonly nativeSymbol: string;
  /** Ours: no separator, XBT -> BTC, XDG -> DOGE: `BTCUSDT`, `BTCUSD`. */
  readonly symbol: string;
  readonly baseAsset: string;
  readonly quoteAsset: string;
}
