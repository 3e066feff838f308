/** Messages that carry no trades: counted, never dead letters, never a crash. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Exchange } from '#schemas/exchange';
import { createFrameParser } from '#src/exchanges/frame-parsers';
import { KIND_IMPORT, KIND_REPLAY, KIND_REST, KIND_WS } from '#src/log/frame';
import { INSTRUMENTS } from '#tests/support/instruments';
import { verdict } from './rows.js';

const MESSAGES: Readonly<Record<Exchange, readonly string[]>> = {
  BINANCE: [
    '{"result":null,"id":1}',
    '{"result":["btcusdt@trade"],"id":3}',
    '{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":2}',
    '{"code":2,"msg":"Invalid request: invalid stream"}',
    '{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1","id":null}',
    '{"e":"serverShutdown","E":1783465157897}',
    '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1783465157897}}',
    '{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[],"a":[]}',
    '{"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1,"T":2}}',
    '{"e":"blockTrade","E":1,"s":"BTCUSDT","t":582,"p":"1","q":"1","T":1783465157897,"m":true}',
    '{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}}',
    '{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}',
    '{"lastUpdateId":160,"bids":[],"asks":[]}',
    '{"stream":"!miniTicker@arr","data":[{"e":"24hrMiniTicker"}]}',
  ],
  KRAKEN: [
    '{"channel":"heartbeat"}',
    '{"channel":"status","type":"update","data":[{"system":"online","api_version":"v2"}]}',
    '{"channel":"book","type":"update","data":[{"symbol":"ETH/USD","bids":[],"checksum":1}]}',
    '{"channel":"ticker","type":"snapshot","data":[{"symbol":"BTC/USD","last":1.0}]}',
    '{"method":"subscribe","result":{"channel":"trade","snapshot":true,"symbol":"BTC/USD"},' +
      '"success":true,"time_in":"2023-09-25T09:21:10.428340Z","req_id":1}',
    '{"method":"pong","req_id":101,"time_in":"","time_out":""}',
    '{"error":"Subscription depth not supported","method":"subscribe","success":false,' +
      '"time_in":"...","time_out":"..."}',
    '{"error":"Private data and trading are unavailable on this endpoint. Try ' +
      'ws-auth.kraken.com","method":"subscribe","success":false,"time_in":"...","time_out":"..."}',
    '{"error":"Unsupported event","method":"subscribe","req_id":0,"success":false}',
    'CloudFlare WebSocket proxy restarting',
    '{"errorMessage":"Currency pair not supported LSK/XBT","event":"subscriptionStatus",' +
      '"pair":"LSK/XBT","status":"error","subscription":{"name":"trade"}}',
    '{"event":"heartbeat"}',
    '{"event":"systemStatus","status":"online"}',
  ],
  COINBASE: [
    '{"message":"Failed to subscribe","reason":"No channels provided","type":"error"}',
    '{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USD"]}]}',
    '{"type":"heartbeat","last_trade_id":1,"product_id":"BTC-USD","sequence":1,"time":""}',
    '{"type":"ticker","sequence":1,"product_id":"BTC-USD","trade_id":7,"price":"1"}',
    '{"type":"l2update","product_id":"BTC-USD","changes":[["buy","1","2"]]}',
    '{"type":"snapshot","product_id":"BTC-USD","asks":[],"bids":[]}',
    '{"channel":"subscriptions","events":[{"subscriptions":{"market_trades":["BTC-USD"]}}]}',
    '{"channel":"heartbeats","events":[{"current_time":"2026-04-07 14:30:10","heartbeat_counter":1}]}',
    '{"channel":"l2_data","events":[{"type":"snapshot","updates":[]}]}',
  ],
};

const PAGES: readonly (readonly [Exchange, string])[] = [
  ['BINANCE', 'BTCUSDT\n{"code":-1121,"msg":"Invalid symbol."}'],
  ['KRAKEN', 'BTC/USD\n{"error":["EAPI:Rate limit exceeded"]}'],
  ['KRAKEN', 'BTC/USD\n{"error":["EQuery:Unknown asset pair"],"result":{}}'],
  ['COINBASE', 'BTC-USD\n{"message":"Public rate limit exceeded"}'],
];

function classOf(exchange: Exchange, text: string, kind: number) {
  const parser = createFrameParser(exchange, INSTRUMENTS, 'trade');
  const bytes = Buffer.from(text);
  return verdict(parser.parse(bytes, 0, bytes.length, kind), parser.parsed);
}

test('recognised messages without trades are control', () => {
  for (const [exchange, messages] of Object.entries(MESSAGES)) {
    for (const message of messages) {
      for (const kind of [KIND_WS, KIND_IMPORT, KIND_REPLAY]) {
        const found = classOf(exchange as Exchange, message, kind);
        assert.deepEqual(found, { class: 'control' }, `${exchange} ${message}`);
      }
    }
  }
});

test('answers of REST that are errors are control', () => {
  for (const [exchange, page] of PAGES) {
    for (const kind of [KIND_REST, KIND_REPLAY]) {
      assert.deepEqual(classOf(exchange, page, kind), { class: 'control' }, page);
    }
  }
});

test("Kraken's text is no message anywhere else, nor is anything like it", () => {
  const dead = { class: 'dead', reason: 'malformed_frame' };
  const text = 'CloudFlare WebSocket proxy restarting';
  assert.deepEqual(classOf('BINANCE', text, KIND_WS), dead);
  assert.deepEqual(classOf('COINBASE', text, KIND_WS), dead);
  assert.deepEqual(classOf('KRAKEN', `${text}!`, KIND_WS), dead);
});

test('empty lists of trades are frames of no trades', () => {
  const none = { class: 'trades', rows: [] };
  const message = '{"channel":"trade","type":"update","data":[]}';
  assert.deepEqual(classOf('KRAKEN', message, KIND_WS), none);
  const page = 'BTC/USD\n{"error":[],"result":{"XXBTZUSD":[],"last":"1"}}';
  assert.deepEqual(classOf('KRAKEN', page, KIND_REST), none);
  assert.deepEqual(classOf('BINANCE', 'BTCUSDT\n[]', KIND_REST), none);
  assert.deepEqual(classOf('COINBASE', '{"channel":"market_trades","events":[]}', KIND_WS), none);
});
