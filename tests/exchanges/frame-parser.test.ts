/** Parsers against the models frames were made from and against an independent oracle. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Exchange } from '#schemas/exchange';
import {
  CONDITION_AGGREGATE,
  CONDITION_IMPORTED,
  CONDITION_LIMIT_ORDER,
  CONDITION_MARKET_ORDER,
  CONDITION_SNAPSHOT,
} from '#schemas/trade';
import type { BinanceStreamKind } from '#src/exchanges/binance';
import type { FrameParser } from '#src/exchanges/frame-parser';
import { createFrameParser } from '#src/exchanges/frame-parsers';
import { KIND_CSV, KIND_IMPORT, KIND_REPLAY, KIND_REST, KIND_WS } from '#src/log/frame';
import { INSTRUMENTS } from '#tests/support/instruments';
import {
  advancedMessage,
  binanceEvent,
  binancePage,
  coinbaseMatch,
  coinbasePage,
  combined,
  csvRow,
  firstId,
  krakenMessage,
  krakenPage,
  lastId,
  type TradeModel,
  tradeOf,
} from './frames.js';
import { messageOracle, pageOracle } from './oracle.js';
import { type GoodRow, type Verdict, verdict } from './rows.js';

function read(parser: FrameParser, text: string, kind: number): Verdict {
  const bytes = Buffer.from(text);
  return verdict(parser.parse(bytes, 0, bytes.length, kind), parser.parsed);
}

function row(trade: TradeModel, condition: number, sequence = -1): GoodRow {
  const aggregate = (condition & CONDITION_AGGREGATE) !== 0;
  return {
    instrument: trade.instrument.code,
    tradeId: trade.id,
    timeUs: trade.timeUs,
    price: trade.price,
    quantity: trade.quantity,
    side: trade.side,
    condition,
    sourceSequence: sequence,
    firstId: aggregate ? firstId(trade) : 0,
    lastId: aggregate ? lastId(trade) : 0,
  };
}

function orderType(trade: TradeModel): number {
  return trade.market ? CONDITION_MARKET_ORDER : CONDITION_LIMIT_ORDER;
}

/** A WebSocket frame and its rows, before the condition its kind adds. */
interface Sample {
  readonly exchange: Exchange;
  readonly streamKind: BinanceStreamKind;
  readonly text: string;
  readonly rows: readonly GoodRow[];
}

const binanceSample: fc.Arbitrary<Sample> = fc
  .record({
    trade: tradeOf('BINANCE', 1000),
    aggregate: fc.boolean(),
    microseconds: fc.boolean(),
    wrapped: fc.boolean(),
  })
  .map(({ trade, aggregate, microseconds, wrapped }) => {
    const event = binanceEvent(trade, aggregate, microseconds);
    return {
      exchange: 'BINANCE',
      streamKind: aggregate ? 'aggTrade' : 'trade',
      text: wrapped ? combined(trade, event) : event,
      rows: [row(trade, aggregate ? CONDITION_AGGREGATE : 0)],
    };
  });

const krakenSample: fc.Arbitrary<Sample> = fc
  .tuple(fc.array(tradeOf('KRAKEN', 1), { maxLength: 4 }), fc.boolean())
  .map(([trades, snapshot]) => ({
    exchange: 'KRAKEN',
    streamKind: 'trade',
    text: krakenMessage(trades, snapshot),
    rows: trades.map((trade) => row(trade, orderType(trade) | (snapshot ? CONDITION_SNAPSHOT : 0))),
  }));

const matchSample: fc.Arbitrary<Sample> = fc
  .tuple(tradeOf('COINBASE', 1), fc.boolean())
  .map(([trade, last]) => ({
    exchange: 'COINBASE',
    streamKind: 'trade',
    text: coinbaseMatch(trade, last),
    rows: [row(trade, last ? CONDITION_SNAPSHOT : 0, trade.sequence)],
  }));

const advancedSample: fc.Arbitrary<Sample> = fc
  .tuple(
    fc.array(fc.array(tradeOf('COINBASE', 1), { maxLength: 3 }), { maxLength: 3 }),
    fc.boolean(),
    fc.nat(),
  )
  .map(([events, snapshot, sequence]) => ({
    exchange: 'COINBASE',
    streamKind: 'trade',
    text: advancedMessage(
      events.map((trades) => ({ type: snapshot ? 'snapshot' : 'update', trades })),
      sequence,
    ),
    rows: events.flat().map((trade) => row(trade, snapshot ? CONDITION_SNAPSHOT : 0, sequence)),
  }));

const sample = fc.oneof(binanceSample, krakenSample, matchSample, advancedSample);

const parsers = new Map<string, FrameParser>();
function parserOf(exchange: Exchange, streamKind: BinanceStreamKind): FrameParser {
  const key = `${exchange} ${streamKind}`;
  const parser = parsers.get(key) ?? createFrameParser(exchange, INSTRUMENTS, streamKind);
  parsers.set(key, parser);
  return parser;
}

test('a message gives exactly the trades it was made of, whatever its kind', () => {
  fc.assert(
    fc.property(sample, ({ exchange, streamKind, text, rows }) => {
      const parser = parserOf(exchange, streamKind);
      for (const kind of [KIND_WS, KIND_IMPORT, KIND_REPLAY]) {
        const imported = kind === KIND_IMPORT ? CONDITION_IMPORTED : 0;
        const expected = rows.map((each) => ({ ...each, condition: each.condition | imported }));
        assert.deepEqual(read(parser, text, kind), { class: 'trades', rows: expected }, text);
      }
    }),
    { numRuns: 4000 },
  );
});

const VALUE = /(?<=[:[,])(?:"[^"]*"(?!:)|[-\d.eE+]+|true|false|null)/g;
const OTHER_VALUES = [
  ...['null', 'true', 'false', '0', '-1', '12', '1e400', '1e-8', '-0', '0.000', '1.5', '""', '"0"'],
  ...['"sell"', '"BUY"', '"m"', '{}', '[]', '[1]', '{"e":"trade"}', '9007199254740991'],
  ...['9007199254740992', '9999999999.99999999', '10000000000', '"0.000000001"', '"trade"'],
  ...['1234567890123', '1234567890123456', '"2026-02-30T00:00:00Z"', '"2026-07-07T22:58:16Z"'],
  ...['"DOGEUSDT"', '"ETH/USD"', '"SHIB-USD"', '"aggTrade"', '"update"', '"heartbeat"'],
];
const MEMBER = /"(?:[^"]*)":(?:"[^"]*"|[-\d.eE+]+|true|false|null),/g;

/** Another value in the place of one, or a member left out: still JSON, no key repeated. */
const structuralEdit = fc.tuple(fc.boolean(), fc.nat(), fc.nat());

function edited(text: string, [remove, at, pick]: [boolean, number, number]): string {
  const places = [...text.matchAll(remove ? MEMBER : VALUE)];
  if (places.length === 0) return text;
  const place = places[at % places.length];
  const put = remove ? '' : OTHER_VALUES[pick % OTHER_VALUES.length];
  return text.slice(0, place.index) + put + text.slice(place.index + place[0].length);
}

test('a message with other values or members left out means what the oracle says', () => {
  const seen = new Map<string, number>();
  const count = (name: string) => seen.set(name, (seen.get(name) ?? 0) + 1);
  fc.assert(
    fc.property(sample, fc.array(structuralEdit, { maxLength: 3 }), (frame, edits) => {
      const text = edits.reduce(edited, frame.text);
      const parser = parserOf(frame.exchange, frame.streamKind);
      const expected = messageOracle(frame.exchange, text, frame.streamKind === 'aggTrade');
      assert.deepEqual(read(parser, text, KIND_WS), expected, text);
      if (expected.class === 'trades') {
        for (const each of expected.rows) count(typeof each === 'string' ? each : 'good');
      } else count(expected.class === 'dead' ? expected.reason : 'control');
    }),
    { numRuns: 12_000 },
  );
  assert.ok(seen.size >= 20, `only these came up: ${[...seen.keys()]}`);
});

const page = fc.oneof(
  fc
    .tuple(fc.array(tradeOf('BINANCE', 1), { maxLength: 4 }), fc.boolean())
    .map(([trades, aggregate]) => ({
      exchange: 'BINANCE' as const,
      aggregate,
      trades,
      body: binancePage(trades, aggregate),
    })),
  fc.array(tradeOf('KRAKEN', 1), { maxLength: 4 }).map((trades) => ({
    exchange: 'KRAKEN' as const,
    aggregate: false,
    trades,
    body: krakenPage(trades),
  })),
  fc.array(tradeOf('COINBASE', 1), { maxLength: 4 }).map((trades) => ({
    exchange: 'COINBASE' as const,
    aggregate: false,
    trades,
    body: coinbasePage(trades),
  })),
);

test('a REST page gives the trades of the symbol in its tag, good or bad', () => {
  fc.assert(
    fc.property(page, fc.nat(), fc.option(fc.tuple(fc.nat(), fc.nat())), (sent, pick, edit) => {
      const { exchange, aggregate, trades, body } = sent;
      const parser = parserOf(exchange, aggregate ? 'aggTrade' : 'trade');
      const listed = INSTRUMENTS.filter((each) => each.exchange === exchange);
      const instrument = listed[pick % listed.length];
      const read2 = (text: string, kind: number) =>
        read(parser, `${instrument.nativeSymbol}\n${text}`, kind);
      const expected = trades.map((trade) =>
        row(
          { ...trade, instrument },
          exchange === 'KRAKEN' ? orderType(trade) : aggregate ? CONDITION_AGGREGATE : 0,
        ),
      );
      for (const kind of [KIND_REST, KIND_REPLAY]) {
        assert.deepEqual(read2(body, kind), { class: 'trades', rows: expected }, body);
      }
      if (edit === null || trades.length === 0) return;
      // One other value in a row (not in Kraken's envelope around them).
      const from = body.indexOf('[[') + 1;
      const to = exchange === 'KRAKEN' ? body.indexOf(']]') : body.length;
      const changed = body.slice(0, from) + edited(body.slice(from, to), [false, ...edit]);
      const text = changed + body.slice(to);
      const oracle = pageOracle(exchange, instrument.nativeSymbol, text, aggregate);
      assert.deepEqual(read2(text, KIND_REST), oracle, text);
    }),
    { numRuns: 4000 },
  );
});

test('a CSV row gives its trade, imported; replayed it is not', () => {
  fc.assert(
    fc.property(tradeOf('BINANCE', 1), fc.boolean(), (trade, aggregate) => {
      const parser = parserOf('BINANCE', aggregate ? 'aggTrade' : 'trade');
      const bits = aggregate ? CONDITION_AGGREGATE : 0;
      const text = csvRow(trade, aggregate);
      assert.deepEqual(
        [read(parser, text, KIND_CSV), read(parser, `${text}\r\n`, KIND_REPLAY)],
        [
          { class: 'trades', rows: [row(trade, bits | CONDITION_IMPORTED)] },
          { class: 'trades', rows: [row(trade, bits)] },
        ],
      );
    }),
    { numRuns: 1000 },
  );
});

test('an unknown frame kind is a bug', () => {
  assert.throws(() => read(parserOf('KRAKEN', 'trade'), '{}', 9), /frame kind 9 does not exist/);
});
