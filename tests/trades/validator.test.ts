import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EXCHANGES, type Exchange } from '#schemas/exchange';
import { createFrameParser } from '#src/exchanges/frame-parsers';
import { KIND_CSV, KIND_IMPORT, KIND_REPLAY, KIND_REST, KIND_WS } from '#src/log/frame';
import type { RuleLimits } from '#src/trades/rules';
import { Validator } from '#src/trades/validator';
import { INSTRUMENTS } from '#tests/support/instruments';
import { verdict } from '../exchanges/rows.js';

const DAY_US = 86_400 * 1e6;
const RECEIVED_US = Date.UTC(2026, 6, 8) * 1000;

/** A frame of one trade at `timeUs` from each exchange, good but for its time. */
const FRAMES: Readonly<Record<Exchange, (timeUs: number, price?: string) => string>> = {
  BINANCE: (timeUs, price = '1.5') =>
    `{"e":"trade","E":${timeUs},"s":"BTCUSDT","t":7,"p":"${price}","q":"2","T":${timeUs},` +
    `"m":true,"M":true}`,
  KRAKEN: (timeUs, price = '1.5') =>
    `{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell",` +
    `"price":${price},"qty":2.0,"ord_type":"limit","trade_id":7,"timestamp":"${iso(timeUs)}"}]}`,
  COINBASE: (timeUs, price = '1.5') =>
    `{"type":"match","trade_id":7,"maker_order_id":"a","taker_order_id":"b","side":"sell",` +
    `"size":"2","price":"${price}","product_id":"BTC-USD","sequence":9,"time":"${iso(timeUs)}"}`,
};

function iso(timeUs: number): string {
  const ms = new Date(Math.floor(timeUs / 1000)).toISOString().slice(0, -1);
  return `${ms}${String(timeUs % 1000).padStart(3, '0')}Z`;
}

function reasonOf(
  exchange: Exchange,
  text: string,
  kind: number,
  limits?: Partial<RuleLimits>,
  receiveTimeUs = RECEIVED_US,
): string {
  const validator = new Validator(createFrameParser(exchange, INSTRUMENTS, 'trade'), limits);
  const bytes = Buffer.from(text);
  const frameClass = validator.validate(bytes, 0, bytes.length, kind, receiveTimeUs);
  const found = verdict(frameClass, validator.parsed);
  if (found.class !== 'trades') return found.class;
  assert.equal(found.rows.length, 1);
  return typeof found.rows[0] === 'string' ? found.rows[0] : 'good';
}

for (const exchange of EXCHANGES) {
  const frame = FRAMES[exchange];

  test(`${exchange}: a trade from the future is one beyond the tolerance`, () => {
    for (const kind of [KIND_WS, KIND_IMPORT, KIND_REPLAY]) {
      assert.equal(reasonOf(exchange, frame(RECEIVED_US + 5e6), kind), 'good');
      assert.equal(reasonOf(exchange, frame(RECEIVED_US + 5e6 + 1), kind), 'timestamp_future');
      const limits = { futureToleranceUs: 0 };
      assert.equal(reasonOf(exchange, frame(RECEIVED_US), kind, limits), 'good');
      assert.equal(reasonOf(exchange, frame(RECEIVED_US + 1), kind, limits), 'timestamp_future');
    }
  });

  test(`${exchange}: a live trade may be a year old, history older`, () => {
    const limit = RECEIVED_US - 365 * DAY_US;
    assert.equal(reasonOf(exchange, frame(limit), KIND_WS), 'good');
    assert.equal(reasonOf(exchange, frame(limit - 1), KIND_WS), 'timestamp_too_old');
    assert.equal(reasonOf(exchange, frame(limit - 1), KIND_IMPORT), 'good');
    assert.equal(reasonOf(exchange, frame(limit - 1), KIND_REPLAY), 'good');
    const limits = { ageLimitUs: 1000 };
    assert.equal(
      reasonOf(exchange, frame(RECEIVED_US - 1001), KIND_WS, limits),
      'timestamp_too_old',
    );
  });

  test(`${exchange}: what is wrong with the trade itself comes first`, () => {
    const text = frame(RECEIVED_US + DAY_US, '0.0');
    assert.equal(reasonOf(exchange, text, KIND_WS), 'price_not_positive');
  });

  test(`${exchange}: a frame without trades has no trades to judge`, () => {
    assert.equal(reasonOf(exchange, '{"error":"x","type":"error"}', KIND_WS), 'control');
    assert.equal(reasonOf(exchange, 'x', KIND_WS), 'dead');
  });
}

test('pages are live, CSV rows are not', () => {
  const timeUs = RECEIVED_US - 366 * DAY_US;
  const page = `BTCUSDT\n[{"id":7,"price":"1.5","qty":"2","time":${timeUs},"isBuyerMaker":true}]`;
  assert.equal(reasonOf('BINANCE', page, KIND_REST), 'timestamp_too_old');
  assert.equal(reasonOf('BINANCE', page, KIND_REPLAY), 'good');
  const row = `BTCUSDT trades 0,1,2,3,4\n7,1.5,2,${timeUs},True`;
  assert.equal(reasonOf('BINANCE', row, KIND_CSV), 'good');
  assert.equal(reasonOf('BINANCE', row, KIND_CSV, {}, timeUs - 6e6), 'timestamp_future');
});

test('each trade of a frame is judged by its own time, whatever the order', () => {
  const time = fc.integer({ min: -3, max: 3 }).map((days) => RECEIVED_US + days * DAY_US);
  const limits = { futureToleranceUs: DAY_US, ageLimitUs: 2 * DAY_US };
  fc.assert(
    fc.property(fc.array(time, { minLength: 1, maxLength: 6 }), (times) => {
      const trades = times.map((timeUs, id) =>
        FRAMES.KRAKEN(timeUs)
          .replace(/.*\[(.*)\]}$/, '$1')
          .replace(':7,', `:${id},`),
      );
      const text = `{"channel":"trade","type":"update","data":[${trades}]}`;
      const validator = new Validator(createFrameParser('KRAKEN', INSTRUMENTS, 'trade'), limits);
      const bytes = Buffer.from(text);
      const found = verdict(
        validator.validate(bytes, 0, bytes.length, KIND_WS, RECEIVED_US),
        validator.parsed,
      );
      assert.deepEqual(
        found.class === 'trades' &&
          found.rows.map((row) => (typeof row === 'string' ? row : row.tradeId)),
        times.map((timeUs, id) => {
          if (timeUs > RECEIVED_US + DAY_US) return 'timestamp_future';
          return timeUs < RECEIVED_US - 2 * DAY_US ? 'timestamp_too_old' : id;
        }),
      );
    }),
    { numRuns: 200 },
  );
});
