/**
 * The exchanges, in the order of their dictionary codes. A code is stored in shared memory only,
 * never on disk: on disk an exchange is its name.
 */
export const EXCHANGES = ['BINANCE', 'KRAKEN', 'COINBASE'] as const;

export type Exchange = (typeof EXCHANGES)[number];

/** The lower-case name used in folders, table names and configuration keys. */
export type ExchangeKey = Lowercase<Exchange>;

export function exchangeCode(exchange: Exchange): number {
  return EXCHANGES.indexOf(exchange);
}

export function exchangeKey(exchange: Exchange): ExchangeKey {
  return exchange.toLowerCase() as ExchangeKey;
}

export function isExchange(text: string): text is Exchange {
  return (EXCHANGES as readonly string[]).includes(text);
}
