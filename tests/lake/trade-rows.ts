/** Generated trades, the batch they make and the rows they must become. */
import fc from 'fast-check';
import type { Instrument } from '#schemas/instrument';
import { CONDITION_AGGREGATE, SIDES, TRADE_CONDITIONS } from '#schemas/trade';
import { formatScaled } from '#src/base/decimal';
import { storeInt64 } from '#src/base/int64';
import { TradeBatch } from '#src/columns/trade-batch';
import type { TradesJob } from '#src/lake/job';
import { messageId } from '#src/trades/message-id';

/** In an order that is neither by symbol nor by exchange; BTCUSD is on two of them. */
export const INSTRUMENTS: readonly Instrument[] = (
  [
    ['KRAKEN', 'XBT/USD', 'BTCUSD', 'BTC', 'USD'],
    ['BINANCE', 'ETHUSDT', 'ETHUSDT', 'ETH', 'USDT'],
    ['COINBASE', 'BTC-USD', 'BTCUSD', 'BTC', 'USD'],
    ['BINANCE', 'BTCUSDT', 'BTCUSDT', 'BTC', 'USDT'],
    ['KRAKEN', 'ADA/EUR', 'ADAEUR', 'ADA', 'EUR'],
  ] as const
).map(([exchange, nativeSymbol, symbol, baseAsset, quoteAsset], code) => ({
  code,
  exchange,
  nativeSymbol,
  symbol,
  baseAsset,
  quoteAsset,
}));

export interface Trade {
  readonly instrument: number;
  readonly id: number;
  readonly timeUs: number;
  readonly price: bigint;
  readonly quantity: bigint;
  readonly receiveUs: number;
  readonly sourceSequence: number;
  readonly frameSequence: number;
  readonly frameIndex: number;
  readonly side: number;
  readonly condition: number;
  readonly firstId: number;
  readonly lastId: number;
}

/** 2026-11-23T00:00Z. */
export const MIDNIGHT_US = Date.UTC(2026, 10, 23) * 1000;
const HOUR_US = 3_600_000_000;

/** 0.00000001 to 9999999999.99999999. */
const amount = fc.oneof(
  fc.bigInt(1n, 10n ** 18n - 1n),
  fc.bigInt(1n, 10n ** 11n),
  fc.constantFrom(1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 10n ** 18n - 1n),
);
const id = fc.oneof(
  fc.nat({ max: 20 }),
  fc.maxSafeNat(),
  fc.constantFrom(9_999, 10_000, 99_999_999, 100_000_000, 2 ** 32, 2 ** 53 - 1),
);
/** Close to the edges of hours and days, where partitions change. */
const time = fc
  .tuple(fc.constantFrom(-25, -24, -1, 0, 1, 23, 24), fc.integer({ min: -2, max: 2 }))
  .map(([hours, us]) => MIDNIGHT_US + hours * HOUR_US + us);

export const trade: fc.Arbitrary<Trade> = fc.record({
  instrument: fc.nat({ max: INSTRUMENTS.length - 1 }),
  id,
  timeUs: time,
  price: amount,
  quantity: amount,
  receiveUs: fc.integer({ min: MIDNIGHT_US, max: MIDNIGHT_US + HOUR_US }),
  sourceSequence: fc.oneof(fc.constant(-1), fc.constantFrom(0, 1), fc.maxSafeNat()),
  frameSequence: fc.oneof(fc.nat(), fc.constantFrom(0, 2 ** 32 + 5, 2 ** 45)),
  frameIndex: fc.constantFrom(0, 1, 777, 131_071),
  side: fc.nat({ max: 1 }),
  condition: fc.oneof(fc.constant(0), fc.nat({ max: 2 ** TRADE_CONDITIONS.length - 1 })),
  firstId: id,
  lastId: id,
});

export function tradesJob(trades: readonly Trade[], name: string, table = 'gold_crypto_trades') {
  const capacity = trades.length + 3; // a batch need not be full
  const batch = TradeBatch.allocate(capacity);
  for (const [row, t] of trades.entries()) {
    batch.instrument[row] = t.instrument;
    storeInt64(batch.tradeId, row, t.id);
    storeInt64(batch.time, row, t.timeUs);
    for (const [words, value] of [
      [batch.price, t.price],
      [batch.quantity, t.quantity],
    ] as const) {
      words[2 * row] = Number(BigInt.asIntN(32, value));
      words[2 * row + 1] = Number(BigInt.asIntN(32, value >> 32n));
    }
    storeInt64(batch.receiveTime, row, t.receiveUs);
    storeInt64(batch.sourceSequence, row, t.sourceSequence);
    storeInt64(batch.frameSequence, row, t.frameSequence);
    batch.frameIndex[row] = t.frameIndex;
    batch.side[row] = t.side;
    batch.condition[row] = t.condition;
    storeInt64(batch.firstId, row, t.firstId);
    storeInt64(batch.lastId, row, t.lastId);
  }
  batch.rows = trades.length;
  const { memory } = batch;
  const tables = [table];
  return {
    kind: 'trades',
    tables,
    memory,
    capacity,
    rows: trades.length,
    name,
  } satisfies TradesJob;
}

/** The row a trade must become, its longs as text. */
export function tradeRow(t: Trade) {
  const { exchange, symbol, quoteAsset } = INSTRUMENTS[t.instrument] as Instrument;
  const iso = new Date(Math.floor(t.timeUs / 1000)).toISOString();
  return {
    message_id: messageId(exchange, symbol, t.id),
    trade_id: `${exchange}-${t.id}`,
    symbol,
    exchange,
    asset_class: 'crypto',
    timestamp: String(t.timeUs),
    price: formatScaled(t.price, 8),
    quantity: formatScaled(t.quantity, 8),
    currency: quoteAsset,
    side: SIDES[t.side],
    trade_conditions: TRADE_CONDITIONS.filter((_, bit) => (t.condition >> bit) & 1) as string[],
    source_sequence: t.sourceSequence === -1 ? null : String(t.sourceSequence),
    ingestion_timestamp: String(t.receiveUs),
    platform_sequence: String(BigInt(t.frameSequence) * 131_072n + BigInt(t.frameIndex)),
    vendor_data: (t.condition & CONDITION_AGGREGATE
      ? { first_trade_id: String(t.firstId), last_trade_id: String(t.lastId) }
      : {}) as Record<string, string>,
    exchange_date: iso.slice(0, 10),
    exchange_hour: Number(iso.slice(11, 13)),
  };
}

export function partitionOf(t: Trade): string {
  const { exchange_date, exchange_hour } = tradeRow(t);
  return `exchange_date=${exchange_date}/exchange_hour=${String(exchange_hour).padStart(2, '0')}`;
}

/** The order of a file: symbol, time, trade id, then (symbol on two exchanges) exchange, then arrival. */
export function inFileOrder(trades: readonly Trade[]): Trade[] {
  const of = (t: Trade): Instrument => INSTRUMENTS[t.instrument] as Instrument;
  return [...trades].sort(
    (a, b) =>
      compare(of(a).symbol, of(b).symbol) ||
      a.timeUs - b.timeUs ||
      a.id - b.id ||
      compare(of(a).exchange, of(b).exchange),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
