import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { REASONS, type ReasonName } from '#schemas/dead-letter';
import { KIND_REST, KIND_WS } from '#src/log/frame';
import type { FaultProfile } from '#src/simulator/faults';
import { FEEDS, type Feed } from '#src/simulator/frame-format';
import type { Journal } from '#src/simulator/journal';
import { type OfflineOptions, OfflineSimulation } from '#src/simulator/offline';
import {
  INSTRUMENTS,
  type ReadTrade,
  rawFields,
  readTrades,
  START_US,
  scaled,
} from '#tests/simulator/fixtures';

const FAULTS: Partial<FaultProfile> = {
  duplicate: 0.03,
  reorder: 0.03,
  late: 0.01,
  drop: 0.01,
  invalid: 0.05,
  garbage: 0.02,
  control: 0.02,
  oversize: 0.001,
  disconnect: 0.002,
  abort: 0.001,
  halfOpen: 0.0005,
  lose: 0.01,
  lateUs: [1_000_000, 8_000_000],
  replayTrades: 5,
};

interface Run {
  readonly journal: Journal;
  readonly digest: string;
  readonly frames: number;
  /** Texts of WebSocket frames that JSON.parse refuses. */
  readonly notJson: string[];
  /** By symbol and id: what the frames said, once per time they said it. */
  readonly sent: Map<string, ReadTrade[]>;
  readonly rest: Set<string>;
}

const key = (symbol: string, id: number): string => `${symbol} ${id}`;

function restIds(text: string): string[] {
  const [symbol, body] = text.split('\n') as [string, string];
  const page = JSON.parse(body) as
    | { result?: Record<string, unknown[][]> }
    | Record<string, number>[];
  if (Array.isArray(page)) {
    return page.map((row) => key(symbol, (row.id ?? row.a ?? row.trade_id) as number));
  }
  const [rows] = Object.values(page.result!) as [unknown[][]];
  return rows.map((row) => key(symbol, row[6] as number));
}

function run(feed: Feed, options: Partial<OfflineOptions>): Run {
  const simulation = new OfflineSimulation({
    seed: 1,
    instruments: INSTRUMENTS,
    feeds: [feed],
    startUs: START_US,
    durationUs: 30_000_000,
    ratePerSecond: 100,
    ...options,
  });
  const known = new Set(INSTRUMENTS.map((instrument) => instrument.nativeSymbol));
  const hash = createHash('sha256');
  const notJson: string[] = [];
  const sent = new Map<string, ReadTrade[]>();
  const rest = new Set<string>();
  let frames = 0;
  let lastUs = 0;
  for (const frame of simulation.frames(feed)) {
    frames++;
    assert.ok(frame.receiveTimeUs >= lastUs, 'receive times never decrease');
    lastUs = frame.receiveTimeUs;
    hash.update(frame.bytes).update(`${frame.kind} ${frame.connection} ${frame.receiveTimeUs}`);
    const text = Buffer.from(frame.bytes).toString();
    if (frame.kind === KIND_REST) for (const id of restIds(text)) rest.add(id);
    else {
      assert.equal(frame.kind, KIND_WS);
      const trades = readTrades(text);
      if (trades === undefined) notJson.push(text);
      for (const trade of trades ?? []) {
        if (!known.has(trade.symbol)) continue;
        const list = sent.get(key(trade.symbol, trade.id)) ?? [];
        sent.set(key(trade.symbol, trade.id), [...list, trade]);
      }
    }
  }
  return { journal: simulation.journal, digest: hash.digest('hex'), frames, notJson, sent, rest };
}

for (const feed of FEEDS) {
  test(`${feed}: the journal knows exactly what the frames carry`, () => {
    const { journal, sent, notJson } = run(feed, {});
    let trades = 0;
    for (const truth of journal.trades(feed)) {
      trades++;
      const read = sent.get(key(truth.nativeSymbol, truth.id));
      assert.ok(read !== undefined, `${truth.nativeSymbol} ${truth.id} was not sent`);
      assert.equal(read.length, truth.sends);
      for (const trade of read) {
        assert.equal(trade.timeUs, truth.timeUs);
        assert.equal(scaled(trade.price), scaled(truth.price));
        assert.equal(scaled(trade.quantity), scaled(truth.quantity));
        const flipped = truth.side === 'BUY' ? 'SELL' : 'BUY';
        assert.ok([truth.side, flipped].includes(trade.side));
        assert.equal(trade.side, truth.side);
      }
    }
    assert.equal(sent.size, trades);
    assert.ok(trades > 1500, `${trades} trades`);
    assert.deepEqual(notJson, []);
    assert.deepEqual(journal.faults(), []);
    assert.deepEqual(journal.gaps(feed), []);
  });

  test(`${feed}: with every fault, trades, dead letters and gaps are the journal's`, () => {
    fc.assert(
      fc.property(fc.nat(), fc.boolean(), fc.constantFrom(1, 2), (seed, backfill, connections) => {
        const options = { seed, backfill, connections, faults: FAULTS, durationUs: 10_000_000 };
        const { journal, sent, rest, notJson } = run(feed, options);
        const bad = journal.deadLetters(feed);
        // A dead letter may carry a true id: leave those out of what was read.
        const badIds = new Map<string, number>();
        for (const { bytes, recordIndex, reason } of bad) {
          if (reason === 'malformed_frame') continue;
          const read = readTrades(Buffer.from(bytes!).toString())?.[Math.max(0, recordIndex!)];
          if (read === undefined) continue;
          const id = key(read.symbol, read.id);
          badIds.set(id, (badIds.get(id) ?? 0) + 1);
        }
        for (const truth of journal.trades(feed)) {
          const id = key(truth.nativeSymbol, truth.id);
          const reads = (sent.get(id)?.length ?? 0) - (badIds.get(id) ?? 0);
          assert.equal(reads, truth.sends, `${id} was read ${reads} times`);
          assert.equal(rest.has(id), truth.served);
          if (truth.lost) assert.ok(truth.sends === 0 && !truth.served);
        }
        const control = journal
          .faults()
          .filter(({ fault, bytes }) => fault === 'control' && bytes![0] !== 0x7b);
        const malformed = bad.filter(({ reason }) => reason === 'malformed_frame');
        assert.equal(notJson.length, malformed.length + control.length);
        assertGapsHold(journal, feed, sent, rest);
      }),
      { numRuns: 4, includeErrorInReport: true },
    );
  });

  test(`${feed}: same options, same bytes; another seed, other bytes`, () => {
    const options = { faults: FAULTS, backfill: true, durationUs: 5_000_000 };
    const first = run(feed, options);
    assert.equal(run(feed, options).digest, first.digest);
    assert.notEqual(run(feed, { ...options, seed: 2 }).digest, first.digest);
  });
}

/** Each gap's ids are absent, and its neighbours present; nothing else is missing in between. */
function assertGapsHold(
  journal: Journal,
  feed: Feed,
  sent: ReadonlyMap<string, unknown>,
  rest: ReadonlySet<string>,
): void {
  const truths = new Map(
    [...journal.trades(feed)].map((one) => [key(one.nativeSymbol, one.id), one]),
  );
  const here = (id: string): boolean => truths.get(id)!.sends > 0 || rest.has(id);
  let missing = 0;
  for (const { nativeSymbol, firstId, lastId, afterUs, beforeUs } of journal.gaps(feed)) {
    for (let id = firstId; id <= lastId; id++) assert.ok(!here(key(nativeSymbol, id)));
    assert.ok(here(key(nativeSymbol, firstId - 1)) && here(key(nativeSymbol, lastId + 1)));
    assert.ok(afterUs <= beforeUs);
    missing += lastId - firstId + 1;
  }
  for (const { nativeSymbol } of INSTRUMENTS) {
    const ids = [...truths.values()].filter((one) => one.nativeSymbol === nativeSymbol);
    const heard = ids.filter(({ id }) => here(key(nativeSymbol, id))).map(({ id }) => id);
    if (heard.length === 0) continue;
    missing -= Math.max(...heard) - Math.min(...heard) + 1 - heard.length;
  }
  assert.equal(missing, 0);
  assert.ok(sent.size > 0);
}

type Fields = Record<string, unknown>;
const DECIMAL = /^-?\d+(\.\d+)?$/;
const wrong = (value: unknown): boolean => value === undefined || !DECIMAL.test(String(value));
const decimals = (value: unknown): number => (String(value).split('.')[1] ?? '').length;
const micros = (value: unknown): number =>
  typeof value === 'number'
    ? value * (value < 1e14 ? 1000 : 1)
    : Date.parse(`${String(value).slice(0, 19)}Z`) * 1000;

/**
 * What breaks each record rule, told by fields alone; order does not matter, each must be the only
 * one.
 */
const BROKEN: Readonly<Partial<Record<ReasonName, (fields: Fields, timeUs: number) => boolean>>> = {
  symbol_missing: ({ symbol }) => symbol === undefined,
  unknown_symbol: ({ symbol }) =>
    symbol !== undefined && !INSTRUMENTS.some(({ nativeSymbol }) => nativeSymbol === symbol),
  trade_id_missing: ({ id }) => id === undefined,
  trade_id_invalid: ({ id }) => id !== undefined && !/^\d+$/.test(String(id)),
  timestamp_missing: ({ time }) => time === undefined,
  timestamp_invalid: ({ time }) => time !== undefined && Number.isNaN(micros(time)),
  timestamp_future: ({ time }, timeUs) => micros(time) > timeUs + 60e6,
  timestamp_too_old: ({ time }, timeUs) => micros(time) < timeUs - 365 * 86_400e6,
  price_missing: ({ price }) => price === undefined || price === null,
  price_invalid: ({ price }) => price !== undefined && price !== null && wrong(price),
  price_precision: ({ price }) => !wrong(price) && decimals(price) > 8,
  price_range: ({ price }) => Number(price) >= 1e10,
  price_not_positive: ({ price }) => price !== null && Number(price) <= 0,
  quantity_missing: ({ quantity }) => quantity === undefined || quantity === null,
  quantity_invalid: ({ quantity }) => quantity !== undefined && wrong(quantity),
  quantity_precision: ({ quantity }) => !wrong(quantity) && decimals(quantity) > 8,
  quantity_range: ({ quantity }) => Number(quantity) >= 1e10,
  quantity_not_positive: ({ quantity }) => Number(quantity) <= 0,
  side_missing: ({ side }) => side === undefined,
  side_invalid: ({ side }) => side === 'hold',
};

test('every reason a feed can have is produced, and its record breaks that one rule only', () => {
  for (const feed of FEEDS) {
    const options = { faults: { invalid: 0.5 }, durationUs: 30_000_000, ratePerSecond: 200 };
    const { journal } = run(feed, options);
    const seen = new Set<ReasonName>();
    for (const { reason, recordIndex, bytes } of journal.deadLetters(feed)) {
      seen.add(reason!);
      const text = Buffer.from(bytes!).toString();
      if (reason === 'wrong_stream_kind') {
        const { e } = (JSON.parse(text) as { data: { e: string } }).data;
        assert.equal(e, feed === 'binance-trade' ? 'aggTrade' : 'trade');
        assert.equal(recordIndex, -1);
      } else if (recordIndex === -1) {
        assert.equal(readTrades(text)?.length, reason === 'malformed_frame' ? undefined : 0);
      } else {
        const fields = rawFields(feed, text, recordIndex!);
        const broken = Object.entries(BROKEN).filter(([, rule]) => rule(fields, START_US + 15e6));
        const expected = reason === 'malformed_trade' ? [] : [reason];
        const names = broken.map(([name]) => name);
        if (
          reason !== 'malformed_trade' ||
          Object.values(fields).some((one) => one !== undefined)
        ) {
          assert.deepEqual(names, expected, text);
        }
      }
    }
    const possible = REASONS.map(({ name }) => name).filter(
      (name) => name !== 'wrong_stream_kind' || feed.startsWith('binance'),
    );
    assert.deepEqual([...seen].sort(), possible.sort(), feed);
  }
});

test('with backfill only what the exchange lost stays missing', () => {
  const faults = { drop: 0.02, disconnect: 0.001, lose: 0.01 };
  for (const feed of FEEDS) {
    const { journal } = run(feed, { backfill: true, faults });
    const lost = new Set(
      [...journal.trades(feed)]
        .filter((one) => one.lost)
        .map((one) => key(one.nativeSymbol, one.id)),
    );
    for (const { nativeSymbol, firstId, lastId } of journal.gaps(feed)) {
      for (let id = firstId; id <= lastId; id++) assert.ok(lost.has(key(nativeSymbol, id)), feed);
    }
    assert.ok(journal.gaps(feed, { rest: false }).length > journal.gaps(feed).length);
  }
});
