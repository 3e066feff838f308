/** Three instruments: one symbol on one exchange, one on two. */
import type { Instrument } from '#schemas/instrument';

function instrument(
  code: number,
  exchange: Instrument['exchange'],
  nativeSymbol: string,
  baseAsset: string,
  quoteAsset: string,
): Instrument {
  return {
    code,
    exchange,
    nativeSymbol,
    symbol: baseAsset + quoteAsset,
    baseAsset,
    quoteAsset,
  };
}

export const TRX = instrument(0, 'BINANCE', 'TRXUSDT', 'TRX', 'USDT');
export const BTC_KRAKEN = instrument(1, 'KRAKEN', 'BTC/USD', 'BTC', 'USD');
export const BTC_COINBASE = instrument(2, 'COINBASE', 'BTC-USD', 'BTC', 'USD');
export const INSTRUMENTS: readonly Instrument[] = [TRX, BTC_KRAKEN, BTC_COINBASE];
