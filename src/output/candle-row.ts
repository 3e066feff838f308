/**
 * A candle as people read it: a record (src/candles/record.ts) with its decimals as exact text.
 * The API, the command line and exports all show candles through this one row.
 */
import type { Exchange } from '#schemas/exchange';
import { formatScaled } from '#src/base/decimal';
import { assert } from '#src/base/errors';
import { CandleReader } from '#src/candles/candle-reader';
import { CANDLE_BYTES, recordWords } from '#src/candles/record';
import { isoSeconds } from '#src/output/text';

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

function readerOf(record: CandleRecord): CandleReader {
  assert(
    record.byteLength === CANDLE_BYTES,
    `a candle record of ${record.byteLength} bytes, not ${CANDLE_BYTES}`,
  );
  return new CandleReader(recordWords(record));
}

/** Start of the record's window, us since the epoch. */
export function windowStartOf(record: CandleRecord): number {
  return readerOf(record).windowStartUs;
}

export interface CandleName {
  readonly symbol: string;
  readonly exchange: Exchange;
}

export function candleRow(record: CandleRecord, { symbol, exchange }: CandleName): CandleRow {
  const candle = readerOf(record);
  return {
    symbol,
    exchange,
    window_start: isoSeconds(candle.windowStartUs),
    window_end: isoSeconds(candle.windowEndUs),
    open: formatScaled(candle.openPrice, 8),
    high: formatScaled(candle.highPrice, 8),
    low: formatScaled(candle.lowPrice, 8),
    close: formatScaled(candle.closePrice, 8),
    volume: formatScaled(candle.volume, 8),
    trade_count: candle.tradeCount,
    vwap: formatScaled(candle.vwap, 8),
    quote_volume: formatScaled(candle.quoteVolume, 16),
    first_trade_id: candle.firstTradeId,
    last_trade_id: candle.lastTradeId,
    revision: candle.revision,
    is_final: candle.isFinal,
    is_complete: candle.isComplete,
  };
}
