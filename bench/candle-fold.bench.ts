/**
 * What a trade costs in the candle stage: the product-accumulate alone, and the whole of
 * CandleBook.apply, with what goes on around it.
 */
import { createHash } from 'node:crypto';
import { TIMEFRAMES } from '#schemas/timeframe';
import { CONDITION_IMPORTED } from '#schemas/trade';
import { storeInt64 } from '#src/base/int64';
import { addProduct } from '#src/base/int128';
import { CandleBook } from '#src/candles/candle-book';
import { allocateLiveCandles, LiveCandlesWriter } from '#src/candles/live-candles';
import { CANDLE_WORDS, numberAt, recordWords, timeframeAt, WORD } from '#src/candles/record';
import { TradeBatch } from '#src/columns/trade-batch';
import {
  type BenchContext,
  type Benchmark,
  check,
  type Figure,
  type Outcome,
} from './benchmark.js';
import { leastCpuMs } from './stopwatch.js';

const INSTRUMENTS = 20;
const BATCH_ROWS = 512;
const START_US = Date.UTC(2025, 2, 4) * 1_000;
/** Batches between two epochs. */
const EPOCH_BATCHES = 200;
const DAY = TIMEFRAMES.indexOf('1d');

const instruments = Array.from({ length: INSTRUMENTS }, (_, code) => ({
  code,
  exchange: 'BINANCE' as const,
  nativeSymbol: '',
  symbol: '',
  baseAsset: '',
  quoteAsset: '',
}));

/** A deterministic stream of trades, `gapUs` apart, instruments in turn of uneven length. */
function tradeBatches(batches: number, gapUs: number, condition: number): TradeBatch[] {
  const nextId = new Float64Array(INSTRUMENTS).fill(1_000_000_000);
  let random = 1;
  let row = 0;
  return Array.from({ length: batches }, () => {
    const batch = TradeBatch.allocate(BATCH_ROWS);
    for (let i = 0; i < BATCH_ROWS; i++, row++) {
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
      const instrument = (random >>> 8) % INSTRUMENTS;
      batch.instrument[i] = instrument;
      storeInt64(batch.tradeId, i, nextId[instrument]++);
      storeInt64(batch.time, i, START_US + row * gapUs);
      storeInt64(batch.receiveTime, i, START_US + row * gapUs + 50_000);
      storeInt64(batch.price, i, 9_000_000_000_000 + ((random >>> 16) % 1_000) * 1_000_000);
      storeInt64(batch.quantity, i, 1_000 + (random % 200_000_000));
      batch.condition[i] = condition;
    }
    batch.rows = BATCH_ROWS;
    return batch;
  });
}

function book(): CandleBook {
  return new CandleBook({ instruments, allowedLatenessUs: 10_000_000, load: () => undefined });
}

/** Trades in the daily candles of a book, and a digest of all its candles. */
function summary(candles: CandleBook): { trades: number; digest: string } {
  const bytes = candles.collect();
  const words = recordWords(bytes);
  let trades = 0;
  for (let at = 0; at < words.length; at += CANDLE_WORDS) {
    if (timeframeAt(words, at) === DAY) trades += numberAt(words, at, WORD.tradeCount);
  }
  return { trades, digest: createHash('sha256').update(bytes).digest('hex').slice(0, 16) };
}

async function run({ tiny, say }: BenchContext): Promise<Outcome> {
  const batches = tiny ? 4 : 2_000;
  const rows = batches * BATCH_ROWS;
  const passes = tiny ? 1 : 7;
  const figures: Figure[] = [];
  const measure = (name: string, work: () => void): void => {
    say(name);
    figures.push({ name, value: (leastCpuMs(passes, work) * 1e6) / rows, unit: 'ns per trade' });
  };
  const dense = tradeBatches(batches, 1_000, 0);
  const [first] = dense as [TradeBatch];
  const sum = new Int32Array(4);
  measure('exact product and sum alone', () => {
    sum.fill(0);
    for (let round = 0; round < batches; round++) {
      for (let i = 0; i < 2 * BATCH_ROWS; i += 2) {
        addProduct(
          sum,
          0,
          first.price[i],
          first.price[i + 1],
          first.quantity[i],
          first.quantity[i + 1],
        );
      }
    }
  });
  let candles = book();
  measure('1,000 trades/s of market time', () => {
    candles = book();
    for (const batch of dense) candles.apply(batch);
  });
  const { trades, digest } = summary(candles);
  check(trades === rows, `${trades} of ${rows} trades in the daily candles`);
  const live = new LiveCandlesWriter(allocateLiveCandles(INSTRUMENTS));
  measure('the same, shown live after every 512 trades', () => {
    candles = book();
    for (const batch of dense) {
      candles.apply(batch);
      candles.publish(live);
    }
  });
  check(summary(candles).digest === digest, 'showing candles live changed them');
  measure('the same, with an epoch every 100,000 trades', () => {
    candles = book();
    for (const [i, batch] of dense.entries()) {
      candles.apply(batch);
      if (i % EPOCH_BATCHES !== EPOCH_BATCHES - 1) continue;
      candles.watermark(0, START_US + (i + 1) * BATCH_ROWS * 1_000);
      candles.collect();
      candles.committed();
    }
  });
  const sparse = tradeBatches(batches, 3_000_000, CONDITION_IMPORTED);
  measure('sparse import, a trade a minute and instrument', () => {
    const imported = book();
    for (const [i, batch] of sparse.entries()) {
      imported.apply(batch);
      if (i % EPOCH_BATCHES !== EPOCH_BATCHES - 1) continue;
      imported.watermark(0, START_US + (i + 1) * BATCH_ROWS * 3_000_000);
      imported.collect();
      imported.committed();
    }
  });
  return { figures, digest };
}

export const candleFold: Benchmark = {
  name: 'candles',
  about: 'A trade into its candles of all six timeframes, on one thread.',
  run,
};
