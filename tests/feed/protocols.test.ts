/** What each exchange's frames mean, on recorded frames and on the samples of its documentation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readCapture } from '#bench/captures';
import { binanceProtocol } from '#src/feed/binance';
import { COINBASE_ADVANCED, COINBASE_EXCHANGE } from '#src/feed/coinbase';
import { KRAKEN, krakenWireSymbol } from '#src/feed/kraken';
import type { FeedProtocol } from '#src/feed/protocol';
import { CHANNELS, protocolOf } from '#src/feed/protocol-of';
import { TradeIdScanner } from '#src/feed/trade-id-scanner';

const BINANCE = binanceProtocol('trade');
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Found {
  readonly symbol: string;
  readonly id: number;
}

// biome-ignore lint/suspicious/noExplicitAny: whatever the exchange sent
type Message = any;

/** An independent reading of the same frames, through JSON. */
const TRADES_BY_JSON = {
  binance: (message: Message): Found[] =>
    message.data?.e === 'trade' ? [{ symbol: message.data.s, id: message.data.t }] : [],
  kraken: (message: Message): Found[] =>
    message.channel === 'trade'
      ? message.data.map((trade: Message) => ({ symbol: trade.symbol, id: trade.trade_id }))
      : [],
  coinbase: (message: Message): Found[] =>
    message.type === 'match' || message.type === 'last_match'
      ? [{ symbol: message.product_id, id: message.trade_id }]
      : [],
};

function scannerOf(protocol: FeedProtocol, symbols: readonly string[]) {
  let found: Found[] = [];
  const scanner = new TradeIdScanner(protocol.tradeKeys, symbols, (index, id) => {
    found.push({ symbol: symbols[index]!, id });
  });
  return (frame: string): Found[] => {
    found = [];
    scanner.scan(bytes(frame));
    return found;
  };
}

for (const [name, protocol, symbols] of [
  ['binance', BINANCE, ['BTCUSDT', 'ETHUSDT']],
  ['kraken', KRAKEN, ['BTC/USD', 'ETH/USD']],
  ['coinbase', COINBASE_EXCHANGE, ['BTC-USD', 'ETH-USD']],
] as const) {
  test(`${name}: recorded trades are recognised and their ids read as JSON reads them`, (t) => {
    const lines = readCapture(name);
    if (lines === undefined) {
      t.skip('recorded frames are not at hand');
      return;
    }
    const scan = scannerOf(protocol, symbols);
    let trades = 0;
    for (const line of lines) {
      const message: Message = JSON.parse(line);
      const expected = TRADES_BY_JSON[name](message);
      // Other channels of a combined stream are not ours to tell apart: they are never subscribed.
      const isOther = name === 'binance' && message.data?.e !== 'trade';
      if (!isOther) assert.equal(protocol.isTrade(bytes(line)), expected.length > 0, line);
      if (expected.length === 0) continue;
      assert.deepEqual(scan(line), expected);
      trades += expected.length;
    }
    assert.equal(trades, { binance: 1163, kraken: 17, coinbase: 437 }[name]);
  });
}

test('ids are read in either key order, quoted or bare, many to a frame', () => {
  const trade = fc.record({
    symbol: fc.constantFrom('A', 'BTC-USD', 'Ünï/ÇØ', 'ETH-USD'),
    id: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    isQuoted: fc.boolean(),
    isIdFirst: fc.boolean(),
    price: fc.string(),
    isSpaced: fc.boolean(),
  });
  const scan = scannerOf(COINBASE_ADVANCED, ['A', 'BTC-USD', 'Ünï/ÇØ', 'ETH-USD']);
  fc.assert(
    fc.property(fc.array(trade), (trades) => {
      const rows = trades.map(({ symbol, id, isQuoted, isIdFirst, price, isSpaced }) => {
        const colon = isSpaced ? ' : ' : ':';
        const pair = [
          `"product_id"${colon}${JSON.stringify(symbol)}`,
          `"price":${JSON.stringify(price.replaceAll('"', ''))}`,
          `"trade_id"${colon}${isQuoted ? `"${id}"` : id}`,
        ];
        return `{${(isIdFirst ? pair.reverse() : pair).join(',')}}`;
      });
      const frame = `{"channel":"market_trades","events":[{"trades":[${rows.join(',')}]}]}`;
      const expected = trades.map(({ symbol, id }) => ({ symbol, id }));
      assert.deepEqual(scan(frame), expected);
    }),
  );
});

test('no bytes make the recogniser or the scanner throw or run on', () => {
  const scan = scannerOf(KRAKEN, ['BTC/USD']);
  const piece = fc.constantFrom('{', '"', ':', ' ', '"symbol"', '"trade_id"', '9', 'BTC/USD', ',');
  const text = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 40 }).map((p) => p.join('')),
  );
  fc.assert(
    fc.property(text, (frame) => {
      for (const { id } of scan(frame)) assert.ok(Number.isSafeInteger(id) && id >= 0);
      for (const protocol of [BINANCE, KRAKEN, COINBASE_EXCHANGE, COINBASE_ADVANCED]) {
        assert.equal(typeof protocol.isTrade(bytes(frame)), 'boolean');
      }
    }),
  );
});

test('no JSON value makes readControl throw', () => {
  const key = fc.constantFrom(
    ...['type', 'channel', 'channels', 'method', 'result', 'error', 'id', 'events', 'data', 'e'],
    ...['subscriptions', 'name', 'success', 'symbol', 'product_id', 'last_trade_id', 'heartbeat'],
  );
  const value = fc.letrec((tie) => ({
    leaf: fc.oneof(fc.jsonValue({ maxDepth: 1 }), key),
    node: fc.oneof(
      { maxDepth: 3 },
      tie('leaf'),
      fc.array(tie('node'), { maxLength: 3 }),
      fc.dictionary(key, tie('node'), { maxKeys: 6 }),
    ),
  })).node;
  fc.assert(
    fc.property(value, (message) => {
      for (const protocol of [BINANCE, KRAKEN, COINBASE_EXCHANGE, COINBASE_ADVANCED]) {
        const control = protocol.readControl(message);
        if (control.kind === 'ack' && 'symbols' in control) {
          assert.ok(control.symbols.every((symbol) => typeof symbol === 'string'));
        }
      }
    }),
  );
});

test('binance: control frames', () => {
  const read = (text: string) => BINANCE.readControl(JSON.parse(text));
  assert.deepEqual(read('{"result":null,"id":1}'), { kind: 'ack', id: 1 });
  const text = 'Invalid request: invalid stream (code 2)';
  const flat = '{"code":2,"msg":"Invalid request: invalid stream","id":2}';
  const nested = '{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":2}';
  assert.deepEqual(read(flat), { kind: 'reject', id: 2, text });
  assert.deepEqual(read(nested), { kind: 'reject', id: 2, text });
  const shutdown = '{"e":"serverShutdown","E":1770123456789}';
  assert.deepEqual(read(shutdown), { kind: 'shutdown' });
  assert.deepEqual(read(`{"stream":"!serverShutdown","data":${shutdown}}`), { kind: 'shutdown' });
  for (const frame of [shutdown, `{"stream":"!serverShutdown","data":${shutdown}}`, flat]) {
    assert.equal(BINANCE.isTrade(bytes(frame)), false);
  }
  const event = '"E":1,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1,"m":true,"M":true}';
  assert.ok(BINANCE.isTrade(bytes(`{"e":"trade",${event}`)));
  assert.ok(BINANCE.isTrade(bytes(`{"e":"aggTrade",${event}`)));
  assert.ok(BINANCE.isTrade(bytes(`{"stream":"bnbbtc@trade","data":{"e":"trade",${event}}`)));
  assert.equal(BINANCE.isTrade(bytes('{"e":"trad')), false);
});

test('binance: the id of an aggregate trade is `a`, of a trade `t`', () => {
  const frame =
    '{"e":"aggTrade","E":1,"s":"BNBBTC","a":77,"p":"1","q":"1","f":100,"l":105,"T":1,"m":true}';
  assert.deepEqual(scannerOf(binanceProtocol('aggTrade'), ['BNBBTC'])(frame), [
    { symbol: 'BNBBTC', id: 77 },
  ]);
  assert.deepEqual(scannerOf(BINANCE, ['BNBBTC'])(frame), []);
});

test('kraken: control frames and names', () => {
  const read = (text: string) => KRAKEN.readControl(JSON.parse(text));
  assert.deepEqual(
    read(
      '{"method":"subscribe","result":{"channel":"trade","snapshot":true,"symbol":"BTC/USD"},"success":true,"req_id":1}',
    ),
    { kind: 'ack', symbols: ['BTC/USD'] },
  );
  const text = 'Currency pair not supported BAD/USD';
  assert.deepEqual(
    read(`{"method":"subscribe","success":false,"error":"${text}","symbol":"BAD/USD","req_id":1}`),
    { kind: 'reject', symbols: ['BAD/USD'], text },
  );
  assert.deepEqual(
    read('{"error":"Unsupported event","method":"subscribe","req_id":0,"success":false}'),
    { kind: 'reject', id: 0, text: 'Unsupported event' },
  );
  assert.deepEqual(read('{"channel":"heartbeat"}'), { kind: 'other' });
  assert.deepEqual(read('{"method":"pong","req_id":101}'), { kind: 'other' });
  const status = (system: string) =>
    read(`{"channel":"status","type":"update","data":[{"system":"${system}"}]}`);
  assert.deepEqual(status('online'), { kind: 'other' });
  assert.deepEqual(status('maintenance'), { kind: 'notice', text: 'system status maintenance' });
  assert.deepEqual(['XBT/USD', 'ETH/XBT', 'XDG/USD', 'XBTX/USD'].map(krakenWireSymbol), [
    'BTC/USD',
    'ETH/BTC',
    'DOGE/USD',
    'XBTX/USD',
  ]);
});

test('coinbase: control frames of both feeds', () => {
  const read = (text: string) => COINBASE_EXCHANGE.readControl(JSON.parse(text));
  assert.deepEqual(
    read(
      '{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USD"]},{"name":"heartbeat","product_ids":["BTC-USD","ETH-USD"]}]}',
    ),
    { kind: 'ack', symbols: ['BTC-USD'] },
  );
  assert.deepEqual(
    read('{"type":"error","message":"Failed to subscribe","reason":"YFI-USD is delisted"}'),
    { kind: 'reject', text: 'Failed to subscribe: YFI-USD is delisted' },
  );
  assert.deepEqual(
    read('{"type":"heartbeat","last_trade_id":1099995625,"product_id":"BTC-USD","sequence":1}'),
    { kind: 'progress', symbol: 'BTC-USD', tradeId: 1099995625 },
  );
  assert.deepEqual(read('{"type":"heartbeat","product_id":"BTC-USD"}'), { kind: 'other' });
  const advanced = (text: string) => COINBASE_ADVANCED.readControl(JSON.parse(text));
  assert.deepEqual(
    advanced(
      '{"channel":"subscriptions","events":[{"subscriptions":{"market_trades":["BTC-USD"]}}]}',
    ),
    { kind: 'ack', symbols: ['BTC-USD'] },
  );
  assert.deepEqual(advanced('{"type":"error","message":"no"}'), { kind: 'reject', text: 'no' });
});

test('a channel of another exchange is a configuration error that names the right ones', () => {
  for (const [exchange, channels] of Object.entries(CHANNELS)) {
    for (const channel of channels) {
      assert.equal(protocolOf(exchange as 'BINANCE', channel).exchange, exchange);
    }
  }
  assert.throws(() => protocolOf('KRAKEN', 'matches'), {
    message: 'KRAKEN has no channel "matches": use trade.',
    exitCode: 78,
  });
});
