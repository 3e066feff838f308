/** Every reason a parser can give, provoked at every exchange that can give it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REASONS, type ReasonName } from '#schemas/dead-letter';
import { EXCHANGES, type Exchange } from '#schemas/exchange';
import type { BinanceStreamKind } from '#src/exchanges/binance';
import { createFrameParser } from '#src/exchanges/frame-parsers';
import { KIND_CSV, KIND_REST, KIND_WS } from '#src/log/frame';
import { INSTRUMENTS } from '#tests/support/instruments';
import { type Verdict, verdict } from './rows.js';

function read(exchange: Exchange, text: string, kind: number, stream: BinanceStreamKind): Verdict {
  const parser = createFrameParser(exchange, INSTRUMENTS, stream);
  const bytes = Buffer.from(text, 'latin1');
  return verdict(parser.parse(bytes, 0, bytes.length, kind), parser.parsed);
}

/** A feed as its good trade's members and the frame around them. */
interface Feed {
  readonly exchange: Exchange;
  readonly name: string;
  readonly kind: number;
  readonly stream: BinanceStreamKind;
  readonly members: Readonly<Record<string, string>>;
  /** Keys of symbol, id, time, price, quantity and side; no symbol where a tag has it. */
  readonly keys: readonly (string | undefined)[];
  readonly frame: (trade: string) => string;
}

const EVENT = {
  E: '1783465157897',
  s: '"BTCUSDT"',
  p: '"1.5"',
  q: '"2"',
  T: '1783465157897',
  m: 'true',
  M: 'true',
};
const BINANCE = { exchange: 'BINANCE', stream: 'trade', kind: KIND_WS } as const;
const KRAKEN = { exchange: 'KRAKEN', stream: 'trade', kind: KIND_WS } as const;
const COINBASE = { exchange: 'COINBASE', stream: 'trade', kind: KIND_WS } as const;
const MATCH = {
  trade_id: '7',
  side: '"sell"',
  size: '"2"',
  price: '"1.5"',
  time: '"2026-07-07T22:58:17.164892Z"',
};

const FEEDS: readonly Feed[] = [
  {
    ...BINANCE,
    name: 'trade',
    members: { e: '"trade"', t: '7', ...EVENT },
    keys: ['s', 't', 'T', 'p', 'q', 'm'],
    frame: (trade) => trade,
  },
  {
    ...BINANCE,
    name: 'aggTrade',
    stream: 'aggTrade',
    members: { e: '"aggTrade"', a: '7', f: '8', l: '9', ...EVENT },
    keys: ['s', 'a', 'T', 'p', 'q', 'm'],
    frame: (trade) => `{"stream":"btcusdt@aggTrade","data":${trade}}`,
  },
  {
    ...BINANCE,
    name: 'historicalTrades',
    kind: KIND_REST,
    members: {
      id: '7',
      price: '"1.5"',
      qty: '"2"',
      quoteQty: '"3"',
      time: '1783465157897',
      isBuyerMaker: 'true',
    },
    keys: [undefined, 'id', 'time', 'price', 'qty', 'isBuyerMaker'],
    frame: (trade) => `BTCUSDT\n[${trade}]`,
  },
  {
    ...KRAKEN,
    name: 'trade',
    members: {
      symbol: '"BTC/USD"',
      side: '"sell"',
      price: '1.5',
      qty: '2',
      ord_type: '"limit"',
      trade_id: '7',
      timestamp: '"2026-07-07T22:58:17.164892Z"',
    },
    keys: ['symbol', 'trade_id', 'timestamp', 'price', 'qty', 'side'],
    frame: (trade) => `{"channel":"trade","type":"update","data":[${trade}]}`,
  },
  {
    ...COINBASE,
    name: 'match',
    members: { type: '"match"', product_id: '"BTC-USD"', ...MATCH },
    keys: ['product_id', 'trade_id', 'time', 'price', 'size', 'side'],
    frame: (trade) => trade,
  },
  {
    ...COINBASE,
    name: 'market_trades',
    members: { product_id: '"BTC-USD"', ...MATCH, side: '"SELL"', trade_id: '"7"' },
    keys: ['product_id', 'trade_id', 'time', 'price', 'size', 'side'],
    frame: (trade) =>
      `{"channel":"market_trades","events":[{"type":"update","trades":[${trade}]}]}`,
  },
  {
    ...COINBASE,
    name: 'trades',
    kind: KIND_REST,
    members: MATCH,
    keys: [undefined, 'trade_id', 'time', 'price', 'size', 'side'],
    frame: (trade) => `BTC-USD\n[${trade}]`,
  },
];

/** Values that break one field, with the reason; undefined leaves the member out. */
const BROKEN: readonly (readonly [field: number, value: string | undefined, ReasonName])[] = [
  [0, undefined, 'symbol_missing'],
  [0, 'null', 'symbol_missing'],
  [0, '5', 'symbol_missing'],
  [0, '""', 'unknown_symbol'],
  [0, '"SHIBUSD"', 'unknown_symbol'],
  [0, '"__proto__"', 'unknown_symbol'],
  [1, undefined, 'trade_id_missing'],
  [1, 'null', 'trade_id_missing'],
  [1, '-1', 'trade_id_invalid'],
  [1, '1.0', 'trade_id_invalid'],
  [1, '1e3', 'trade_id_invalid'],
  [1, '9007199254740992', 'trade_id_invalid'],
  [1, '123456789012345678901234567890', 'trade_id_invalid'],
  [1, '{}', 'trade_id_invalid'],
  [1, '""', 'trade_id_invalid'],
  [2, undefined, 'timestamp_missing'],
  [2, 'null', 'timestamp_missing'],
  [2, '17', 'timestamp_invalid'],
  [2, '9999999999999999', 'timestamp_invalid'],
  [2, '"yesterday"', 'timestamp_invalid'],
  [2, '[]', 'timestamp_invalid'],
  [3, undefined, 'price_missing'],
  [3, 'null', 'price_missing'],
  [3, 'true', 'price_invalid'],
  [3, '{"a":1}', 'price_invalid'],
  [3, '"NaN"', 'price_invalid'],
  [3, '1.000000001', 'price_precision'],
  [3, '1e-9', 'price_precision'],
  [3, '1e10', 'price_range'],
  [3, '1e400', 'price_range'],
  [3, '0.00', 'price_not_positive'],
  [3, '-1', 'price_not_positive'],
  [4, undefined, 'quantity_missing'],
  [4, 'null', 'quantity_missing'],
  [4, '"1,5"', 'quantity_invalid'],
  [4, '0.123456789', 'quantity_precision'],
  [4, '10000000000', 'quantity_range'],
  [4, '0', 'quantity_not_positive'],
  [5, undefined, 'side_missing'],
  [5, 'null', 'side_missing'],
  [5, '"both"', 'side_invalid'],
  [5, '1', 'side_invalid'],
  [5, '[]', 'side_invalid'],
];

function object(members: Readonly<Record<string, string>>): string {
  return `{${Object.entries(members).map(([key, value]) => `"${key}":${value}`)}}`;
}

const provoked = new Map<Exchange, Set<string>>(EXCHANGES.map((each) => [each, new Set()]));

function rowsOf({ exchange, kind, stream, frame }: Feed, trade: string): readonly unknown[] {
  const found = read(exchange, frame(trade), kind, stream);
  assert.equal(found.class, 'trades', trade);
  return found.class === 'trades' ? found.rows : [];
}

for (const feed of FEEDS) {
  test(`${feed.exchange} ${feed.name}: each broken field has its reason`, () => {
    const good = rowsOf(feed, object(feed.members));
    assert.equal(typeof good[0], 'object', `the good trade is ${good[0]}`);
    for (const [field, value, reason] of BROKEN) {
      const key = feed.keys[field];
      if (key === undefined) continue;
      const { [key]: _, ...others } = feed.members;
      const trade = object(value === undefined ? others : { ...others, [key]: value });
      assert.deepEqual(rowsOf(feed, trade), [reason], trade);
      provoked.get(feed.exchange)?.add(reason);
    }
  });

  test(`${feed.exchange} ${feed.name}: the first of several reasons is the one`, () => {
    const order = [...new Set(BROKEN.map(([, , reason]) => reason))];
    assert.deepEqual(
      order,
      REASONS.map(({ name }) => name).filter((name) => (order as string[]).includes(name)),
      'BROKEN is in the order of REASONS',
    );
    for (const [field, value, reason] of BROKEN) {
      const members: Record<string, string> = { ...feed.members };
      const key = feed.keys[field];
      if (key === undefined) continue;
      for (const later of feed.keys.slice(field + 1)) members[later as string] = '{}';
      delete members[key];
      if (value !== undefined) members[key] = value;
      assert.deepEqual(rowsOf(feed, object(members)), [reason], object(members));
    }
  });

  test(`${feed.exchange} ${feed.name}: a repeated key makes a trade malformed`, () => {
    const text = object(feed.members);
    for (const [key, value] of Object.entries({ ...feed.members, unknown: '1' })) {
      const known = key in feed.members;
      const twice = `${text.slice(0, -1)},"${key}":${value}${known ? '' : `,"${key}":2`}}`;
      assert.deepEqual(rowsOf(feed, twice), ['malformed_trade'], twice);
    }
    const [first] = Object.keys(feed.members).slice(-1);
    const escaped = `\\u00${first.charCodeAt(0).toString(16)}${first.slice(1)}`;
    assert.deepEqual(rowsOf(feed, `${text.slice(0, -1)},"${escaped}":1}`), ['malformed_trade']);
    provoked.get(feed.exchange)?.add('malformed_trade');
  });

  test(`${feed.exchange} ${feed.name}: what is no object is a malformed trade; the others go on`, () => {
    const good = object(feed.members);
    if (feed.frame('') === '') return; // the trade is the frame: see the frames below
    if (feed.frame('').includes('"data":}')) {
      assert.deepEqual(rowsOf(feed, '[]'), ['malformed_trade']);
      return;
    }
    const rows = rowsOf(feed, `null,${good},[],${good},"x"`);
    assert.deepEqual(
      rows.map((row) => (typeof row === 'string' ? row : 'good')),
      ['malformed_trade', 'good', 'malformed_trade', 'good', 'malformed_trade'],
    );
  });
}

const DEAD: readonly (readonly [Exchange, number, string, ReasonName])[] = [
  ...EXCHANGES.flatMap((exchange) =>
    [
      ...['', ' ', 'x', '{', '{}}', '{"a":01}', '[1,]', '\ufeff{}', '"\u00e9"', '"\\x"'],
      ...[`${'['.repeat(33)}${']'.repeat(33)}`, 'NaN', '{"e":"trade"', "{'e':1}"],
    ].map((text) => [exchange, KIND_WS, text, 'malformed_frame'] as const),
  ),
  ...EXCHANGES.flatMap((exchange) =>
    ['{}', '[]', '1', 'null', '"trade"', '{"hello":1}', '[{"e":"trade"}]', '{"id":1}'].map(
      (text) => [exchange, KIND_WS, text, 'unrecognised_frame'] as const,
    ),
  ),
  ['BINANCE', KIND_WS, '{"e":5}', 'unrecognised_frame'],
  ['BINANCE', KIND_WS, '{"e":"depthUpdate","e":"trade"}', 'unrecognised_frame'],
  ['BINANCE', KIND_WS, '{"stream":"btcusdt@trade"}', 'unrecognised_frame'],
  ['BINANCE', KIND_WS, '{"stream":"btcusdt@trade","data":{}}', 'unrecognised_frame'],
  ['BINANCE', KIND_WS, '{"stream":1,"data":{"e":"trade"}}', 'unrecognised_frame'],
  ['BINANCE', KIND_WS, '{"stream":"x","data":{},"e":"trade"}', 'unrecognised_frame'],
  ['BINANCE', KIND_WS, '{"stream":"x","data":{},"data":{"e":"trade"}}', 'unrecognised_frame'],
  ['BINANCE', KIND_WS, '{"e":"aggTrade","a":1}', 'wrong_stream_kind'],
  ['BINANCE', KIND_REST, 'BTCUSDT\n[{"a":1,"p":"1"},{"a":2}]', 'wrong_stream_kind'],
  ['BINANCE', KIND_CSV, 'BTCUSDT aggTrades 0,1,2,5,6,3,4\n1,2,3,4,5,6', 'wrong_stream_kind'],
  ['BINANCE', KIND_REST, 'BTCUSDT\n{"rows":[]}', 'unrecognised_frame'],
  ['KRAKEN', KIND_WS, '{"channel":"trade","type":"update"}', 'unrecognised_frame'],
  ['KRAKEN', KIND_WS, '{"channel":"trade","type":"fix","data":[]}', 'unrecognised_frame'],
  ['KRAKEN', KIND_WS, '{"channel":"heartbeat","channel":"trade"}', 'unrecognised_frame'],
  ['KRAKEN', KIND_WS, '[0,[["1","2","3","b","l",""]],"trade","XBT/USD"]', 'unrecognised_frame'],
  ['KRAKEN', KIND_REST, 'BTC/USD\n{"error":[],"result":{"last":"1"}}', 'unrecognised_frame'],
  ['KRAKEN', KIND_REST, 'BTC/USD\n{"result":{"A":[],"B":[],"last":"1"}}', 'unrecognised_frame'],
  ['COINBASE', KIND_WS, '{"channel":"market_trades"}', 'unrecognised_frame'],
  ['COINBASE', KIND_WS, '{"channel":"market_trades","events":[1]}', 'unrecognised_frame'],
  ['COINBASE', KIND_WS, '{"type":"heartbeat","type":"match"}', 'unrecognised_frame'],
  ['COINBASE', KIND_REST, 'BTC-USD\n{"trades":[]}', 'unrecognised_frame'],
  ...['BTCUSDT', 'BTCUSDT[]', '\n[]', 'B T\n[]', 'BTCUSDT\n', 'BTCUSDT\n[', 'BTCUSDT\n1,2'].map(
    (text) => ['BINANCE', KIND_REST, text, 'malformed_frame'] as const,
  ),
  ...[
    ...['', '1,2,3', 'BTCUSDT trades 0,1,2,4,5', 'BTCUSDT trades 0,1,2,4,5\n', 'BTCUSDT\n1'],
    ...['BTCUSDT trades 0,1,2,4\n1', 'BTCUSDT klines 0,1,2,4,5\n1', 'BTCUSDT trades 0,1,2,4,64\n1'],
    ...['BTCUSDT trades 0,0,2,4,5\n1', 'BTCUSDT trades 0,1,2,4,5\n1\n2', ' trades 0,1,2,4,5\n1'],
    ...['BTCUSDT trades 0,1,2,4,5\n1,\u00e9', `${'B'.repeat(300)} trades 0,1,2,4,5\n1`],
  ].map((text) => ['BINANCE', KIND_CSV, text, 'malformed_frame'] as const),
];

test('frames no trade can be told from are dead as a whole, with the reason', () => {
  for (const [exchange, kind, text, reason] of DEAD) {
    const found = read(exchange, text, kind, 'trade');
    assert.deepEqual(found, { class: 'dead', reason }, `${exchange} ${text}`);
    provoked.get(exchange)?.add(reason);
  }
  const trade = '{"e":"trade","t":1}';
  const other = read('BINANCE', trade, KIND_WS, 'aggTrade');
  assert.deepEqual(other, { class: 'dead', reason: 'wrong_stream_kind' });
});

test('Kraken pages: each row is judged alone', () => {
  const good = '["1.5","2",1688669597.8277369,"b","m","",7]';
  const rows: readonly (readonly [string, string])[] = [
    ['[null,"2",1688669597.8,"b","m","",7]', 'price_missing'],
    ['["1.5","2",1688669597.8,"b","m",""]', 'trade_id_missing'],
    ['["1.5","2",1688669597.8,"b","m","",-7]', 'trade_id_invalid'],
    ['["1.5","2",1.6e9,"b","m","",7]', 'timestamp_invalid'],
    ['["1.5","-2",1688669597.8,"b","m","",7]', 'quantity_not_positive'],
    ['["1.5","2",1688669597.8,"buy","m","",7]', 'side_invalid'],
    ['[]', 'trade_id_missing'],
    ['{}', 'malformed_trade'],
  ];
  const list = rows.map(([row]) => `${row},${good}`);
  const text = `BTC/USD\n{"error":[],"result":{"XXBTZUSD":[${list}],"last":"1"}}`;
  const found = read('KRAKEN', text, KIND_REST, 'trade');
  assert.equal(found.class, 'trades');
  assert.deepEqual(
    found.class === 'trades' && found.rows.map((row) => (typeof row === 'string' ? row : 'good')),
    rows.flatMap(([, reason]) => [reason, 'good']),
  );
  const unknown = read('KRAKEN', text.replace('BTC/USD', 'NO/USD'), KIND_REST, 'trade');
  assert.equal(unknown.class === 'trades' && unknown.rows[0], 'unknown_symbol');
});

test('CSV rows: empty, absent and unreadable fields', () => {
  const rows: readonly (readonly [string, string])[] = [
    [',1.5,2,3,1783465157897123,True,True', 'trade_id_missing'],
    ['x,1.5,2,3,1783465157897123,True,True', 'trade_id_invalid'],
    ['7,1.5,2,3,,True,True', 'timestamp_missing'],
    ['7,1.5,2,3,17834651578971,True,True', 'timestamp_invalid'],
    ['7,,2,3,1783465157897,True', 'price_missing'],
    ['7,"1.5",2,3,1783465157897,True', 'price_invalid'],
    ['7,1.5,0,3,1783465157897,True', 'quantity_not_positive'],
    ['7,1.5,2,3,1783465157897', 'side_missing'],
    ['7,1.5,2,3,1783465157897,TRUE', 'side_invalid'],
    ['trade_id', 'trade_id_invalid'],
  ];
  for (const [row, reason] of rows) {
    const text = `BTCUSDT trades 0,1,2,4,5\n${row}`;
    const found = read('BINANCE', text, KIND_CSV, 'trade');
    assert.deepEqual(found, { class: 'trades', rows: [reason] }, row);
  }
  const unknown = read('BINANCE', 'NOUSDT trades 0,1,2,3,4\n7,1,2,3,1', KIND_CSV, 'trade');
  assert.deepEqual(unknown, { class: 'trades', rows: ['unknown_symbol'] });
});

test('CSV booleans of every dump, and the same parser under several tags of one length', () => {
  const parser = createFrameParser('BINANCE', INSTRUMENTS, 'trade');
  const flags = { True: 1, true: 1, '1': 1, False: 0, false: 0, '0': 0 };
  for (const [flag, side] of Object.entries(flags)) {
    for (const [tag, instrument, row] of [
      ['BTCUSDT trades 4,3,2,1,0', 0, `${flag},1783465157897,2,1.5,7`],
      ['TRXUSDT trades 4,3,2,1,0', 12, `${flag},1783465157897,2,1.5,7`],
      ['TRXUSDT trades 0,1,2,3,4', 12, `7,1.5,2,1783465157897,${flag}`],
    ] as const) {
      const bytes = Buffer.from(`${tag}\n${row}\n`);
      const found = verdict(parser.parse(bytes, 0, bytes.length, KIND_CSV), parser.parsed);
      const [trade] = found.class === 'trades' ? found.rows : [];
      assert.ok(typeof trade === 'object', `${tag} ${row}: ${trade}`);
      assert.deepEqual([trade.side, trade.instrument, trade.tradeId], [side, instrument, 7]);
    }
  }
});

test('an aggregate must say which trades it spans', () => {
  const feed = FEEDS[1];
  const { f: _f, l: _l, ...others } = feed.members;
  assert.deepEqual(rowsOf(feed, object(others)), ['trade_id_missing']);
  assert.deepEqual(rowsOf(feed, object({ ...others, f: '9', l: '8' })), ['trade_id_invalid']);
  assert.deepEqual(rowsOf(feed, object({ ...others, f: '-1', l: '-1' })), ['trade_id_invalid']);
});

test('a frame of more elements than a position can number is dead', () => {
  const text = `{"channel":"trade","type":"update","data":[0${',0'.repeat(131_072)}]}`;
  const found = read('KRAKEN', text, KIND_WS, 'trade');
  assert.deepEqual(found, { class: 'dead', reason: 'unrecognised_frame' });
});

test('every exchange has been made to give every reason a parser has', () => {
  const rules = ['timestamp_future', 'timestamp_too_old'];
  for (const exchange of EXCHANGES) {
    const missing = REASONS.map(({ name }) => name).filter(
      (name) =>
        !rules.includes(name) &&
        !(name === 'wrong_stream_kind' && exchange !== 'BINANCE') &&
        !provoked.get(exchange)?.has(name),
    );
    assert.deepEqual(missing, [], exchange);
  }
});
