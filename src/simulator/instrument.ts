/**
 * A simulated instrument: what the exchange would say of the pair (tick and lot size) and where its
 * random walk starts.
 */
import { EXCHANGES, type Exchange } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { assert } from '#src/base/errors';
import { mix32 } from '#src/base/random';

export interface SimulatedInstrument {
  readonly exchange: Exchange;
  readonly nativeSymbol: string;
  readonly symbol: string;
  readonly baseAsset: string;
  readonly quoteAsset: string;
  /** Id of the first trade; the ids after it are dense. */
  readonly startId: number;
  /** Whole ticks: 6355102 with priceDecimals 2 is 63551.02. */
  readonly startPriceTicks: number;
  readonly priceDecimals: number;
  /** Median trade size in whole lots. */
  readonly typicalLots: number;
  readonly quantityDecimals: number;
}

/** Dollar prices of July 2026, near enough for a demonstration to look right. */
const PRICE_OF: Readonly<Record<string, number>> = {
  BTC: 63_551.02,
  ETH: 1775.59,
  SOL: 78.31,
  BNB: 571.4,
  XRP: 1.1042,
  ADA: 0.2531,
  DOGE: 0.0931,
  TRX: 0.2711,
  LTC: 54.83,
  AVAX: 8.412,
  LINK: 8.931,
  DOT: 1.214,
  SHIB: 0.00000612,
  PEPE: 0.00000389,
};

const START_ID: Readonly<Record<Exchange, number>> = {
  BINANCE: 6_486_989_273,
  KRAKEN: 103_436_768,
  COINBASE: 1_052_119_288,
};

/** Decimals that give a price about six significant digits; Kraken quotes Bitcoin in dimes. */
function priceDecimals(exchange: Exchange, price: number): number {
  const whole = Math.floor(Math.log10(price)) + 1;
  if (whole >= 4) return exchange === 'KRAKEN' && whole >= 5 ? 1 : 2;
  return Math.min(8, 6 - whole);
}

export function simulatedInstrument(
  instrument: Omit<Instrument, 'code'>,
  overrides: Partial<SimulatedInstrument> = {},
): SimulatedInstrument {
  const { exchange, nativeSymbol, symbol, baseAsset, quoteAsset } = instrument;
  const price = PRICE_OF[baseAsset] ?? 10;
  const decimals = overrides.priceDecimals ?? priceDecimals(exchange, price);
  const lotDecimals = overrides.quantityDecimals ?? (exchange === 'BINANCE' ? 5 : 8);
  // Ids differ per symbol as they do in life, so a mix-up of two symbols cannot go unnoticed.
  let salt = EXCHANGES.indexOf(exchange);
  for (const letter of nativeSymbol) salt = mix32(salt, letter.charCodeAt(0));
  const made: SimulatedInstrument = {
    exchange,
    nativeSymbol,
    symbol,
    baseAsset,
    quoteAsset,
    startId: START_ID[exchange] - (salt % 90_000_000),
    startPriceTicks: Math.max(100, Math.round(price * 10 ** decimals)),
    priceDecimals: decimals,
    // About 250 dollars' worth.
    typicalLots: Math.min(1e13, Math.max(1, Math.round((250 / price) * 10 ** lotDecimals))),
    quantityDecimals: lotDecimals,
    ...overrides,
  };
  assert(
    made.priceDecimals <= 8 && made.quantityDecimals <= 8 && made.startPriceTicks >= 10,
    `${nativeSymbol}: at most 8 decimals and at least 10 ticks, got ${JSON.stringify(made)}`,
  );
  return made;
}
