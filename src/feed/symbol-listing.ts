/**
 * Whether an exchange trades a symbol at all, asked over REST, where subscribing does not tell.
 *
 * Binance acknowledges a subscription to a symbol that does not exist and then stays silent for ever.
 * A misspelt instrument would look like a quiet one, so a symbol without any trade for a while is
 * looked up in exchangeInfo. Kraken and Coinbase refuse such a subscription and need none of this.
 */
import type { Exchange } from '#schemas/exchange';
import { BINANCE_REST_URL } from './binance-history.js';
import { list, record, textOf } from './protocol.js';

export interface SymbolListing {
  readonly baseUrl: string;
  url(baseUrl: string, nativeSymbol: string): string;
  /**
   * Why no trades can come of a symbol, as one clause, or undefined when they can. Throws when the
   * answer, parsed, is not what this API answers.
   */
  read(body: unknown): string | undefined;
}

const INVALID_SYMBOL = -1121;

/** GET /api/v3/exchangeInfo?symbol=: weighs 20 of 6000 a minute. */
const BINANCE_LISTING: SymbolListing = {
  baseUrl: BINANCE_REST_URL,
  url: (baseUrl, symbol) => `${baseUrl}/api/v3/exchangeInfo?${new URLSearchParams({ symbol })}`,
  read: (body) => {
    const { code, msg, symbols } = record(body);
    if (code === INVALID_SYMBOL) return textOf(msg);
    const { status } = record(list(symbols)[0]);
    if (typeof status !== 'string') throw new Error(`no status of a symbol: ${textOf(code)}`);
    return status === 'TRADING' ? undefined : `its status is ${status}`;
  },
};

export function listingOf(exchange: Exchange): SymbolListing | undefined {
  return exchange === 'BINANCE' ? BINANCE_LISTING : undefined;
}
