/**
 * Candle aggregator: gold in, candles out, live and as tables. The last stage: it frees the slots.
 *
 * Folds every trade that is not masked into its 1m candle, shows touched candles in shared memory at
 * the end of each step, and at a barrier hands over the candles that changed together with freshly
 * written partition files. A candle file holds its whole partition (a day; a month for 1d): what the
 * last epoch committed, overlaid with what changed since, so it replaces the earlier file.
 */
import { TIMEFRAMES, type Timeframe } from '#schemas/timeframe';
import { joinInt64 } from '#src/base/int64';
import type { CandleBook } from '#src/candles/candle-book';
import type { LiveCandlesWriter } from '#src/candles/live-candles';
import { type CommittedCandles, touchedPartitions } from '#src/candles/partition';
import { CANDLE_BYTES } from '#src/candles/record';
import type { TradeBatch } from '#src/columns/trade-batch';
import type { StagedFile } from '#src/lake/staged-file';
import type { Lake } from '#src/lake/trade-sink';
import { BarrierAlignment } from '#src/ring/barrier-alignment';
import type { Doorbell } from '#src/ring/doorbell';
import { BARRIER, BATCH, type Ring } from '#src/ring/ring';
import type { Actor } from '#src/runtime/actor';
import type { ActorCounters } from '#src/runtime/counters';
import type { CandleReport } from '#src/runtime/epoch-report';

/** Messages taken per input and step. */
const MESSAGES_PER_STEP = 32;

/** Where a validation shard takes its slots back. */
export interface SlotReturn {
  readonly ring: Ring;
  readonly doorbell: Doorbell;
}

export interface CandlesOptions {
  /** One ring per gold shard. */
  readonly inputs: readonly Ring[];
  /** The batches of each validation shard's slots. */
  readonly batches: readonly (readonly TradeBatch[])[];
  /** The return path to each validation shard. */
  readonly returns: readonly SlotReturn[];
  readonly book: CandleBook;
  readonly live: LiveCandlesWriter;
  /** Rung after live candles have changed; gold has shown their trades before. */
  readonly changed: Doorbell;
  /** The candles the last epoch committed. */
  readonly committed: CommittedCandles;
  readonly lake: Lake;
  readonly nextName: () => string;
  readonly counters: ActorCounters<'candles'>;
  readonly report: (report: CandleReport) => Promise<void>;
  /** Tells the host of a failure that no step can throw. */
  readonly fail: (error: unknown) => void;
}

export class CandlesActor implements Actor {
  readonly #options: CandlesOptions;
  readonly #alignment: BarrierAlignment;
  #batches = 0;
  #rows = 0;

  constructor(options: CandlesOptions) {
    this.#options = options;
    this.#alignment = new BarrierAlignment(options.inputs.length);
  }

  /** The epoch whose delta was last handed over is durable: older candles may be forgotten. */
  committed(): void {
    this.#options.book.committed();
  }

  step(): number {
    const { inputs, book, live, changed, counters } = this.#options;
    let work = 0;
    for (let i = 0; i < inputs.length; i++) work += this.#drain(i);
    if (work > 0) {
      book.publish(live);
      changed.ring();
      counters.set('batches', this.#batches);
      counters.set('rows', this.#rows);
    }
    return work;
  }

  #drain(index: number): number {
    const { inputs, batches, returns, book } = this.#options;
    const ring = inputs[index] as Ring;
    let messages = 0;
    while (messages < MESSAGES_PER_STEP && !this.#alignment.rests(index) && ring.take()) {
      if (ring.kind === BATCH) {
        const batch = batches[ring.c]?.[ring.a] as TradeBatch;
        book.apply(batch);
        this.#rows += batch.rows;
        const back = returns[ring.c] as SlotReturn;
        back.ring.push(BATCH, ring.a, 0, 0); // as long as the shard has slots: never full
        back.doorbell.ring();
        this.#batches++;
      } else if (ring.kind === BARRIER) {
        if (this.#alignment.arrive(index, ring.a)) this.#handOver(ring.a);
      } else {
        book.watermark(ring.a, joinInt64(ring.b, ring.c), index);
      }
      messages++;
    }
    return messages;
  }

  #handOver(epoch: number): void {
    const { book, report, fail, counters } = this.#options;
    const records = book.collect();
    counters.set('candles', counters.get('candles') + records.byteLength / CANDLE_BYTES);
    this.#writePartitions(records).then(
      (files) => report({ stage: 'candles', shard: 0, epoch, records, files }),
      fail,
    );
  }

  async #writePartitions(records: Uint8Array): Promise<StagedFile[]> {
    const { committed, lake, nextName } = this.#options;
    const jobs: Promise<readonly StagedFile[]>[] = [];
    for (const partition of touchedPartitions(records)) {
      const timeframe = TIMEFRAMES[partition.timeframe] as Timeframe;
      const whole = partition.overlay(committed);
      jobs.push(lake.run({ kind: 'candles', timeframe, records: whole, name: nextName() }));
    }
    return (await Promise.all(jobs)).flat();
  }
}
