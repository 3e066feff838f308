/** The REST API that fills the gaps of a channel. */
import type { Exchange } from '#schemas/exchange';
import { binanceHistory } from './binance-history.js';
import { COINBASE_HISTORY } from './coinbase-history.js';
import { KRAKEN_HISTORY } from './kraken-history.js';
import type { Channel } from './protocol-of.js';
import type { TradeHistory } from './trade-history.js';

export function historyOf(exchange: Exchange, channel: Channel): TradeHistory {
  if (exchange === 'BINANCE') return binanceHistory(channel === 'aggTrade' ? 'aggTrade' : 'trade');
  return exchange === 'KRAKEN' ? KRAKEN_HISTORY : COINBASE_HISTORY;
}
