/**
 * A candle record: 176 bytes, the same in memory, in the state store and on its way to Parquet.
 *
 *   byte 0   int32   instrument          byte  80  int64   first_trade_id (smallest)
 *        4   uint8   timeframe index           88  int64   last_trade_id (largest)
 *        5   uint8   flags                     96  int64   trade_count
 *        6           (zero)                   104          (zero)
 *        8   int64   window_start us          112  int128  volume x 10^8
 *       16   int64   open_price x 10^8        128  int128  quote_volume x 10^16
 *       24   int64   open time us             144  uint32  late[6]
 *       32   int64   open trade id            168          (zero)
 *       40   int64   high_price x 10^8
 *       48   int64   low_price x 10^8
 *       56   int64   close_price x 10^8
 *       64   int64   close time us
 *       72   int64   close trade id
 *
 * All little-endian; int128 is Arrow's Decimal128. Open and close carry their (time, trade id), which
 * is what makes records mergeable in any order. `late[k]` counts the trades that arrived after the
 * window of timeframe k around them had closed and the allowed lateness had passed; it is kept for
 * every timeframe because 5m to 1d are merges of 1m. revision = 1 + late[own timeframe].
 */
export const CANDLE_BYTES = 176;
export const CANDLE_WORDS = CANDLE_BYTES / 4;

/** Offsets in 32-bit words. */
export const WORD = {
  instrument: 0,
  timeframeAndFlags: 1,
  windowStart: 2,
  openPrice: 4,
  openTime: 6,
  openId: 8,
  highPrice: 10,
  lowPrice: 12,
  closePrice: 14,
  closeTime: 16,
  closeId: 18,
  firstTradeId: 20,
  lastTradeId: 22,
  tradeCount: 24,
  volume: 28,
  quoteVolume: 32,
  late: 36,
} as const;

/** Bits of the flags byte (bits 8 and up of word 1). */
export const FLAG_FINAL = 1;
export const FLAG_COMPLETE = 2;
