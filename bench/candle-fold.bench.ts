/**
 * What a trade costs in the candle stage: the product-accumulate alone, and the whole of
 * CandleBook.apply. Run: node dist/bench/candle-fold.bench.js
 */
import { CONDITION_IMPORTED } from '#schemas/trade';
import { storeInt64 } from '#src/base/int64';
import { addProduct } from '#src/base/int128';
import { CandleBook } from '#src/candles/candle-book';
import { allocateLiveCandles, LiveCandlesWriter } from '#src/candles/live-candles';
import { TradeBatch } from '#src/columns/trade-batch';

const INSTRUMENTS = 20;
const BATCH_ROWS = 512;
const BATCHES = 2_000;
const ROWS = BATCH_ROWS * BATCHES;
const START_US = Date.UTC(2025, 2, 4) * 1000;

const instruments = Array.from({ length: INSTRUMENTS }, (_, code) => ({
  code,
  exchange: 'BINANCE' as const,
  nativeSymbol: '',
  symbol: '',
  baseAsset: '',
  quoteAsset: '',
}));

/** A deterministic stream of trades, `gapUs` apart, instruments in turn of uneven length. */
function tradeBatches(gapUs: number, condition: number): TradeBatch[] {
  const nextId = new Float64Array(INSTRUMENTS).fill(1_000_000_000);
  let random = 1;
  let row = 0;
  return Array.from({ length: BATCHES }, () => {
    const batch = TradeBatch.allocate(BATCH_ROWS);
    for (let i = 0; i < BATCH_ROWS; i++, row++) {
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
      const instrument = (random >>> 8) % INSTRUMENTS;
      batch.instrument[i] = instrument;
      storeInt64(batch.tradeId, i, nextId[instrument]++);
      storeInt64(batch.time, i, START_US + row * gapUs);
      storeInt64(batch.receiveTime, i, START_US + row * gapUs + 50_000);
      storeInt64(batch.price, i, 9_000_000_000_000 + ((random >>> 16) % 1000) * 1_000_000);
      storeInt64(batch.quantity, i, 1_000 + (random % 200_000_000));
      batch.condition[i] = condition;
    }
    batch.rows = BATCH_ROWS;
    return batch;
  });
}

function measure(name: string, count: number, run: () => void): void {
  let bestNs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 7; round++) {
    const start = performance.now();
    run();
    bestNs = Math.min(bestNs, ((performance.now() - start) * 1e6) / count);
  }
  console.log(`${name.padEnd(52)} ${bestNs.toFixed(1).padStart(8)} ns`);
}

const [warm] = tradeBatches(1000, 0);
const sum = new Int32Array(4);
measure('addProduct, per product', ROWS, () => {
  sum.fill(0);
  for (let round = 0; round < BATCHES; round++) {
    for (let i = 0; i < 2 * BATCH_ROWS; i += 2) {
      addProduct(sum, 0, warm.price[i], warm.price[i + 1], warm.quantity[i], warm.quantity[i + 1]);
    }
  }
});

function book(): CandleBook {
  return new CandleBook({ instruments, allowedLatenessUs: 10_000_000, load: () => undefined });
}

const dense = tradeBatches(1_000, 0);
measure('CandleBook.apply, 1,000 trades/s of market time', ROWS, () => {
  const candles = book();
  for (const batch of dense) candles.apply(batch);
});

const live = new LiveCandlesWriter(allocateLiveCandles(INSTRUMENTS));
measure('the same with publish after every batch of 512', ROWS, () => {
  const candles = book();
  for (const batch of dense) {
    candles.apply(batch);
    candles.publish(live);
  }
});

measure('the same with watermark, collect and commit every 200', ROWS, () => {
  const candles = book();
  for (const [i, batch] of dense.entries()) {
    candles.apply(batch);
    if (i % 200 !== 199) continue;
    candles.watermark(0, START_US + (i + 1) * BATCH_ROWS * 1_000);
    candles.collect();
    candles.committed();
  }
});

const sparse = tradeBatches(3_000_000, CONDITION_IMPORTED);
measure('sparse import, a trade a minute and instrument', ROWS, () => {
  const candles = book();
  for (const [i, batch] of sparse.entries()) {
    candles.apply(batch);
    if (i % 200 !== 199) continue;
    candles.watermark(0, START_US + (i + 1) * BATCH_ROWS * 3_000_000);
    candles.collect();
    candles.committed();
  }
});
