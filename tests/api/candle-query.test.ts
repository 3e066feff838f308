/** Reading the parameters of a candle request: what is taken, and the sentence for what is not. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LIMIT_DEFAULT, LIMIT_MAX } from '#src/api/candle-query';
import { Problem } from '#src/api/problem';
import { BTC_COINBASE, INSTRUMENTS, TRX } from '#tests/api/instruments';
import { candleQuery } from '#tests/support/candle-query';

const DAY_US = 86_400_000_000;
const MARCH_4_US = Date.UTC(2025, 2, 4) * 1000;

function ask(query: Record<string, unknown>, timeframe = '5m') {
  return candleQuery(INSTRUMENTS, timeframe, query);
}

describe('a candle query', () => {
  it('needs a symbol only: the newest candles', () => {
    const range = ask({ symbol: 'TRXUSDT' });
    assert.equal(range.instrument, TRX);
    assert.equal(range.limit, LIMIT_DEFAULT);
    assert.equal(range.which, 'last');
    assert.equal(range.fromUs, 0);
    assert.ok(range.toUs > 200 * 365 * DAY_US);
  });

  it('takes the exchange where a symbol is on several', () => {
    assert.equal(ask({ symbol: 'BTCUSD', exchange: 'COINBASE' }).instrument, BTC_COINBASE);
  });

  it('takes times in every spelling', () => {
    const same = [
      '2025-03-04',
      '2025-03-04T00:00',
      '2025-03-04T00:00Z',
      '2025-03-04T00:00:00',
      '2025-03-04T00:00:00.000Z',
      '2025-03-04T02:00:00+02:00',
      String(MARCH_4_US / 1000),
    ];
    for (const start of same) {
      const range = ask({ symbol: 'TRXUSDT', start, end: '2025-03-05' });
      assert.deepEqual([range.fromUs, range.toUs], [MARCH_4_US, MARCH_4_US + DAY_US], start);
      assert.equal(range.which, 'first');
    }
  });

  it('takes every time as it was written', () => {
    const time = fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true });
    fc.assert(
      fc.property(time, (date) => {
        const start = date.toISOString();
        const wantUs = Math.min(date.getTime() * 1000, Number.MAX_SAFE_INTEGER);
        assert.equal(ask({ symbol: 'TRXUSDT', start }).fromUs, wantUs);
        const inMs = String(date.getTime());
        assert.equal(ask({ symbol: 'TRXUSDT', start: inMs }).fromUs, wantUs);
      }),
    );
  });

  const times = 'a time as ISO 8601 (2025-03-04T00:00:00Z) or in milliseconds since 1970';
  const cases: readonly [query: Record<string, unknown>, message: string, timeframe?: string][] = [
    [{ symbol: 'TRXUSDT' }, 'timeframe must be one of 1m, 5m, 15m, 30m, 1h, 1d, got "2m"', '2m'],
    [{}, 'symbol is missing; it must be one of the symbols: GET /v1/symbols lists them'],
    [
      { symbol: 'NOPE' },
      'symbol must be one of the symbols, got "NOPE": GET /v1/symbols lists them',
    ],
    [
      { symbol: 'BTCUSD', exchange: 'BINANCE' },
      'symbol must be one of the symbols on BINANCE, got "BTCUSD": GET /v1/symbols lists them',
    ],
    [
      { symbol: 'BTCUSD' },
      'exchange is missing; BTCUSD is on several exchanges: one of KRAKEN, COINBASE',
    ],
    [
      { symbol: 'BTCUSD', exchange: 'kraken' },
      'exchange must be one of BINANCE, KRAKEN, COINBASE, got "kraken"',
    ],
    [
      { symbol: 'TRXUSDT', interval: '5m' },
      '"interval" is not a parameter; allowed: symbol, exchange, start, end, limit, fill',
    ],
    [{ symbol: ['TRXUSDT', 'TRXUSDT'] }, 'symbol must be given once'],
    [{ symbol: 'TRXUSDT', start: '2025-03-05', end: '2025-03-04' }, 'start must not be after end'],
    ...['yesterday', '2025-02-30', '2025-13-01', '2025-03-04T25:00', '-1', '1e9', '', ' 1'].map(
      (end) =>
        [{ symbol: 'TRXUSDT', end }, `end must be ${times}, got "${end}"`] as [
          Record<string, unknown>,
          string,
        ],
    ),
    ...['0', '-1', '10001', '1.5', 'all', ''].map(
      (limit) =>
        [
          { symbol: 'TRXUSDT', limit },
          `limit must be an integer from 1 to ${LIMIT_MAX}, got "${limit}"`,
        ] as [Record<string, unknown>, string],
    ),
  ];
  for (const [query, message, timeframe] of cases) {
    it(`refuses ${JSON.stringify(query)} ${timeframe ?? ''}`, () => {
      assert.throws(() => ask(query, timeframe), { name: 'Problem', status: 400, message });
    });
  }

  it('takes the limit itself', () => {
    assert.equal(ask({ symbol: 'TRXUSDT', limit: String(LIMIT_MAX) }).limit, LIMIT_MAX);
    assert.equal(ask({ symbol: 'TRXUSDT', limit: '1' }).limit, 1);
  });

  it('any text is taken or refused with a sentence of bounded length', () => {
    const name = fc.constantFrom('symbol', 'exchange', 'start', 'end', 'limit');
    fc.assert(
      fc.property(name, fc.string({ unit: 'binary', maxLength: 5000 }), (parameter, text) => {
        try {
          ask({ symbol: 'TRXUSDT', [parameter]: text });
        } catch (error) {
          assert.ok(error instanceof Problem, String(error));
          assert.ok(error.message.length < 500, error.message);
        }
      }),
    );
  });
});
