/** Committed and live candles as one sequence, against a model that just uses a map. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type CandleReaders, mergedCandles } from '#src/api/candle-source';
import { TRX } from '#tests/api/instruments';
import { candleRecord } from '#tests/output/candle-record';

const MINUTE_US = 60_000_000;

/** Live candles have even trade counts, committed ones odd, so each row tells where it is from. */
function record(minute: number, tradeCount: number): Uint8Array {
  return candleRecord({
    timeframe: '1m',
    windowStartUs: minute * MINUTE_US,
    open: 1n,
    high: 1n,
    low: 1n,
    close: 1n,
    volume: 1n,
    quoteVolume: 1n,
    tradeCount,
    firstTradeId: 1,
    lastTradeId: 1,
  });
}

function readers(committed: readonly number[], live: readonly number[]) {
  let asked = 0;
  const within = (fromUs: number, toUs: number) => (minute: number) =>
    minute * MINUTE_US >= fromUs && minute * MINUTE_US < toUs;
  const fake: CandleReaders = {
    *committed(_timeframe, _instrument, fromUs, toUs, descending) {
      const minutes = [...committed].sort((a, b) => (descending ? b - a : a - b));
      for (const minute of minutes.filter(within(fromUs, toUs))) {
        asked++;
        yield record(minute, 1);
      }
    },
    live: (_timeframe, _instrument, fromUs, toUs, descending, limit) =>
      live
        .filter(within(fromUs, toUs))
        .sort((a, b) => (descending ? b - a : a - b))
        .slice(0, limit)
        .map((minute) => record(minute, 2)),
  };
  return { fake, asked: () => asked };
}

describe('mergedCandles', () => {
  it('gives each window once, oldest first, the live one of two', async () => {
    const minutes = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 40 });
    const range = fc.record({
      from: fc.integer({ min: 0, max: 60 }),
      to: fc.integer({ min: 0, max: 61 }),
      limit: fc.integer({ min: 0, max: 50 }),
      which: fc.constantFrom('first', 'last'),
    });
    await fc.assert(
      fc.asyncProperty(minutes, minutes, range, async (committed, live, r) => {
        const model = new Map(committed.map((minute) => [minute, 1]));
        for (const minute of live) model.set(minute, 2);
        const all = [...model]
          .filter(([minute]) => minute >= r.from && minute < r.to)
          .sort(([a], [b]) => a - b);
        const want = r.which === 'first' ? all.slice(0, r.limit) : all.slice(-r.limit || Infinity);
        const rows = await mergedCandles(readers(committed, live).fake).candles({
          timeframe: '1m',
          instrument: TRX,
          fromUs: r.from * MINUTE_US,
          toUs: r.to * MINUTE_US,
          limit: r.limit,
          which: r.which,
        });
        assert.deepEqual(
          rows.map((row) => [Date.parse(row.window_start) / 60_000, row.trade_count]),
          want,
        );
      }),
      { numRuns: 500 },
    );
  });

  it('reads no further than it has to', async () => {
    const committed = Array.from({ length: 1000 }, (_, i) => i);
    for (const which of ['first', 'last'] as const) {
      const { fake, asked } = readers(committed, [998, 999, 1000]);
      const rows = await mergedCandles(fake).candles({
        timeframe: '1m',
        instrument: TRX,
        fromUs: 0,
        toUs: 2000 * MINUTE_US,
        limit: 5,
        which,
      });
      assert.equal(rows.length, 5);
      assert.ok(asked() <= 6, `${asked()} records read`);
    }
  });
});
