/**
 * Trades as a busy venue sends them, from a seed: several instruments whose trades come in bursts
 * (one taker order, many fills: equal times and sides, neighbouring prices), tick-sized price steps,
 * quantities with a heavy tail, receive times a jittered network delay later, ids without gaps.
 */
import type { Instrument } from '#schemas/instrument';
import { storeInt64 } from '#src/base/int64';
import { TradeBatch } from '#src/columns/trade-batch';

export interface Market {
  readonly name: string;
  readonly price: number;
  readonly tick: number;
  readonly lot: number;
}

/** Price, tick and lot size of busy Binance pairs. */
const PAIRS: readonly (Market & { quote: string })[] = [
  { name: 'BTC', price: 60_123.45, tick: 0.01, lot: 0.00001, quote: 'USDT' },
  { name: 'ETH', price: 2_512.33, tick: 0.01, lot: 0.0001, quote: 'USDT' },
  { name: 'SOL', price: 151.72, tick: 0.01, lot: 0.001, quote: 'USDT' },
  { name: 'XRP', price: 2.2731, tick: 0.0001, lot: 0.1, quote: 'USDT' },
  { name: 'DOGE', price: 0.17034, tick: 0.00001, lot: 1, quote: 'USDT' },
  { name: 'TRX', price: 0.2871, tick: 0.0001, lot: 0.1, quote: 'USDT' },
  { name: 'ADA', price: 0.5823, tick: 0.0001, lot: 0.1, quote: 'USDT' },
  { name: 'LINK', price: 13.42, tick: 0.01, lot: 0.01, quote: 'USDT' },
];

export const BENCH_INSTRUMENTS: readonly Instrument[] = PAIRS.map(({ name, quote }, code) => ({
  code,
  exchange: 'BINANCE',
  nativeSymbol: `${name}${quote}`,
  symbol: `${name}${quote}`,
  baseAsset: name,
  quoteAsset: quote,
}));

/** xoshiro128**: the low bits of a linear generator would compress. */
export function randomNumbers(seed: number): () => number {
  const s = Uint32Array.from([seed, seed ^ 0x9e3779b9, seed ^ 0x243f6a88, 0xb7e15162]);
  const rotate = (x: number, k: number): number => (x << k) | (x >>> (32 - k));
  const next = (): number => {
    const result = Math.imul(rotate(Math.imul(s[1], 5), 7), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 11);
    return result / 2 ** 32;
  };
  for (let i = 0; i < 20; i++) next();
  return next;
}

/** `rows` trades in arrival order within one hour from `startUs`, one trade per frame. */
export function marketTrades(
  rows: number,
  seed: number,
  startUs: number,
): TradeBatch & { readonly memory: SharedArrayBuffer } {
  const random = randomNumbers(seed);
  const batch = TradeBatch.allocate(rows);
  const ids = PAIRS.map((_, i) => 3_912_345_678 + i * 517_000_003);
  const ticks = PAIRS.map((m) => Math.round(m.price / m.tick));
  const stepUs = 3_500_000_000 / rows;
  let now = startUs;
  let frame = 91_000_000;
  for (let row = 0; row < rows; ) {
    const pair = Math.min(PAIRS.length - 1, Math.floor(-Math.log(1 - random()) * 2));
    const market = PAIRS[pair] as Market;
    const fills = 1 + Math.min(30, Math.floor(-Math.log(1 - random()) * 1.6));
    const buy = random() < 0.5;
    now += -Math.log(1 - random()) * stepUs * 2.1;
    const receive = now + 900 + random() * 600;
    for (let fill = 0; fill < fills && row < rows; fill++, row++) {
      if (random() < 0.15) ticks[pair] += buy ? 1 : -1;
      const lots = 1 + Math.floor(Math.exp(random() * 4 + random() * 4));
      batch.instrument[row] = pair;
      storeInt64(batch.tradeId, row, ids[pair]++);
      storeInt64(batch.time, row, Math.floor(now / 1000) * 1000);
      storeInt64(batch.price, row, Math.round(ticks[pair] * market.tick * 1e8));
      storeInt64(batch.quantity, row, lots * Math.round(market.lot * 1e8));
      storeInt64(batch.receiveTime, row, Math.floor(receive + fill * 15 + random() * 5));
      storeInt64(batch.sourceSequence, row, -1);
      storeInt64(batch.frameSequence, row, frame++);
      batch.side[row] = buy ? 0 : 1;
    }
  }
  batch.rows = rows;
  return batch;
}
