/** Shared memory as the pipeline fills it, for tests of who reads it. */
import type { Instrument } from '#schemas/instrument';
import { TIMEFRAME_US, TIMEFRAMES, type Timeframe } from '#schemas/timeframe';
import { storeInt64 } from '#src/base/int64';
import {
  allocateLiveCandles,
  LiveCandlesReader,
  LiveCandlesWriter,
} from '#src/candles/live-candles';
import { CANDLE_BYTES, CANDLE_WORDS, startRecord, WORD } from '#src/candles/record';
import { TradeBatch } from '#src/columns/trade-batch';
import { type CandleRow, candleRow } from '#src/output/candle-row';
import type { StreamSources } from '#src/push/topics';
import { allocateLiveTrades, LiveTradesReader, LiveTradesWriter } from '#src/trades/live-trades';

const WINDOWS = 8;
const ROWS = 256;

export class Board {
  readonly sources: StreamSources;
  readonly #candles: LiveCandlesWriter;
  readonly #trades: LiveTradesWriter;
  readonly #batch = TradeBatch.allocate(ROWS);
  #frames = 0;

  constructor(instruments: number) {
    const candles = allocateLiveCandles(instruments, WINDOWS);
    const trades = allocateLiveTrades(instruments);
    this.#candles = new LiveCandlesWriter(candles);
    this.#trades = new LiveTradesWriter(trades);
    const live = new LiveCandlesReader(candles);
    this.sources = {
      live,
      liveTrades: new LiveTradesReader(trades),
      newest: (timeframe, instrument, limit) => {
        const into = new Int32Array(WINDOWS * CANDLE_WORDS);
        const index = TIMEFRAMES.indexOf(timeframe);
        const count = live.range(instrument.code, index, 0, Number.MAX_SAFE_INTEGER, into);
        return rows(into, count, instrument).slice(-limit);
      },
    };
  }

  /** Publishes the candle of a window, counted from 1970; `version` shows in its volume. */
  candle(instrument: number, timeframe: Timeframe, window: number, version: number): void {
    const index = TIMEFRAMES.indexOf(timeframe);
    const record = new Int32Array(CANDLE_WORDS);
    startRecord(record, 0, instrument, index, window * TIMEFRAME_US[index]);
    storeInt64(record, WORD.tradeCount / 2, 1);
    record[WORD.volume] = version;
    this.#candles.publish(record, 0);
  }

  /** Shows `count` trades with ids that go on from `firstId`. */
  trades(instrument: number, firstId: number, count: number): void {
    const batch = this.#batch;
    for (let row = 0; row < count; row++) {
      batch.instrument[row] = instrument;
      batch.duplicate[row] = 0;
      batch.side[row] = row & 1;
      batch.frameIndex[row] = 0;
      storeInt64(batch.frameSequence, row, this.#frames++);
      storeInt64(batch.tradeId, row, firstId + row);
      storeInt64(batch.time, row, 1_741_046_400_000_000 + row);
      storeInt64(batch.receiveTime, row, 1_741_046_400_100_000 + row);
      storeInt64(batch.price, row, 9_012_345_678_901_234);
      storeInt64(batch.quantity, row, 1);
    }
    this.#trades.publish(batch, count);
  }
}

function rows(words: Int32Array, count: number, instrument: Instrument): CandleRow[] {
  return Array.from({ length: count }, (_, i) =>
    candleRow(new Uint8Array(words.buffer, i * CANDLE_BYTES, CANDLE_BYTES), instrument),
  );
}
