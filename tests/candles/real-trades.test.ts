/** 10,000 recorded Binance trades give Binance's own 5m candles, to the last digit. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { recordedData } from '#bench/captures';
import { TIMEFRAME_US } from '#schemas/timeframe';
import { CandleBook } from '#src/candles/candle-book';
import { CandleReader } from '#src/candles/candle-reader';
import { recordWords } from '#src/candles/record';
import { gapTotals } from '#src/trades/gaps';
import { IntervalSet } from '#src/trades/interval-set';
import { batchOf, type OracleTrade } from '#tests/candles/candle-oracle';

/** Rows of a CSV file as objects by column name. */
function csvRows(path: string): Record<string, string>[] {
  const [header, ...lines] = readFileSync(path, 'utf8').trim().split(/\r?\n/);
  const names = header.split(',');
  return lines.map((line) => Object.fromEntries(line.split(',').map((v, i) => [names[i], v])));
}

/** A decimal text x 10^8. */
function e8(text: string): bigint {
  const [whole, fraction = ''] = text.split('.');
  return BigInt(whole + fraction.padEnd(8, '0'));
}

test('TRXUSDT, 2025-03-04', (t) => {
  const tradesFile = recordedData('binance-trxusdt-2025-03-04/trades.csv');
  const klinesFile = recordedData('binance-trxusdt-2025-03-04/klines-5m.csv');
  if (tradesFile === undefined || klinesFile === undefined) {
    t.skip('the recorded TRXUSDT trades are not on this machine');
    return;
  }
  const trades = csvRows(tradesFile).map(
    (row): OracleTrade => ({
      instrument: 0,
      id: Number(row.TradeId),
      timeUs: Number(row.TransactionTime),
      receiveUs: Number(row.TimestampOfReceive),
      price: e8(row.Price),
      quantity: e8(row.Quantity),
      imported: true,
    }),
  );
  const klines = csvRows(klinesFile);

  const set = new IntervalSet();
  for (const { id, timeUs } of trades) assert.ok(set.add(id, timeUs));
  assert.equal(set.idsCount, 10_000);
  assert.deepEqual([set.intervalCount, set.lo(0), set.hi(0)], [1, 348_656_870, 348_666_869]);
  assert.deepEqual(gapTotals(set), { gaps: 0, missing: 0 });

  const book = new CandleBook({
    instruments: [
      {
        code: 0,
        exchange: 'BINANCE',
        nativeSymbol: 'TRXUSDT',
        symbol: 'TRXUSDT',
        baseAsset: 'TRX',
        quoteAsset: 'USDT',
      },
    ],
    allowedLatenessUs: 10_000_000,
    load: () => undefined,
  });
  // Out of order, and in batches of odd sizes: the candles do not care.
  for (let first = 9_700; first >= 0; first -= 97) {
    book.apply(batchOf(trades.slice(first, first + 97)));
  }
  book.apply(batchOf(trades.slice(9_797)));
  book.watermark(0, trades.at(-1)!.receiveUs);
  const candles = new CandleReader(recordWords(book.collect()));

  let count1d = 0;
  const fiveMinutes: { start: number; candle: bigint[]; isComplete: boolean; isFinal: boolean }[] =
    [];
  for (let i = 0; i < candles.count; i++) {
    const candle = candles.move(i);
    if (TIMEFRAME_US[candle.timeframe] === 86_400_000_000) count1d += candle.tradeCount;
    if (TIMEFRAME_US[candle.timeframe] !== 300_000_000) continue;
    const { openPrice, highPrice, lowPrice, closePrice, volume } = candle;
    fiveMinutes.push({
      start: candle.windowStartUs / 1000,
      candle: [openPrice, highPrice, lowPrice, closePrice, volume],
      isComplete: candle.isComplete,
      isFinal: candle.isFinal,
    });
  }
  assert.equal(count1d, 10_000);
  assert.equal(klines.length, 9);
  assert.deepEqual(
    fiveMinutes.slice(0, 9),
    klines.map((kline, i) => ({
      start: Number(kline.open_time_ms),
      candle: ['open', 'high', 'low', 'close', 'volume'].map((name) => e8(kline[name])),
      // The recording starts in the first one: the trade before it is unknown.
      isComplete: i > 0,
      isFinal: true,
    })),
  );
  // The last one was still running.
  assert.equal(fiveMinutes.length, 10);
  assert.deepEqual([fiveMinutes[9].isComplete, fiveMinutes[9].isFinal], [false, false]);
});
