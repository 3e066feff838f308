/** Makes candle records from plain values, by the layout's own words, for tests that read them. */
import { TIMEFRAME_US, TIMEFRAMES, type Timeframe } from '#schemas/timeframe';
import { CANDLE_BYTES, FLAG_COMPLETE, FLAG_FINAL } from '#src/candles/record';

export interface CandleValues {
  readonly instrument?: number;
  readonly timeframe: Timeframe;
  readonly windowStartUs: number;
  /** Prices and sums, unscaled: x 10^8, quoteVolume x 10^16. */
  readonly open: bigint;
  readonly high: bigint;
  readonly low: bigint;
  readonly close: bigint;
  readonly volume: bigint;
  readonly quoteVolume: bigint;
  readonly tradeCount: number;
  readonly firstTradeId: number;
  readonly lastTradeId: number;
  readonly late?: number;
  readonly final?: boolean;
  readonly complete?: boolean;
}

/** Byte offsets are written out as the picture in src/candles/record.ts has them. */
export function candleRecord(c: CandleValues): Uint8Array {
  const at = new DataView(new ArrayBuffer(CANDLE_BYTES));
  const timeframe = TIMEFRAMES.indexOf(c.timeframe);
  const int64 = (offset: number, value: number | bigint) =>
    at.setBigInt64(offset, BigInt(value), true);
  const int128 = (offset: number, value: bigint) => {
    at.setBigUint64(offset, BigInt.asUintN(64, value), true);
    at.setBigInt64(offset + 8, value >> 64n, true);
  };
  at.setInt32(0, c.instrument ?? 0, true);
  at.setUint8(4, timeframe);
  at.setUint8(5, (c.final ? FLAG_FINAL : 0) | (c.complete ? FLAG_COMPLETE : 0));
  int64(8, c.windowStartUs);
  int64(16, c.open);
  int64(24, c.windowStartUs);
  int64(32, c.firstTradeId);
  int64(40, c.high);
  int64(48, c.low);
  int64(56, c.close);
  int64(64, c.windowStartUs + (TIMEFRAME_US[timeframe] as number) - 1);
  int64(72, c.lastTradeId);
  int64(80, c.firstTradeId);
  int64(88, c.lastTradeId);
  int64(96, c.tradeCount);
  int128(112, c.volume);
  int128(128, c.quoteVolume);
  at.setUint32(144 + 4 * timeframe, c.late ?? 0, true);
  return new Uint8Array(at.buffer);
}
