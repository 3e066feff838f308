/**
 * The candle algebra: folding a trade into a record and merging two records.
 *
 * Both are commutative and associative, and the empty record is neutral: open and close are chosen
 * by (time, trade id), everything else is a minimum, a maximum or an exact sum. So any order and any
 * split of the same trades gives the same bytes. Only the words from `openPrice` on take part; the
 * words before them (instrument, timeframe, flags, window) say which candle it is.
 */
import { addInt64, addInt128, addProduct } from '#src/base/int128';
import { CANDLE_WORDS, WORD } from '#src/candles/record';
import type { TradeBatch } from '#src/columns/trade-batch';

/** Offsets of time and trade id from the price they belong to (open and close). */
const TIME = WORD.openTime - WORD.openPrice;
const ID = WORD.openId - WORD.openPrice;

/** Whether the int64 at a[i] is below the one at b[j]. */
function isBelow(a: Int32Array, i: number, b: Int32Array, j: number): boolean {
  const aHigh = a[i + 1];
  const bHigh = b[j + 1];
  return aHigh < bHigh || (aHigh === bHigh && a[i] >>> 0 < b[j] >>> 0);
}

function copy(to: Int32Array, i: number, from: Int32Array, j: number): void {
  to[i] = from[j];
  to[i + 1] = from[j + 1];
}

function isEqual(a: Int32Array, i: number, b: Int32Array, j: number): boolean {
  return a[i] === b[j] && a[i + 1] === b[j + 1];
}

export function isEmpty(words: Int32Array, at: number): boolean {
  return words[at + WORD.tradeCount] === 0 && words[at + WORD.tradeCount + 1] === 0;
}

/** Takes every trade out of the record, which makes it the empty candle of its window. */
export function clearTrades(words: Int32Array, at: number): void {
  for (let w = WORD.openPrice; w < CANDLE_WORDS; w++) words[at + w] = 0;
}

/**
 * Folds row `row` of `batch` into the record at `at`. Bit k of `lateMask` says that the trade came
 * after the window of timeframe k around it had closed.
 */
export function foldTrade(
  words: Int32Array,
  at: number,
  batch: TradeBatch,
  row: number,
  lateMask: number,
): void {
  const i = 2 * row;
  const { tradeId, time, price, quantity } = batch;
  if (isEmpty(words, at)) {
    setQuote(words, at + WORD.openPrice, batch, i);
    setQuote(words, at + WORD.closePrice, batch, i);
    copy(words, at + WORD.highPrice, price, i);
    copy(words, at + WORD.lowPrice, price, i);
    copy(words, at + WORD.firstTradeId, tradeId, i);
    copy(words, at + WORD.lastTradeId, tradeId, i);
  } else {
    const open = at + WORD.openPrice;
    if (
      isBelow(time, i, words, open + TIME) ||
      (isEqual(time, i, words, open + TIME) && isBelow(tradeId, i, words, open + ID))
    ) {
      setQuote(words, open, batch, i);
    }
    const close = at + WORD.closePrice;
    if (
      isBelow(words, close + TIME, time, i) ||
      (isEqual(words, close + TIME, time, i) && isBelow(words, close + ID, tradeId, i))
    ) {
      setQuote(words, close, batch, i);
    }
    const high = at + WORD.highPrice;
    if (isBelow(words, high, price, i)) copy(words, high, price, i);
    const low = at + WORD.lowPrice;
    if (isBelow(price, i, words, low)) copy(words, low, price, i);
    const first = at + WORD.firstTradeId;
    if (isBelow(tradeId, i, words, first)) copy(words, first, tradeId, i);
    const last = at + WORD.lastTradeId;
    if (isBelow(words, last, tradeId, i)) copy(words, last, tradeId, i);
  }
  const count = at + WORD.tradeCount;
  words[count]++;
  if (words[count] === 0) words[count + 1]++;
  const quantityLow = quantity[i];
  const quantityHigh = quantity[i + 1];
  addInt64(words, at + WORD.volume, quantityLow, quantityHigh);
  addProduct(words, at + WORD.quoteVolume, price[i], price[i + 1], quantityLow, quantityHigh);
  for (let k = at + WORD.late, mask = lateMask; mask !== 0; k++, mask >>>= 1) words[k] += mask & 1;
}

/** Sets an open or close to the trade whose int64s start at word i of the batch's columns. */
function setQuote(words: Int32Array, quote: number, batch: TradeBatch, i: number): void {
  copy(words, quote, batch.price, i);
  copy(words, quote + TIME, batch.time, i);
  copy(words, quote + ID, batch.tradeId, i);
}

/** Merges the record at `fromAt` of `from` into the one at `at`: the candle of both their trades. */
export function mergeRecord(words: Int32Array, at: number, from: Int32Array, fromAt: number): void {
  if (isEmpty(from, fromAt)) return;
  if (isEmpty(words, at)) {
    copyWords(words, at, from, fromAt, WORD.openPrice, CANDLE_WORDS);
    return;
  }
  if (isQuoteEarlier(from, fromAt + WORD.openPrice, words, at + WORD.openPrice)) {
    copyWords(words, at, from, fromAt, WORD.openPrice, WORD.highPrice);
  }
  if (isQuoteEarlier(words, at + WORD.closePrice, from, fromAt + WORD.closePrice)) {
    copyWords(words, at, from, fromAt, WORD.closePrice, WORD.firstTradeId);
  }
  keepLarger(words, at, from, fromAt, WORD.highPrice);
  keepSmaller(words, at, from, fromAt, WORD.lowPrice);
  keepSmaller(words, at, from, fromAt, WORD.firstTradeId);
  keepLarger(words, at, from, fromAt, WORD.lastTradeId);
  const count = at + WORD.tradeCount;
  const low = (words[count] >>> 0) + (from[fromAt + WORD.tradeCount] >>> 0);
  words[count] = low;
  words[count + 1] += from[fromAt + WORD.tradeCount + 1] + (low > 0xffff_ffff ? 1 : 0);
  addInt128(words, at + WORD.volume, from, fromAt + WORD.volume);
  addInt128(words, at + WORD.quoteVolume, from, fromAt + WORD.quoteVolume);
  for (let k = WORD.late; k < WORD.late + 6; k++) words[at + k] += from[fromAt + k];
}

function isQuoteEarlier(a: Int32Array, i: number, b: Int32Array, j: number): boolean {
  return (
    isBelow(a, i + TIME, b, j + TIME) ||
    (isEqual(a, i + TIME, b, j + TIME) && isBelow(a, i + ID, b, j + ID))
  );
}

function keepSmaller(
  words: Int32Array,
  at: number,
  from: Int32Array,
  fromAt: number,
  field: number,
): void {
  if (isBelow(from, fromAt + field, words, at + field)) {
    copy(words, at + field, from, fromAt + field);
  }
}

function keepLarger(
  words: Int32Array,
  at: number,
  from: Int32Array,
  fromAt: number,
  field: number,
): void {
  if (isBelow(words, at + field, from, fromAt + field)) {
    copy(words, at + field, from, fromAt + field);
  }
}

/** Copies fields [first, end) of a record. */
function copyWords(
  words: Int32Array,
  at: number,
  from: Int32Array,
  fromAt: number,
  first: number,
  end: number,
): void {
  for (let w = first; w < end; w++) words[at + w] = from[fromAt + w];
}
