/** The instruments tests work with: codes are indexes in this list. */
import type { Exchange } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';

const BINANCE_BASES = 'BTC ETH BNB SOL XRP ADA DOT LINK DOGE LTC AVAX ATOM TRX'.split(' ');
const DOLLAR_BASES = 'BTC ETH SOL XRP ADA DOT LINK DOGE LTC AVAX ATOM'.split(' ');

function listed(exchange: Exchange, bases: string[], quoteAsset: string, separator: string) {
  return bases.map((baseAsset) => ({
    exchange,
    nativeSymbol: `${baseAsset}${separator}${quoteAsset}`,
    symbol: `${baseAsset}${quoteAsset}`,
    baseAsset,
    quoteAsset,
  }));
}

export const INSTRUMENTS: Instrument[] = [
  ...listed('BINANCE', BINANCE_BASES, 'USDT', ''),
  ...listed('KRAKEN', DOLLAR_BASES, 'USD', '/'),
  ...listed('COINBASE', DOLLAR_BASES, 'USD', '-'),
].map((instrument, code) => ({ code, ...instrument }));
