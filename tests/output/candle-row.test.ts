/** Candle records as rows: exact digits, the exact columns, and vwap against its definition. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { TIMEFRAME_US, TIMEFRAMES } from '#schemas/timeframe';
import { CANDLE_COLUMNS } from '#src/output/candle-columns';
import { candleRow, windowStartOf } from '#src/output/candle-row';
import { isoSeconds } from '#src/output/text';
import { candleRecord } from '#tests/output/candle-record';
import { formatted } from '#tests/output/formatted';

const NAME = { symbol: 'TRXUSDT', exchange: 'BINANCE' } as const;

describe('candleRow', () => {
  const record = candleRecord({
    timeframe: '5m',
    windowStartUs: Date.UTC(2025, 2, 4) * 1000,
    open: 23_120_000n,
    high: 23_130_000n,
    low: 23_040_000n,
    close: 23_050_000n,
    volume: 345_954_920_000_000n,
    quoteVolume: 7_987_654_321_098_765_432_109n,
    tradeCount: 1234,
    firstTradeId: 348_656_870,
    lastTradeId: 348_658_103,
    late: 2,
    final: true,
  });

  it('gives every value exactly', () => {
    assert.deepEqual(candleRow(record, NAME), {
      symbol: 'TRXUSDT',
      exchange: 'BINANCE',
      window_start: '2025-03-04T00:00:00Z',
      window_end: '2025-03-04T00:05:00Z',
      open: '0.23120000',
      high: '0.23130000',
      low: '0.23040000',
      close: '0.23050000',
      volume: '3459549.20000000',
      trade_count: 1234,
      vwap: '0.23088714',
      quote_volume: '798765.4321098765432109',
      first_trade_id: 348_656_870,
      last_trade_id: 348_658_103,
      revision: 3,
      is_final: true,
      is_complete: false,
    });
  });

  it('prints the agreed CSV', () => {
    const csv = formatted('csv', CANDLE_COLUMNS, [candleRow(record, NAME)]);
    assert.equal(
      csv,
      'window_start,open,high,low,close,volume,trade_count,vwap,quote_volume,first_trade_id,last_trade_id,revision,is_final,is_complete\n' +
        '2025-03-04T00:00:00Z,0.23120000,0.23130000,0.23040000,0.23050000,3459549.20000000,1234,0.23088714,798765.4321098765432109,348656870,348658103,3,true,false\n',
    );
  });

  it('reads a record at any alignment and refuses any other size', () => {
    const shifted = new Uint8Array(record.length + 8);
    shifted.set(record, 3);
    const unaligned = shifted.subarray(3, 3 + record.length);
    assert.deepEqual(candleRow(unaligned, NAME), candleRow(record, NAME));
    assert.throws(() => candleRow(shifted, NAME), /a candle record of 184 bytes/);
  });

  it('gives back whatever a record holds, for every timeframe', () => {
    const price = fc.bigInt({ min: 1n, max: 10n ** 18n - 1n });
    const values = fc.record({
      timeframe: fc.constantFrom(...TIMEFRAMES),
      windowIndex: fc.integer({ min: 0, max: 20_000 }),
      open: price,
      high: price,
      low: price,
      close: price,
      volume: fc.bigInt({ min: 1n, max: 10n ** 38n - 1n }),
      quoteVolume: fc.bigInt({ min: 1n, max: 10n ** 38n - 1n }),
      tradeCount: fc.maxSafeNat(),
      firstTradeId: fc.maxSafeNat(),
      lastTradeId: fc.maxSafeNat(),
      late: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      final: fc.boolean(),
      complete: fc.boolean(),
    });
    const unscaled = (text: string): bigint => BigInt(text.replace('.', ''));
    fc.assert(
      fc.property(values, (v) => {
        const lengthUs = TIMEFRAME_US[TIMEFRAMES.indexOf(v.timeframe)] as number;
        const windowStartUs = v.windowIndex * lengthUs;
        const bytes = candleRecord({ ...v, windowStartUs });
        const row = candleRow(bytes, NAME);
        assert.equal(windowStartOf(bytes), windowStartUs);
        assert.equal(Date.parse(row.window_start), windowStartUs / 1000);
        assert.equal(Date.parse(row.window_end), (windowStartUs + lengthUs) / 1000);
        for (const name of ['open', 'high', 'low', 'close', 'volume'] as const) {
          assert.equal(unscaled(row[name]), v[name]);
          assert.equal(row[name].split('.')[1]?.length, 8);
        }
        assert.equal(unscaled(row.quote_volume), v.quoteVolume);
        assert.equal(row.quote_volume.split('.')[1]?.length, 16);
        assert.equal(row.trade_count, v.tradeCount);
        assert.equal(row.first_trade_id, v.firstTradeId);
        assert.equal(row.last_trade_id, v.lastTradeId);
        assert.equal(row.revision, v.late + 1);
        assert.equal(row.is_final, v.final);
        assert.equal(row.is_complete, v.complete);
      }),
    );
  });
});

it('times', () => {
  assert.equal(isoSeconds(0), '1970-01-01T00:00:00Z');
  assert.throws(() => isoSeconds(1), /not a whole second/);
});
