/** The protocol a configuration asks for: exchange and channel. */
import type { Exchange } from '#schemas/exchange';
import { EXIT, UserError } from '#src/base/errors';
import { binanceProtocol } from './binance.js';
import { COINBASE_ADVANCED, COINBASE_EXCHANGE } from './coinbase.js';
import { KRAKEN } from './kraken.js';
import type { FeedProtocol } from './protocol.js';

/** The channels of each exchange; the first is the default. */
export const CHANNELS = {
  BINANCE: ['trade', 'aggTrade'],
  KRAKEN: ['trade'],
  COINBASE: ['matches', 'market_trades'],
} as const satisfies Record<Exchange, readonly string[]>;

export type Channel = (typeof CHANNELS)[Exchange][number];

export function protocolOf(exchange: Exchange, channel: Channel): FeedProtocol {
  const channels: readonly Channel[] = CHANNELS[exchange];
  if (!channels.includes(channel)) {
    throw new UserError(
      EXIT.config,
      `${exchange} has no channel "${channel}": use ${channels.join(' or ')}.`,
    );
  }
  if (exchange === 'KRAKEN') return KRAKEN;
  if (exchange === 'BINANCE') return binanceProtocol(channel as 'trade' | 'aggTrade');
  return channel === 'matches' ? COINBASE_EXCHANGE : COINBASE_ADVANCED;
}
