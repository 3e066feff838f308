/** The candle algebra: any order and any split gives the same bytes, and those the oracle says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TIMEFRAME_US, windowStartUs } from '#schemas/timeframe';
import { CandleReader } from '#src/candles/candle-reader';
import { clearTrades, foldTrade, isEmpty, mergeRecord } from '#src/candles/fold';
import { CANDLE_WORDS, recordWords, setFlags, startRecord } from '#src/candles/record';
import {
  batchOf,
  candleKey,
  type OracleTrade,
  oracleBytes,
  oracleCandles,
} from '#tests/candles/candle-oracle';
import { arbitraryTrades, distinct } from '#tests/candles/trade-arbitrary';

interface MaskedTrade {
  readonly trade: OracleTrade;
  readonly lateMask: number;
}

const DAY = TIMEFRAME_US.length - 1;

const trades = arbitraryTrades(1, 40).map(distinct);
/** Some trades of one candle, each with timeframes it is late for. */
const masked = fc
  .tuple(trades, fc.infiniteStream(fc.integer({ min: 0, max: 63 })))
  .map(([list, masks]): MaskedTrade[] =>
    list.map((trade) => ({ trade, lateMask: masks.next().value })),
  )
  .filter((list) => list.length > 0);

function fold(list: readonly MaskedTrade[], timeframe: number, startUs: number): Int32Array {
  const record = new Int32Array(CANDLE_WORDS);
  startRecord(record, 0, 0, timeframe, startUs);
  const batch = batchOf(list.map(({ trade }) => trade));
  for (const [row, { lateMask }] of list.entries()) foldTrade(record, 0, batch, row, lateMask);
  return record;
}

/** Merges records pairwise in an order that `choices` picks, until one is left. */
function mergeTree(records: Int32Array[], choices: readonly number[]): Int32Array {
  const left = [...records];
  for (let step = 0; left.length > 1; step++) {
    const choice = choices[step % choices.length] ?? 0;
    const [from] = left.splice(choice % left.length, 1);
    mergeRecord(left[(choice >>> 3) % left.length], 0, from, 0);
  }
  return left[0];
}

test('any permutation and any merge tree of any split gives identical bytes', () => {
  const choices = fc.array(fc.nat({ max: 4095 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(
      masked.chain((list) =>
        fc.tuple(
          fc.constant(list),
          fc.shuffledSubarray(list, { minLength: list.length }),
          fc.array(fc.nat({ max: 5 }), { minLength: list.length, maxLength: list.length }),
        ),
      ),
      choices,
      ([list, shuffled, parts], tree) => {
        const direct = fold(list, DAY, 0);
        assert.deepEqual(fold(shuffled, DAY, 0), direct);
        // Six parts, some of them empty.
        const records = [0, 1, 2, 3, 4, 5].map((part) =>
          fold(
            shuffled.filter((_, i) => parts[i] === part),
            DAY,
            0,
          ),
        );
        assert.deepEqual(mergeTree(records, tree), direct);
      },
    ),
  );
});

test('rolling 1m up through every timeframe equals folding directly and equals the oracle', () => {
  fc.assert(
    fc.property(masked, (list) => {
      let finer = new Map<number, Int32Array>();
      for (const [k, lengthUs] of TIMEFRAME_US.entries()) {
        const windows = new Map<number, MaskedTrade[]>();
        for (const entry of list) {
          const startUs = windowStartUs(entry.trade.timeUs, lengthUs);
          windows.set(startUs, [...(windows.get(startUs) ?? []), entry]);
        }
        const direct = new Map(
          [...windows].map(([startUs, own]) => [startUs, fold(own, k, startUs)]),
        );
        const oracle = oracleCandles(
          list.map(({ trade }) => trade),
          0,
          () => 0,
        );
        for (const [startUs, record] of direct) {
          const candle = oracle.get(candleKey(k, 0, startUs))!;
          const own = windows.get(startUs)!;
          const late = TIMEFRAME_US.map(
            (_, j) => own.filter(({ lateMask }) => (lateMask >> j) & 1).length,
          );
          setFlags(record, 0, 3);
          const expected = oracleBytes({ ...candle, late, isFinal: true, isComplete: true });
          assert.deepEqual(new Uint8Array(record.buffer), expected);
          setFlags(record, 0, 0);
        }
        if (k > 0) {
          const merged = new Map<number, Int32Array>();
          for (const [startUs, record] of finer) {
            const coarseUs = windowStartUs(startUs, lengthUs);
            if (!merged.has(coarseUs)) {
              const empty = new Int32Array(CANDLE_WORDS);
              startRecord(empty, 0, 0, k, coarseUs);
              merged.set(coarseUs, empty);
            }
            mergeRecord(merged.get(coarseUs)!, 0, record, 0);
          }
          assert.deepEqual(merged, direct);
        }
        finer = direct;
      }
    }),
  );
});

test('a candle keeps the OHLCV invariants', () => {
  fc.assert(
    fc.property(masked, fc.integer({ min: 0, max: DAY }), (list, k) => {
      const { timeUs } = list[0].trade;
      const startUs = windowStartUs(timeUs, TIMEFRAME_US[k]);
      const own = list.filter(
        ({ trade }) => windowStartUs(trade.timeUs, TIMEFRAME_US[k]) === startUs,
      );
      const candle = new CandleReader(fold(own, k, startUs));
      const { openPrice, highPrice, lowPrice, closePrice, vwap } = candle;
      for (const price of [openPrice, closePrice, vwap]) {
        assert.ok(lowPrice <= price && price <= highPrice, `${lowPrice} ${price} ${highPrice}`);
      }
      assert.ok(lowPrice > 0n);
      assert.ok(candle.volume > 0n && candle.quoteVolume > 0n);
      assert.equal(candle.tradeCount, own.length);
      assert.equal(candle.windowStartUs % TIMEFRAME_US[k], 0);
      assert.equal(candle.windowEndUs - candle.windowStartUs, TIMEFRAME_US[k]);
      assert.ok(candle.windowStartUs <= candle.openTimeUs);
      assert.ok(candle.openTimeUs <= candle.closeTimeUs);
      assert.ok(candle.closeTimeUs < candle.windowEndUs);
      assert.ok(candle.firstTradeId <= candle.lastTradeId);
      assert.ok(candle.lastTradeId - candle.firstTradeId + 1 >= candle.tradeCount);
      assert.equal(candle.revision, 1 + own.filter(({ lateMask }) => (lateMask >> k) & 1).length);
      // vwap is the nearest multiple of 10^-8, the upper one of two.
      const off = vwap * candle.volume - candle.quoteVolume;
      assert.ok(2n * off <= candle.volume && 2n * off > -candle.volume);
    }),
  );
});

test('a cleared record is the empty candle of its window', () => {
  fc.assert(
    fc.property(masked, (list) => {
      const record = fold(list, DAY, 86_400_000_000);
      assert.ok(!isEmpty(record, 0));
      clearTrades(record, 0);
      assert.ok(isEmpty(record, 0));
      assert.deepEqual(record, fold([], DAY, 86_400_000_000));
    }),
  );
});

test('records are read from bytes at any offset', () => {
  const record = fold([], DAY, 86_400_000_000);
  const bytes = new Uint8Array(record.byteLength + 1);
  bytes.set(new Uint8Array(record.buffer), 1);
  assert.deepEqual(recordWords(bytes.subarray(1)), record);
  assert.throws(() => recordWords(bytes), /no whole number/);
});
