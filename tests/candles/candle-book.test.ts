/**
 * The candle book against the oracle: whatever the batch boundaries, the moments of collecting,
 * committing and publishing, and the crashes in between, the committed records are the oracle's
 * candles of all rows so far, byte for byte.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EXCHANGES, type Exchange, exchangeCode } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { TIMEFRAME_US } from '#schemas/timeframe';
import { CandleBook } from '#src/candles/candle-book';
import { CandleReader } from '#src/candles/candle-reader';
import {
  allocateLiveCandles,
  LiveCandlesReader,
  LiveCandlesWriter,
} from '#src/candles/live-candles';
import { CANDLE_BYTES, CANDLE_WORDS, recordWords } from '#src/candles/record';
import { IntervalSet } from '#src/trades/interval-set';
import {
  batchOf,
  candleKey,
  type OracleTrade,
  oracleBytes,
  oracleCandles,
} from '#tests/candles/candle-oracle';
import { arbitraryTrades, START_US } from '#tests/candles/trade-arbitrary';

function instrument(code: number, exchange: Exchange): Instrument {
  return { code, exchange, nativeSymbol: '', symbol: '', baseAsset: '', quoteAsset: '' };
}
const INSTRUMENTS = [instrument(0, 'BINANCE'), instrument(1, 'COINBASE'), instrument(2, 'BINANCE')];
const LATENESS_US = 10_000_000;

type Row = OracleTrade & { readonly duplicate: boolean };

/** What the book is fed: rows of gold in order, and how far each exchange's log has been read. */
type Input = { readonly row: Row } | { readonly exchange: Exchange; readonly watermarkUs: number };

/** What may happen between two inputs. */
const ACTIONS = [
  'go on',
  'new batch',
  'collect',
  'commit',
  'collect and commit',
  'publish',
  'crash',
] as const;
type Action = (typeof ACTIONS)[number];

/** A frame without trades: how far its receive time is ahead of the last row's, if it comes at all. */
type Heartbeat = number | undefined;

/** Rows with gold's duplicate marks, and watermarks: the largest receive time so far. */
function inputsOf(trades: readonly OracleTrade[], heartbeats: readonly Heartbeat[]): Input[] {
  const seen = new Set<string>();
  const largestUs = new Map<Exchange, number>();
  return trades.flatMap((trade, i): Input[] => {
    const key = `${trade.instrument}/${trade.id}`;
    const row = { ...trade, duplicate: seen.has(key) };
    seen.add(key);
    const { exchange } = INSTRUMENTS[trade.instrument];
    const aheadUs = heartbeats[i % heartbeats.length];
    const watermarkUs = Math.max(largestUs.get(exchange) ?? 0, trade.receiveUs + (aheadUs ?? 0));
    largestUs.set(exchange, watermarkUs);
    // Every frame moves the watermark, but the book may be told later.
    return aheadUs === undefined ? [{ row }] : [{ row }, { exchange, watermarkUs }];
  });
}

/** The records of all inputs so far, by key. */
function expectedRecords(inputs: readonly Input[]): Map<string, Uint8Array> {
  const accepted = inputs.flatMap((input) =>
    'row' in input && !input.row.duplicate ? [input.row] : [],
  );
  const watermarkUsOf = (code: number): number =>
    inputs.reduce(
      (largestUs, input) =>
        'exchange' in input && input.exchange === INSTRUMENTS[code].exchange
          ? Math.max(largestUs, input.watermarkUs)
          : largestUs,
      0,
    );
  const candles = oracleCandles(accepted, LATENESS_US, watermarkUsOf);
  return new Map([...candles].map(([key, candle]) => [key, oracleBytes(candle)]));
}

function keyOf(record: Uint8Array): string {
  const { timeframe, instrument, windowStartUs } = new CandleReader(recordWords(record));
  return candleKey(timeframe, instrument, windowStartUs);
}

function recordsOf(bytes: Uint8Array): Uint8Array[] {
  assert.equal(bytes.length % CANDLE_BYTES, 0);
  return Array.from({ length: bytes.length / CANDLE_BYTES }, (_, i) =>
    bytes.slice(i * CANDLE_BYTES, (i + 1) * CANDLE_BYTES),
  );
}

/** A candle stage with a store, driven over `inputs` by actions. */
class Stage {
  readonly #inputs: readonly Input[];
  readonly #goldShards: number;
  readonly #live = allocateLiveCandles(INSTRUMENTS.length);
  #writer = new LiveCandlesWriter(this.#live);
  #book: CandleBook;
  #batch: Row[] = [];
  #at = 0;
  /** Durable: the records and the position they cover. */
  readonly #store = new Map<string, Uint8Array>();
  #storedAt = 0;
  /** Collected, not yet durable, oldest first. */
  #staged: { readonly records: Uint8Array[]; readonly at: number }[] = [];

  constructor(inputs: readonly Input[], goldShards: number) {
    this.#inputs = inputs;
    this.#goldShards = goldShards;
    this.#book = this.#makeBook();
  }

  get isDone(): boolean {
    return this.#at === this.#inputs.length;
  }

  get reader(): LiveCandlesReader {
    return new LiveCandlesReader(this.#live);
  }

  get book(): CandleBook {
    return this.#book;
  }

  #makeBook(): CandleBook {
    return new CandleBook({
      instruments: INSTRUMENTS,
      allowedLatenessUs: LATENESS_US,
      load: (timeframe, code, startUs) => this.#store.get(candleKey(timeframe, code, startUs)),
      goldShards: this.#goldShards,
    });
  }

  takeInput(): void {
    const input = this.#inputs[this.#at++];
    if ('row' in input) {
      this.#batch.push(input.row);
      return;
    }
    // A watermark is a message of its own: it never overtakes rows.
    this.flush();
    const exchange = exchangeCode(input.exchange);
    for (let shard = 0; shard < this.#goldShards; shard++) {
      this.#book.watermark(exchange, input.watermarkUs, shard);
    }
  }

  flush(): void {
    this.#book.apply(batchOf(this.#batch, (row) => this.#batch[row].duplicate));
    this.#batch = [];
  }

  collect(): void {
    this.flush();
    const records = recordsOf(this.#book.collect());
    const before = new Map(this.#store);
    for (const { records } of this.#staged) for (const r of records) before.set(keyOf(r), r);
    const order = records.map((bytes) => {
      const { timeframe, instrument, windowStartUs } = new CandleReader(recordWords(bytes));
      return (timeframe * 1000 + instrument) * 2 ** 32 + windowStartUs / TIMEFRAME_US[0];
    });
    for (let i = 1; i < order.length; i++) assert.ok(order[i - 1] < order[i], 'out of order');
    for (const record of records) {
      assert.notDeepEqual(record, before.get(keyOf(record)), 'collected without a change');
      before.set(keyOf(record), record);
    }
    this.#staged.push({ records, at: this.#at });
    const expected = expectedRecords(this.#inputs.slice(0, this.#at));
    assert.deepEqual(new Map([...before].sort()), new Map([...expected].sort()));
  }

  commit(): void {
    const oldest = this.#staged.shift();
    if (oldest === undefined) return;
    for (const record of oldest.records) this.#store.set(keyOf(record), record);
    this.#storedAt = oldest.at;
    this.#book.committed();
  }

  publish(): void {
    this.flush();
    this.#book.publish(this.#writer);
  }

  crash(): void {
    this.#at = this.#storedAt;
    this.#staged = [];
    this.#batch = [];
    this.#book = this.#makeBook();
    this.#writer = new LiveCandlesWriter(this.#live);
    this.publish();
    // A restarted stage shows what is committed; replay brings the rest.
    for (const record of this.#store.values()) this.#writer.publish(recordWords(record), 0);
    const done = this.#inputs.slice(0, this.#at);
    const sets = INSTRUMENTS.map(() => new IntervalSet());
    for (const input of done) {
      if ('row' in input) sets[input.row.instrument].add(input.row.id, input.row.timeUs);
    }
    this.#book.restore({
      intervals: sets.map((set, code) => ({ instrument: code, intervals: set.pack() })),
      watermarks: EXCHANGES.map((exchange) => ({
        exchange,
        watermarkUs: Math.max(
          0,
          ...done.map((i) => ('exchange' in i && i.exchange === exchange ? i.watermarkUs : 0)),
        ),
      })),
      pending: [...this.#store.values()].filter((record) => {
        const candle = new CandleReader(recordWords(record));
        return !candle.isFinal || !candle.isComplete;
      }),
    });
  }

  act(action: Action): void {
    if (action === 'new batch') this.flush();
    else if (action === 'collect') this.collect();
    else if (action === 'commit') this.commit();
    else if (action === 'collect and commit') {
      this.collect();
      while (this.#staged.length > 0) this.commit();
    } else if (action === 'publish') this.publish();
    else if (action === 'crash') this.crash();
  }
}

const heartbeat: fc.Arbitrary<Heartbeat> = fc.oneof(
  fc.constant(undefined),
  fc.integer({ min: 0, max: 40 }).map((n) => n * 5_000_000),
  fc.constant(86_400_000_000),
);
const inputs = fc
  .tuple(
    arbitraryTrades(INSTRUMENTS.length, 100),
    fc.array(heartbeat, { minLength: 1, maxLength: 6 }),
  )
  .map(([trades, heartbeats]) => inputsOf(trades, heartbeats));
const actions = fc.array(fc.constantFrom(...ACTIONS), { minLength: 1, maxLength: 40 });

test('the committed records are the oracle candles at every collect', () => {
  let crashes = 0;
  let forgotten = 0;
  fc.assert(
    fc.property(inputs, actions, fc.integer({ min: 1, max: 3 }), (list, plan, goldShards) => {
      const stage = new Stage(list, goldShards);
      for (let step = 0; !stage.isDone; step++) {
        stage.takeInput();
        // A plan of crashes alone would never get to the end.
        const action = step < 3 * list.length ? plan[step % plan.length] : 'go on';
        stage.act(action);
        if (action === 'crash') crashes++;
        forgotten = Math.max(forgotten, stage.book.incompleteCount);
      }
      stage.collect();
      stage.publish();
      stage.commit();
    }),
    { numRuns: 300 },
  );
  assert.ok(crashes > 0 && forgotten > 0, 'the runs never got to the hard parts');
});

test('after a collect the live candles are the oracle candles', () => {
  fc.assert(
    fc.property(inputs, actions, (list, plan) => {
      const stage = new Stage(list, 1);
      stage.publish();
      for (let step = 0; !stage.isDone; step++) {
        stage.takeInput();
        stage.act(step < 3 * list.length ? plan[step % plan.length] : 'go on');
      }
      stage.collect();
      stage.publish();
      const expected = expectedRecords(list);
      const newest = new Map<string, number>();
      for (const key of expected.keys()) {
        const [timeframe, code, startUs] = key.split('/').map(Number);
        const series = `${timeframe}/${code}`;
        newest.set(series, Math.max(newest.get(series) ?? 0, startUs));
      }
      const into = new Int32Array(CANDLE_WORDS);
      for (const [key, record] of expected) {
        const [timeframe, code, startUs] = key.split('/').map(Number);
        const newestUs = newest.get(`${timeframe}/${code}`)!;
        if (newestUs - startUs >= 64 * TIMEFRAME_US[timeframe]) continue;
        assert.ok(stage.reader.read(code, timeframe, startUs, into), `${key} is not live`);
        assert.deepEqual(new Uint8Array(into.buffer), record);
        assert.ok(stage.reader.latest(code, timeframe, into));
        assert.equal(new CandleReader(into).windowStartUs, newestUs);
      }
    }),
    { numRuns: 150 },
  );
});

function row(id: number, timeUs: number, receiveUs = timeUs): OracleTrade {
  return { instrument: 0, id, timeUs, receiveUs, price: 1n, quantity: 1n, imported: true };
}

const MINUTE_US = 60_000_000;

/** A stage that has taken the first `taken` of these trades, and a watermark a day ahead. */
function stageOf(trades: readonly OracleTrade[], taken: number): Stage {
  const watermark = { exchange: 'BINANCE' as const, watermarkUs: START_US + 86_400_000_000 };
  const rows = trades.map((trade) => ({ row: { ...trade, duplicate: false } }));
  const stage = new Stage([watermark, ...rows], 1);
  for (let i = 0; i <= taken; i++) stage.takeInput();
  return stage;
}

test('a candle that stays while the coarser one around it is forgotten finds it again', () => {
  const at = (minute: number) => START_US + minute * MINUTE_US;
  const trades = [row(1, at(1)), row(2, at(5)), row(3, at(5)), row(9, at(6)), row(10, at(20))];
  const stage = stageOf([...trades, row(4, at(20)), row(5, at(5))], trades.length);
  stage.collect();
  // Trade 4 completes the minute of 2 and 3, which thus stays; 5m, with 9 in it, is as it was.
  stage.takeInput();
  stage.flush();
  stage.commit();
  stage.takeInput();
  stage.collect();
});

test('a candle completed between a collect and its commit is not forgotten as incomplete', () => {
  const at = (minute: number) => START_US + minute * MINUTE_US;
  // The minute of trade 2 waits for trade 3, which then comes at the top: no backfill.
  const stage = stageOf([row(1, at(30)), row(2, at(1)), row(3, at(31))], 2);
  stage.collect();
  stage.takeInput();
  stage.flush();
  stage.commit();
  stage.collect();
});

test('a candle collected again stays until that collect is committed too', () => {
  const at = (minute: number) => START_US + minute * MINUTE_US;
  const trades = [row(1, at(0)), row(2, at(1)), row(3, at(20)), row(4, at(0)), row(5, at(0))];
  const stage = stageOf(trades, 3);
  stage.collect();
  stage.takeInput();
  stage.collect();
  stage.commit();
  stage.takeInput();
  stage.collect();
});

test('a window that starts at the largest time so far is loaded after a restart', () => {
  const start = START_US + MINUTE_US;
  const trades = [row(1, START_US), row(2, start), row(3, START_US)];
  const stage = stageOf([...trades, row(4, start + 1)], trades.length);
  stage.collect();
  stage.commit();
  stage.crash();
  stage.takeInput();
  stage.collect();
});

test('memory holds the open candles and what is pending, not history', () => {
  const store = new Map<string, Uint8Array>();
  const book = new CandleBook({
    instruments: INSTRUMENTS,
    allowedLatenessUs: LATENESS_US,
    load: (timeframe, code, startUs) => store.get(candleKey(timeframe, code, startUs)),
  });
  const commit = (): number => {
    const records = recordsOf(book.collect());
    for (const record of records) store.set(keyOf(record), record);
    book.committed();
    return records.length;
  };
  let id = 0;
  for (let day = 0; day < 20; day++) {
    const rows: OracleTrade[] = [];
    for (let minute = 0; minute < 1440; minute += 10) {
      // Every hour one id is missing.
      id += minute % 60 === 0 ? 2 : 1;
      rows.push(row(id, START_US + (day * 1440 + minute) * 60_000_000));
    }
    book.apply(batchOf(rows));
    book.watermark(0, START_US + (day + 1) * 86_400_000_000);
    commit();
  }
  assert.ok(book.residentCount <= 12, `${book.residentCount} candles in memory`);
  assert.ok(book.incompleteCount > 20 * 24, 'the candles around the gaps are remembered');
  assert.equal(commit(), 0, 'nothing changed, nothing collected');

  // The gap after trade 7 is filled: both neighbours come back, complete, with all their parents.
  const before = book.incompleteCount;
  book.apply(batchOf([row(8, START_US + 55 * 60_000_000)]));
  commit();
  const minutes = [50, 60].map((minute) => START_US + minute * 60_000_000);
  for (const startUs of minutes) {
    const candle = new CandleReader(recordWords(store.get(candleKey(0, 0, startUs))!));
    assert.ok(candle.isComplete && candle.isFinal);
    assert.equal(candle.revision, 1);
  }
  const late = new CandleReader(
    recordWords(store.get(candleKey(0, 0, START_US + 55 * 60_000_000))!),
  );
  assert.ok(late.isComplete && late.revision === 2);
  assert.ok(book.incompleteCount < before);
});

test('past retention: a late trade still counts in coarser candles, a filled gap wakes nobody', () => {
  const store = new Map<string, Uint8Array>();
  const book = new CandleBook({
    instruments: INSTRUMENTS,
    allowedLatenessUs: LATENESS_US,
    load: (timeframe, code, startUs) => store.get(candleKey(timeframe, code, startUs)),
  });
  const commit = (): string[] => {
    const records = recordsOf(book.collect());
    for (const record of records) store.set(keyOf(record), record);
    book.committed();
    return records.map(keyOf);
  };
  const at = (minute: number): number => START_US + minute * MINUTE_US;
  // Ids 4 and 8 are missing.
  book.apply(batchOf([1, 2, 3, 5, 6, 7, 9, 10].map((id) => row(id, at(id)))));
  book.apply(batchOf([row(11, at(2000))]));
  book.watermark(0, at(3000));
  commit();
  const fromUs = at(8);
  for (let minute = 0; minute < 8; minute++) store.delete(candleKey(0, 0, at(minute)));
  book.expire([fromUs, 0, 0, 0, 0, 0]);
  const hourUs = Math.floor(START_US / (60 * MINUTE_US)) * 60 * MINUTE_US;
  const hourTrades = (): number =>
    Number(new CandleReader(recordWords(store.get(candleKey(4, 0, hourUs))!)).tradeCount);
  const before = hourTrades();

  book.apply(batchOf([row(4, at(4))]));
  book.apply(batchOf([row(8, at(8))]));
  const keys = commit();
  assert.ok(keys.includes(candleKey(0, 0, at(8))), 'the minute that is kept');
  for (let minute = 0; minute < 8; minute++) {
    assert.ok(!keys.includes(candleKey(0, 0, at(minute))), `minute ${minute} is past retention`);
  }
  assert.equal(hourTrades() - before, 2);
  // And again, after the partial minute may have been forgotten.
  book.apply(batchOf([row(12, at(2001))]));
  commit();
  book.apply(batchOf([row(0, at(4))]));
  assert.ok(!commit().includes(candleKey(0, 0, at(4))));
});

test('a row gold accepted twice, and a record of another candle, stop the stage', () => {
  const book = new CandleBook({
    instruments: INSTRUMENTS,
    allowedLatenessUs: LATENESS_US,
    load: () => new Uint8Array(CANDLE_BYTES),
  });
  book.apply(batchOf([row(5, START_US)]));
  assert.throws(() => book.apply(batchOf([row(5, START_US)])), /trade 5 of instrument 0/);
  assert.throws(() => book.apply(batchOf([row(6, START_US - 60_000_000)])), /another candle/);
  assert.throws(() => book.committed(), /without a collect/);
});
