/**
 * Gold shard: every trade exactly once.
 *
 * Takes the batches of all validation shards, asks the interval set of each trade's instrument
 * whether its id was seen before, masks duplicates in place, collects the rows for the tables, and
 * passes the same slot on to the candle aggregator. An instrument belongs to exactly one gold shard,
 * and its batches arrive in log order, so the first one in the log wins.
 *
 * Silver is written here, too. A trade seen for the first time is the same row in its exchange's
 * silver table and in gold, so those rows are encoded once for both; duplicates get files of silver
 * alone. Encoding is the largest cost of all: this halves it.
 */

import { EXCHANGES, type Exchange, exchangeKey } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { GOLD_TRADES, silverTable } from '#schemas/trade';
import { loadInt64 } from '#src/base/int64';
import { mark } from '#src/base/marks';
import type { TradeBatch } from '#src/columns/trade-batch';
import { type Lake, TradeSink } from '#src/lake/trade-sink';
import { BarrierAlignment } from '#src/ring/barrier-alignment';
import type { Doorbell } from '#src/ring/doorbell';
import { BARRIER, BATCH, type Ring } from '#src/ring/ring';
import type { Actor } from '#src/runtime/actor';
import type { ActorCounters } from '#src/runtime/counters';
import type { GoldReport, InstrumentState } from '#src/runtime/epoch-report';
import { IntervalSet } from '#src/trades/interval-set';
import type { LiveTradesWriter } from '#src/trades/live-trades';

/** Messages taken per input and step. */
const MESSAGES_PER_STEP = 32;
/** Per exchange. */
const CHUNKS_MAX = 3;
/** One trade in a hundred is a duplicate. */
const DUPLICATES_PER_CHUNK = 1 / 16;

export interface GoldOptions {
  readonly shard: number;
  /** One ring per validation shard, in shard order. */
  readonly inputs: readonly Ring[];
  /** The batches of each validation shard's slots. */
  readonly batches: readonly (readonly TradeBatch[])[];
  readonly output: { readonly ring: Ring; readonly doorbell: Doorbell };
  readonly instruments: readonly Instrument[];
  /** The last epoch's packed interval sets, by instrument code. */
  readonly intervals: ReadonlyMap<number, Uint8Array>;
  /** Where the newest trades are shown; undefined where nobody looks. */
  readonly live: LiveTradesWriter | undefined;
  readonly lake: Lake;
  readonly chunkRows: number;
  readonly nextName: () => string;
  readonly wake: () => void;
  readonly counters: ActorCounters<'gold'>;
  readonly report: (report: GoldReport) => Promise<void>;
}

interface Input {
  readonly ring: Ring;
  /** Whether the ring's current message is taken but not finished. */
  busy: boolean;
  /** Rows of the current batch already judged. */
  row: number;
}

export class GoldActor implements Actor {
  readonly #options: GoldOptions;
  readonly #inputs: readonly Input[];
  readonly #alignment: BarrierAlignment;
  /** By exchange code: rows for silver and gold, and duplicates, for silver alone. */
  readonly #accepted: readonly TradeSink[];
  readonly #repeated: readonly TradeSink[];
  /** By instrument code; undefined for instruments of other shards. */
  readonly #sets: readonly IntervalSet[];
  /** By instrument code: 1 when the set changed since the last barrier. */
  readonly #changed: Uint8Array;
  /** By instrument code: the exchange's code. */
  readonly #exchangeOf: Uint8Array;
  readonly #trades: Float64Array = new Float64Array(EXCHANGES.length);
  readonly #duplicates: Float64Array = new Float64Array(EXCHANGES.length);
  #batches = 0;
  #stalls = 0;

  constructor(options: GoldOptions) {
    this.#options = options;
    this.#inputs = options.inputs.map((ring) => ({ ring, busy: false, row: 0 }));
    this.#alignment = new BarrierAlignment(options.inputs.length);
    this.#sets = options.instruments.map(({ code }) => {
      const packed = options.intervals.get(code);
      return packed === undefined ? new IntervalSet() : IntervalSet.unpack(packed);
    });
    this.#changed = new Uint8Array(options.instruments.length);
    this.#exchangeOf = Uint8Array.from(options.instruments, ({ exchange }) =>
      EXCHANGES.indexOf(exchange),
    );
    const { lake, chunkRows, nextName, wake } = options;
    const sink = (tables: readonly string[], rows: number): TradeSink =>
      new TradeSink({
        lake,
        tables,
        chunkRows: rows,
        chunksMax: CHUNKS_MAX,
        nextName,
        onFree: wake,
      });
    const silver = EXCHANGES.map((exchange) => silverTable(exchangeKey(exchange)));
    this.#accepted = silver.map((table) => sink([table, GOLD_TRADES], chunkRows));
    this.#repeated = silver.map((table) =>
      sink([table], Math.ceil(chunkRows * DUPLICATES_PER_CHUNK)),
    );
  }

  step(): number {
    let work = 0;
    // Not only where a row is added: an epoch may wait for files while the logs stand still.
    for (const sink of this.#accepted) sink.check();
    for (const sink of this.#repeated) sink.check();
    for (let i = 0; i < this.#inputs.length; i++) work += this.#drain(i);
    if (work > 0) this.#count();
    return work;
  }

  #drain(index: number): number {
    const input = this.#inputs[index] as Input;
    const { ring } = input;
    let messages = 0;
    while (messages < MESSAGES_PER_STEP && !this.#alignment.rests(index)) {
      if (!input.busy) {
        if (!ring.take()) break;
        input.busy = true;
        input.row = 0;
      }
      if (!this.#finish(index, input)) {
        this.#stalls++;
        mark('gold: a chunk or a ring was full');
        break;
      }
      input.busy = false;
      messages++;
    }
    return messages;
  }

  /** Finishes the input's current message; false when there is no room to pass it on yet. */
  #finish(index: number, input: Input): boolean {
    const { ring } = input;
    const { output } = this.#options;
    if (ring.kind === BATCH) {
      const batch = this.#options.batches[ring.c]?.[ring.a] as TradeBatch;
      input.row = this.#judge(batch, input.row, ring.b);
      if (input.row < ring.b) return false;
      // Shown once, and while the slot is still ours: nothing may fail after this.
      if (output.ring.capacity === output.ring.size) return false;
      this.#options.live?.publish(batch, ring.b);
      output.ring.push(BATCH, ring.a, ring.b, ring.c);
      this.#batches++;
    } else if (ring.kind === BARRIER) {
      // The output must have room before this input may count as arrived.
      if (output.ring.capacity === output.ring.size) return false;
      if (this.#alignment.arrive(index, ring.a)) {
        output.ring.push(BARRIER, ring.a, 0, 0);
        this.#handOver(ring.a);
      }
    } else if (!output.ring.push(ring.kind, ring.a, ring.b, ring.c)) {
      return false;
    }
    output.doorbell.ring();
    return true;
  }

  /** Judges rows [from, rows) of a batch; answers the first row there was no room for. */
  #judge(batch: TradeBatch, from: number, rows: number): number {
    let row = from;
    while (row < rows) {
      const exchange = this.#exchangeOf[batch.instrument[row] as number] as number;
      const accepted = this.#accepted[exchange] as TradeSink;
      const repeated = this.#repeated[exchange] as TradeSink;
      // Which of the two a row goes to is known only once its set has changed.
      const room = Math.min(accepted.room(), repeated.room());
      if (room === 0) return row;
      const end = this.#mark(batch, row, Math.min(rows, row + room), exchange);
      this.#collect(batch, row, end, accepted, repeated);
      row = end;
    }
    return rows;
  }

  /** Marks the duplicates among rows [from, rows) up to the first of another exchange; answers that one. */
  #mark(batch: TradeBatch, from: number, rows: number, exchange: number): number {
    const { instrument, tradeId, time, duplicate } = batch;
    let fresh = 0;
    let row = from;
    for (; row < rows; row++) {
      const code = instrument[row] as number;
      if (this.#exchangeOf[code] !== exchange) break;
      const set = this.#sets[code] as IntervalSet;
      const isFresh = set.add(loadInt64(tradeId, row), loadInt64(time, row));
      duplicate[row] = isFresh ? 0 : 1;
      if (isFresh) fresh++;
      this.#changed[code] = 1; // a duplicate changes the set's count, too
    }
    this.#trades[exchange]! += fresh;
    this.#duplicates[exchange]! += row - from - fresh;
    return row;
  }

  /** Copies rows [from, to) to where they belong, runs of equal fate at a time. */
  #collect(
    batch: TradeBatch,
    from: number,
    to: number,
    accepted: TradeSink,
    repeated: TradeSink,
  ): void {
    const { duplicate } = batch;
    for (let first = from; first < to; ) {
      const fate = duplicate[first];
      let end = first + 1;
      while (end < to && duplicate[end] === fate) end++;
      (fate === 0 ? accepted : repeated).add(batch, first, end - first);
      first = end;
    }
  }

  #handOver(epoch: number): void {
    const { shard, report, wake } = this.#options;
    const instruments: InstrumentState[] = [];
    for (let code = 0; code < this.#changed.length; code++) {
      if (this.#changed[code] === 0) continue;
      instruments.push({ instrument: code, intervals: (this.#sets[code] as IntervalSet).pack() });
    }
    this.#changed.fill(0);
    const counts = EXCHANGES.map((exchange: Exchange, code) => ({
      exchange,
      trades: this.#trades[code] as number,
      duplicates: this.#duplicates[code] as number,
    }));
    const cuts = [...this.#accepted, ...this.#repeated].map((sink) => sink.cut());
    void Promise.all(cuts).then(
      (files) => report({ stage: 'gold', shard, epoch, instruments, files: files.flat(), counts }),
      wake, // the failure surfaces in the next step
    );
  }

  #count(): void {
    const { counters } = this.#options;
    counters.set(
      'trades',
      this.#trades.reduce((a, b) => a + b, 0),
    );
    counters.set(
      'duplicates',
      this.#duplicates.reduce((a, b) => a + b, 0),
    );
    counters.set('batches', this.#batches);
    counters.set('stalls', this.#stalls);
  }
}
