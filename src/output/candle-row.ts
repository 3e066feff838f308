/**
 * A candle as people read it: a record (src/candles/record.ts) with its decimals as exact text.
 * The API, the command line and exports all show candles through this one row.
 */
import type { Exchange } from '#schemas/exchange';
import { TIMEFRAME_US } from '#schemas/timeframe';
import { assert } from '#src/base/errors';
import { CANDLE_BYTES, FLAG_COMPLETE, FLAG_FINAL, WORD } from '#src/candles/record';
import { decimalText, isoSeconds } from '#src/output/text';

/** A type, not an interface, so that a row is also a plain record of named values. */
export type CandleRow = {
  readonly symbol: string;
  readonly exchange: Exchange;
  /** `2025-03-04T00:00:00Z`. */
  readonly window_start: string;
  readonly window_end: string;
  /** Prices, volume and vwap with 8 decimals, quote_volume with 16. */
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
  readonly volume: string;
  readonly trade_count: number;
  readonly vwap: string;
  readonly quote_volume: string;
  readonly first_trade_id: number;
  readonly last_trade_id: number;
  readonly revision: number;
  readonly is_final: boolean;
  readonly is_complete: boolean;
};

/** One record: CANDLE_BYTES bytes, at any alignment, in shared memory or not. */
export type CandleRecord = Uint8Array;

/** quote_volume / volume rounded half up to 8 decimals; both are positive in a candle. */
export function vwapE8(quoteVolumeE16: bigint, volumeE8: bigint): bigint {
  return (2n * quoteVolumeE16 + volumeE8) / (2n * volumeE8);
}

function view(record: CandleRecord): DataView {
  assert(
    record.byteLength === CANDLE_BYTES,
    `a candle record of ${record.byteLength} bytes, not ${CANDLE_BYTES}`,
  );
  return new DataView(record.buffer, record.byteOffset, CANDLE_BYTES);
}

function int64(at: DataView, word: number): bigint {
  return at.getBigInt64(4 * word, true);
}

function int128(at: DataView, word: number): bigint {
  return (at.getBigInt64(4 * word + 8, true) << 64n) | at.getBigUint64(4 * word, true);
}

/** Start of the record's window, us since the epoch. */
export function windowStartOf(record: CandleRecord): number {
  return Number(int64(view(record), WORD.windowStart));
}

export interface CandleName {
  readonly symbol: string;
  readonly exchange: Exchange;
}

export function candleRow(record: CandleRecord, { symbol, exchange }: CandleName): CandleRow {
  const at = view(record);
  const price = (word: number): string => decimalText(int64(at, word), 8);
  const integer = (word: number): number => Number(int64(at, word));
  const timeframe = at.getUint8(4 * WORD.timeframeAndFlags);
  const flags = at.getUint8(4 * WORD.timeframeAndFlags + 1);
  const lengthUs = TIMEFRAME_US[timeframe];
  assert(lengthUs !== undefined, `a candle record with timeframe index ${timeframe}`);
  const startUs = integer(WORD.windowStart);
  const volume = int128(at, WORD.volume);
  const quoteVolume = int128(at, WORD.quoteVolume);
  assert(volume > 0n, `a candle record of ${symbol} at ${startUs} with volume ${volume}`);
  return {
    symbol,
    exchange,
    window_start: isoSeconds(startUs),
    window_end: isoSeconds(startUs + lengthUs),
    open: price(WORD.openPrice),
    high: price(WORD.highPrice),
    low: price(WORD.lowPrice),
    close: price(WORD.closePrice),
    volume: decimalText(volume, 8),
    trade_count: integer(WORD.tradeCount),
    vwap: decimalText(vwapE8(quoteVolume, volume), 8),
    quote_volume: decimalText(quoteVolume, 16),
    first_trade_id: integer(WORD.firstTradeId),
    last_trade_id: integer(WORD.lastTradeId),
    revision: 1 + at.getUint32(4 * (WORD.late + timeframe), true),
    is_final: (flags & FLAG_FINAL) !== 0,
    is_complete: (flags & FLAG_COMPLETE) !== 0,
  };
}
