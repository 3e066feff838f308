/** What the state tests start from: candle records, epochs, files. */
import { candleTable } from '#schemas/candle';
import { storeInt64 } from '#src/base/int64';
import { CANDLE_BYTES, CANDLE_WORDS, WORD } from '#src/candles/record';
import { NO_METRICS, type StagedFile } from '#src/lake/staged-file';
import type { EpochCommit } from '#src/state/epoch-record';
import type { ConfiguredInstrument } from '#src/state/instrument-registry';

export const MINUTE_US = 60_000_000;
export const CREATED_US = 1_795_000_000_000_000;

export function candleRecord(
  timeframe: number,
  instrument: number,
  windowStartUs: number,
  flags: number,
  tradeCount = 1,
): Uint8Array {
  const words = new Int32Array(CANDLE_WORDS);
  words[WORD.instrument] = instrument;
  words[WORD.timeframeAndFlags] = timeframe | (flags << 8);
  storeInt64(words, WORD.windowStart / 2, windowStartUs);
  storeInt64(words, WORD.tradeCount / 2, tradeCount);
  return new Uint8Array(words.buffer);
}

export function concatenate(records: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(records.length * CANDLE_BYTES);
  records.forEach((record, i) => {
    all.set(record, i * CANDLE_BYTES);
  });
  return all;
}

export const INSTRUMENTS: readonly ConfiguredInstrument[] = [
  {
    exchange: 'BINANCE',
    nativeSymbol: 'BTCUSDT',
    symbol: 'BTCUSDT',
    baseAsset: 'BTC',
    quoteAsset: 'USDT',
  },
  {
    exchange: 'KRAKEN',
    nativeSymbol: 'BTC/USD',
    symbol: 'BTCUSD',
    baseAsset: 'BTC',
    quoteAsset: 'USD',
  },
];

export function stagedFile(table: string, partition: string, name: string): StagedFile {
  return {
    table,
    partition,
    path: `${table}/data/${partition}/${name}.parquet`,
    rows: 1,
    bytes: 100,
    sha256: 'ab'.repeat(32),
    metrics: NO_METRICS,
  };
}

/** Epoch n whose every figure is a function of n, so that a reopened store can be checked. */
export function epochCommit(n: number, changes: Partial<EpochCommit> = {}): EpochCommit {
  return {
    epoch: n,
    committedUs: CREATED_US + n,
    progress: [
      {
        exchange: 'BINANCE',
        nextSequence: 10 * n,
        watermarkUs: CREATED_US + n,
        frames: 10 * n,
        control: n,
        valid: 8 * n,
        deadLetters: n,
      },
    ],
    gold: [{ exchange: 'BINANCE', trades: 7 * n, duplicates: n }],
    bronze: [{ exchange: 'BINANCE', nextSequence: 9 * n }],
    instruments: [
      { instrument: 0, intervals: Uint8Array.from({ length: 16 * n }, (_, i) => i + n) },
    ],
    candles: concatenate([
      candleRecord(0, 0, n * MINUTE_US, 0, n),
      candleRecord(0, 0, (n - 1) * MINUTE_US, 3, n),
    ]),
    files: [
      stagedFile('gold_crypto_trades', `exchange_date=2026-11-23/exchange_hour=0${n % 10}`, `${n}`),
      stagedFile(candleTable('1m'), 'window_date=2026-11-23', `candles-${n}`),
    ],
    ...changes,
  };
}
