/** What is kept of committed candles is what the store would say, at every epoch. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CommittedCandles } from '#src/api/committed-candles';
import { RowMemo } from '#src/api/row-memo';
import { candleRow } from '#src/output/candle-row';
import { TRX } from '#tests/api/instruments';
import { candleRecord } from '#tests/output/candle-record';

const MINUTE_US = 60_000_000;

function record(minute: number, volume: number): Uint8Array {
  const price = BigInt(volume);
  return candleRecord({
    timeframe: '1m',
    windowStartUs: minute * MINUTE_US,
    open: price,
    high: price,
    low: price,
    close: price,
    volume: price,
    quoteVolume: price * price,
    tradeCount: 1,
    firstTradeId: 1,
    lastTradeId: 1,
  });
}

test('kept candles are those of the store, whoever asked for how many before', () => {
  const step = fc.oneof(
    fc.record({ commit: fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 40 }) }),
    fc.record({
      instrument: fc.integer({ min: 0, max: 2 }),
      limit: fc.integer({ min: 0, max: 300 }),
      fromMinute: fc.constantFrom(0, 0, 0, 20),
      descending: fc.constantFrom(true, true, false),
    }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const series = [0, 1, 2].map(() => new Map<number, number>());
      let epoch = 0;
      let scanned = 0;
      const store = {
        epochBytes: () => Buffer.from(`{"epoch":${epoch}}`),
        *candles(
          _timeframe: number,
          instrument: number,
          fromUs: number,
          toUs: number,
          { descending }: { readonly descending: boolean },
        ) {
          const there = [...(series[instrument] as Map<number, number>)]
            .filter(([minute]) => minute * MINUTE_US >= fromUs && minute * MINUTE_US < toUs)
            .sort(([a], [b]) => (descending ? b - a : a - b));
          for (const [minute, volume] of there) {
            scanned++;
            yield record(minute, volume);
          }
        },
      };
      const kept = new CommittedCandles(store);
      const take = (records: Iterable<Uint8Array>, limit: number): string[] => {
        const taken: string[] = [];
        if (limit === 0) return taken;
        for (const one of records) {
          taken.push(Buffer.from(one).toString('hex'));
          if (taken.length === limit) break;
        }
        return taken;
      };
      for (const one of steps) {
        if ('commit' in one) {
          epoch++;
          for (const minute of one.commit) series[minute % 3]?.set(minute, epoch);
          continue;
        }
        const { instrument, limit, fromMinute, descending } = one;
        const fromUs = fromMinute * MINUTE_US;
        const range = [instrument, fromUs, Number.MAX_SAFE_INTEGER] as const;
        const wanted = take(store.candles(0, ...range, { descending }), limit);
        assert.deepEqual(take(kept.read('1m', ...range, descending), limit), wanted);
        if (!descending || fromMinute > 0 || limit > 128) continue;
        scanned = 0;
        assert.deepEqual(take(kept.read('1m', ...range, true), limit), wanted);
        assert.equal(scanned, 0, 'the same question is answered from memory');
      }
    }),
    { numRuns: 300 },
  );
});

test('a row is made again when its candle changed, and only then', () => {
  const change = fc.record({
    minute: fc.integer({ min: 0, max: 5 }),
    volume: fc.integer({ min: 1, max: 3 }),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const memo = new RowMemo();
      const last = new Map<number, { volume: number; row: unknown }>();
      const words = new Uint8Array(176); // one buffer for all, as readers have it
      for (const { minute, volume } of changes) {
        words.set(record(minute, volume));
        const row = memo.row(words, TRX);
        assert.deepEqual(row, candleRow(words, TRX));
        const before = last.get(minute);
        assert.equal(before?.row === row, before?.volume === volume);
        last.set(minute, { volume, row });
      }
    }),
    { numRuns: 300 },
  );
});
