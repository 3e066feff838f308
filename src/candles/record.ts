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
 *
 * A record is addressed by the offset `at` of its first word, always even.
 */
import { TIMEFRAME_US } from '#schemas/timeframe';
import { assert } from '#src/base/errors';
import { joinInt64, storeInt64 } from '#src/base/int64';

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

/** The words of records in bytes; copied only when the bytes do not start on a word. */
export function recordWords(bytes: Uint8Array): Int32Array {
  assert(
    bytes.byteLength % CANDLE_BYTES === 0,
    `${bytes.byteLength} bytes are no whole number of candle records`,
  );
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Int32Array(aligned.buffer, aligned.byteOffset, bytes.byteLength / 4);
}

/** Makes the record at word `at` the empty candle of a window: no trades, neutral under merge. */
export function startRecord(
  words: Int32Array,
  at: number,
  instrument: number,
  timeframe: number,
  windowStartUs: number,
): void {
  words.fill(0, at, at + CANDLE_WORDS);
  words[at + WORD.instrument] = instrument;
  words[at + WORD.timeframeAndFlags] = timeframe;
  storeInt64(words, (at + WORD.windowStart) / 2, windowStartUs);
}

/** Copies a whole record. */
export function copyRecord(words: Int32Array, at: number, from: Int32Array, fromAt: number): void {
  words.set(from.subarray(fromAt, fromAt + CANDLE_WORDS), at);
}

/** Index into TIMEFRAMES. */
export function timeframeAt(words: Int32Array, at: number): number {
  return words[at + WORD.timeframeAndFlags] & 0xff;
}

export function flagsAt(words: Int32Array, at: number): number {
  return (words[at + WORD.timeframeAndFlags] >>> 8) & 0xff;
}

export function setFlags(words: Int32Array, at: number, flags: number): void {
  words[at + WORD.timeframeAndFlags] = timeframeAt(words, at) | (flags << 8);
}

/** An int64 field (`WORD.…`) that stays below 2^53: a time, an id or a count. */
export function numberAt(words: Int32Array, at: number, field: number): number {
  return joinInt64(words[at + field], words[at + field + 1]);
}

/** Exclusive end of the record's window, us. */
export function windowEndAt(words: Int32Array, at: number): number {
  return numberAt(words, at, WORD.windowStart) + TIMEFRAME_US[timeframeAt(words, at)];
}
