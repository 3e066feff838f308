/**
 * The candles of a list of trades, the slow and obvious way: BigInts, maps and sorting, nothing
 * shared with the code under test but the byte layout, which it writes field by field.
 */
import { TIMEFRAME_US } from '#schemas/timeframe';
import { CONDITION_IMPORTED } from '#schemas/trade';
import { TradeBatch } from '#src/columns/trade-batch';

export interface OracleTrade {
  readonly instrument: number;
  readonly id: number;
  readonly timeUs: number;
  readonly receiveUs: number;
  readonly price: bigint;
  readonly quantity: bigint;
  readonly imported: boolean;
}

export interface OracleCandle {
  readonly timeframe: number;
  readonly windowStartUs: number;
  readonly instrument: number;
  readonly trades: readonly OracleTrade[];
  /** Per timeframe. */
  readonly late: readonly number[];
  readonly isFinal: boolean;
  readonly isComplete: boolean;
}

/** Names a candle. */
export function candleKey(timeframe: number, instrument: number, windowStartUs: number): string {
  return `${timeframe}/${instrument}/${windowStartUs}`;
}

function startOf(timeUs: number, timeframe: number): number {
  return timeUs - (timeUs % TIMEFRAME_US[timeframe]);
}

/** All candles of the accepted trades, in the order they were accepted. */
export function oracleCandles(
  accepted: readonly OracleTrade[],
  allowedLatenessUs: number,
  watermarkUsOf: (instrument: number) => number,
): Map<string, OracleCandle> {
  const largestTimeUs = new Map<number, number>();
  const ids = new Map<number, Set<number>>();
  const members = new Map<string, { trade: OracleTrade; lateFor: boolean[] }[]>();
  for (const trade of accepted) {
    const { instrument, timeUs } = trade;
    const earlier = largestTimeUs.get(instrument) ?? -1;
    const lateFor = TIMEFRAME_US.map((lengthUs, k) => {
      const closedUs = startOf(timeUs, k) + lengthUs + allowedLatenessUs;
      return earlier >= closedUs || (!trade.imported && trade.receiveUs >= closedUs);
    });
    largestTimeUs.set(instrument, Math.max(earlier, timeUs));
    ids.set(instrument, (ids.get(instrument) ?? new Set()).add(trade.id));
    for (let k = 0; k < TIMEFRAME_US.length; k++) {
      const key = candleKey(k, instrument, startOf(timeUs, k));
      members.set(key, [...(members.get(key) ?? []), { trade, lateFor }]);
    }
  }
  const candles = new Map<string, OracleCandle>();
  for (const [key, list] of members) {
    const [timeframe, instrument, windowStartUs] = key.split('/').map(Number);
    const seen = ids.get(instrument)!;
    const own = list.map(({ trade }) => trade.id);
    let isComplete = true;
    for (let id = Math.min(...own) - 1; id <= Math.max(...own) + 1; id++) {
      if (!seen.has(id)) isComplete = false;
    }
    const closedUs = windowStartUs + TIMEFRAME_US[timeframe] + allowedLatenessUs;
    candles.set(key, {
      timeframe,
      instrument,
      windowStartUs,
      trades: list.map(({ trade }) => trade),
      late: TIMEFRAME_US.map((_, k) => list.filter(({ lateFor }) => lateFor[k]).length),
      isFinal: watermarkUsOf(instrument) >= closedUs,
      isComplete,
    });
  }
  return candles;
}

/** A candle as record bytes. */
export function oracleBytes(candle: OracleCandle): Uint8Array {
  const { trades } = candle;
  const byTime = [...trades].sort((a, b) => a.timeUs - b.timeUs || a.id - b.id);
  const open = byTime[0];
  const close = byTime[byTime.length - 1];
  const prices = trades.map(({ price }) => price).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const ids = trades.map(({ id }) => id);
  const view = new DataView(new ArrayBuffer(176));
  const int64 = (at: number, value: bigint | number) => view.setBigInt64(at, BigInt(value), true);
  const int128 = (at: number, value: bigint) => {
    int64(at, BigInt.asIntN(64, value));
    int64(at + 8, value >> 64n);
  };
  view.setInt32(0, candle.instrument, true);
  view.setUint8(4, candle.timeframe);
  view.setUint8(5, (candle.isFinal ? 1 : 0) + (candle.isComplete ? 2 : 0));
  int64(8, candle.windowStartUs);
  int64(16, open.price);
  int64(24, open.timeUs);
  int64(32, open.id);
  int64(40, prices[prices.length - 1]);
  int64(48, prices[0]);
  int64(56, close.price);
  int64(64, close.timeUs);
  int64(72, close.id);
  int64(80, Math.min(...ids));
  int64(88, Math.max(...ids));
  int64(96, trades.length);
  int128(
    112,
    trades.reduce((sum, { quantity }) => sum + quantity, 0n),
  );
  int128(
    128,
    trades.reduce((sum, { price, quantity }) => sum + price * quantity, 0n),
  );
  for (const [k, count] of candle.late.entries()) view.setUint32(144 + 4 * k, count, true);
  return new Uint8Array(view.buffer);
}

/** Trades as a batch; `duplicate` says of each whether gold had it already. */
export function batchOf(
  trades: readonly OracleTrade[],
  duplicate: (index: number) => boolean = () => false,
): TradeBatch {
  const batch = TradeBatch.allocate(Math.max(1, trades.length));
  const { buffer } = batch.instrument;
  const int64 = (column: Int32Array, row: number, value: bigint | number) =>
    new BigInt64Array(buffer, column.byteOffset, batch.capacity).fill(BigInt(value), row, row + 1);
  for (const [row, trade] of trades.entries()) {
    batch.instrument[row] = trade.instrument;
    int64(batch.tradeId, row, trade.id);
    int64(batch.time, row, trade.timeUs);
    int64(batch.price, row, trade.price);
    int64(batch.quantity, row, trade.quantity);
    int64(batch.receiveTime, row, trade.receiveUs);
    batch.condition[row] = trade.imported ? CONDITION_IMPORTED : 0;
    batch.duplicate[row] = duplicate(row) ? 1 : 0;
  }
  batch.rows = trades.length;
  return batch;
}
