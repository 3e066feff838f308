/**
 * Validation shard: bronze in, valid trades and dead letters out.
 *
 * Tails the bronze logs of the exchanges it owns, judges every frame, writes valid trades into slots
 * for the gold shard of their instrument, and collects dead letters for the lake. An
 * exchange belongs to exactly one shard and is read in log order, so what comes out is a pure
 * function of the log, whatever the number of shards. Barriers start here: the positions a shard
 * notes when it sends barrier n are the positions from which a recovery of epoch n resumes.
 */

import { type Exchange, exchangeCode } from '#schemas/exchange';
import { storeInt64 } from '#src/base/int64';
import { mark } from '#src/base/marks';
import type { TradeBatch } from '#src/columns/trade-batch';
import { FRAME_CONTROL, FRAME_DEAD, NO_REASON } from '#src/exchanges/parsed-trades';
import { DeadLetterSink } from '#src/lake/dead-letter-sink';
import type { Lake } from '#src/lake/trade-sink';
import type { LogReader } from '#src/log/log-reader';
import type { Doorbell } from '#src/ring/doorbell';
import { BARRIER, BATCH, type Ring, WATERMARK } from '#src/ring/ring';
import type { SlotPool } from '#src/ring/slot-pool';
import type { Actor } from '#src/runtime/actor';
import type { ActorCounters } from '#src/runtime/counters';
import type { ExchangeProgress, ValidationReport } from '#src/runtime/epoch-report';
import type { Validator } from '#src/trades/validator';

/** Frames judged per exchange and step: a few milliseconds of work at most. */
const FRAMES_PER_STEP = 8192;
const DEAD_LETTER_BYTES_MAX = 8 * 1024 * 1024;
/**
 * Bad trades of one frame that get a dead letter each; the next one stands for the whole frame.
 * Every letter holds the frame's raw bytes: 131,072 junk rows in 4 MiB must not become 512 GiB.
 */
const DEAD_ROWS_PER_FRAME_MAX = 64;
/** Value of Source.row while the whole frame is a dead letter. */
const DEAD_FRAME = 2 ** 30;

/** A gold shard as this shard sees it. */
export interface GoldInput {
  readonly ring: Ring;
  readonly doorbell: Doorbell;
}

export interface ValidationSource {
  readonly exchange: Exchange;
  readonly reader: LogReader;
  readonly validator: Validator;
  /** Where the last epoch left off. */
  readonly progress: ExchangeProgress;
}

export interface ValidationOptions {
  readonly shard: number;
  readonly sources: readonly ValidationSource[];
  readonly gold: readonly GoldInput[];
  readonly slots: SlotPool;
  readonly lake: Lake;
  readonly nextName: () => string;
  /** Rings this shard's own doorbell: a chunk has become free. */
  readonly wake: () => void;
  readonly counters: ActorCounters<'validation'>;
  readonly report: (report: ValidationReport) => Promise<void>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Source {
  readonly exchange: Exchange;
  readonly code: number;
  readonly reader: LogReader;
  readonly validator: Validator;
  readonly progress: Mutable<ExchangeProgress>;
  /** Rows of the current frame already passed on; -1 between frames. */
  row: number;
  /** Dead letters of the current frame, and its raw bytes once there is one. */
  deadRows: number;
  raw: Uint8Array | undefined;
  /** The watermark the gold shards were last told. */
  watermarkToldUs: number;
}

export class ValidationActor implements Actor {
  readonly #options: ValidationOptions;
  readonly #sources: readonly Source[];
  readonly #deadLetters: DeadLetterSink;
  /** The slot being filled for each gold shard, or -1. */
  readonly #open: Int32Array;
  /** Epoch whose barrier is asked for and not yet sent, or 0. */
  #barrier = 0;
  #batches = 0;
  #stalls = 0;

  constructor(options: ValidationOptions) {
    this.#options = options;
    const { lake, nextName, wake } = options;
    this.#sources = options.sources.map(({ exchange, reader, validator, progress }) => ({
      exchange,
      code: exchangeCode(exchange),
      reader,
      validator,
      progress: { ...progress },
      row: -1,
      deadRows: 0,
      raw: undefined,
      watermarkToldUs: 0,
    }));
    this.#deadLetters = new DeadLetterSink({
      lake,
      bytesMax: DEAD_LETTER_BYTES_MAX,
      jobsMax: 2,
      nextName,
      onFree: wake,
    });
    this.#open = new Int32Array(options.gold.length).fill(-1);
  }

  /** Asks for barrier `epoch` to be sent after the frames judged so far. */
  barrier(epoch: number): void {
    this.#barrier = epoch;
    this.#options.wake();
  }

  /** How far the logs have been judged. */
  progress(): ExchangeProgress[] {
    return this.#sources.map(({ progress }) => ({ ...progress }));
  }

  step(): number {
    let work = 0;
    // Not only where a row is added: an epoch may wait for files while the logs stand still.
    this.#deadLetters.check();
    if (this.#barrier !== 0 && this.#betweenFrames()) work += this.#sendBarrier();
    let caughtUp = true;
    for (const source of this.#sources) {
      const frames = this.#judge(source);
      if (frames === FRAMES_PER_STEP) caughtUp = false;
      work += frames;
    }
    // Under load slots travel full; when the log is drained, what there is must not wait.
    if (caughtUp && this.#flush()) this.#tellWatermarks();
    if (work > 0) this.#count();
    return work;
  }

  /** Judges up to FRAMES_PER_STEP frames of one log; answers how many it finished. */
  #judge(source: Source): number {
    const { reader, validator, progress } = source;
    let frames = 0;
    while (frames < FRAMES_PER_STEP) {
      if (source.row < 0) {
        // A barrier goes between frames; under load this is the only place that is surely one.
        if (this.#barrier !== 0 || !reader.next()) break;
        const { bytes, start, end, kind, receiveTimeUs } = reader;
        const frameClass = validator.validate(bytes, start, end, kind, receiveTimeUs);
        if (receiveTimeUs > progress.watermarkUs) progress.watermarkUs = receiveTimeUs;
        if (frameClass === FRAME_CONTROL) {
          progress.control++;
          this.#finishFrame(source);
          frames++;
          continue;
        }
        if (frameClass === FRAME_DEAD) validator.parsed.count = 0;
        source.row = frameClass === FRAME_DEAD ? DEAD_FRAME : 0;
      }
      if (!this.#passOn(source)) {
        this.#stalls++;
        mark('validation: no slot was free');
        break;
      }
      this.#finishFrame(source);
      frames++;
    }
    return frames;
  }

  #finishFrame(source: Source): void {
    source.row = -1;
    source.deadRows = 0;
    source.raw = undefined;
    source.progress.frames++;
    source.progress.nextSequence = source.reader.sequence + 1;
  }

  /** Passes the current frame's rows on, from source.row; false when there is no room for the next. */
  #passOn(source: Source): boolean {
    const { validator, reader, progress } = source;
    const parsed = validator.parsed;
    if (source.row === DEAD_FRAME) {
      return this.#addDeadLetter(source, -1, parsed.frameReason);
    }
    const shards = this.#options.gold.length;
    while (source.row < parsed.count) {
      const row = source.row;
      const reason = parsed.reason[row] as number;
      if (reason !== NO_REASON) {
        if (!this.#addDeadLetter(source, row, reason)) return false;
        source.row++;
        continue;
      }
      const instrument = parsed.instrument[row] as number;
      const batch = this.#room(instrument % shards);
      if (batch === undefined) return false;
      const at = batch.rows;
      batch.instrument[at] = instrument;
      storeInt64(batch.tradeId, at, parsed.tradeId[row] as number);
      storeInt64(batch.time, at, parsed.timeUs[row] as number);
      batch.price[2 * at] = parsed.price[2 * row] as number;
      batch.price[2 * at + 1] = parsed.price[2 * row + 1] as number;
      batch.quantity[2 * at] = parsed.quantity[2 * row] as number;
      batch.quantity[2 * at + 1] = parsed.quantity[2 * row + 1] as number;
      storeInt64(batch.receiveTime, at, reader.receiveTimeUs);
      storeInt64(batch.sourceSequence, at, parsed.sourceSequence[row] as number);
      storeInt64(batch.frameSequence, at, reader.sequence);
      storeInt64(batch.firstId, at, parsed.firstId[row] as number);
      storeInt64(batch.lastId, at, parsed.lastId[row] as number);
      batch.frameIndex[at] = row;
      batch.side[at] = parsed.side[row] as number;
      batch.condition[at] = parsed.condition[row] as number;
      batch.duplicate[at] = 0;
      batch.rows = at + 1;
      progress.valid++;
      source.row++;
    }
    return true;
  }

  /** Keeps the frame and the reason; false when there is no room for it now. */
  #addDeadLetter(source: Source, row: number, reason: number): boolean {
    if (source.deadRows > DEAD_ROWS_PER_FRAME_MAX) return true;
    if (!this.#deadLetters.ready()) return false;
    const { reader, exchange, progress } = source;
    source.raw ??= Uint8Array.prototype.slice.call(reader.bytes, reader.start, reader.end);
    const index = source.deadRows === DEAD_ROWS_PER_FRAME_MAX ? -1 : row;
    source.deadRows++;
    this.#deadLetters.add({
      raw: source.raw,
      index,
      reason,
      receiveTimeUs: reader.receiveTimeUs,
      exchange,
      sequence: reader.sequence,
    });
    progress.deadLetters++;
    return true;
  }

  /** The open batch for a gold shard, with room for a row; undefined when there is no free slot. */
  #room(shard: number): TradeBatch | undefined {
    const { slots } = this.#options;
    let slot = this.#open[shard] as number;
    if (slot >= 0) {
      const batch = slots.batches[slot] as TradeBatch;
      if (batch.rows < batch.capacity) return batch;
      if (!this.#send(shard)) return undefined;
    }
    slot = slots.lease();
    this.#open[shard] = slot;
    return slot < 0 ? undefined : slots.batches[slot];
  }

  /** Sends the open slot of a gold shard, if it holds anything; false when the ring is full. */
  #send(shard: number): boolean {
    const slot = this.#open[shard] as number;
    if (slot < 0) return true;
    const { rows } = this.#options.slots.batches[slot] as TradeBatch;
    if (rows === 0) return true; // stays open for the next row
    const { ring, doorbell } = this.#options.gold[shard] as GoldInput;
    if (!ring.push(BATCH, slot, rows, this.#options.shard)) return false;
    this.#open[shard] = -1;
    this.#batches++;
    doorbell.ring();
    return true;
  }

  #flush(): boolean {
    let all = true;
    for (let shard = 0; shard < this.#open.length; shard++) all = this.#send(shard) && all;
    return all;
  }

  /** Tells the gold shards how far each log's receive time has come; skipped when a ring is full. */
  #tellWatermarks(): void {
    for (const source of this.#sources) {
      const timeUs = source.progress.watermarkUs;
      if (timeUs === source.watermarkToldUs) continue;
      source.watermarkToldUs = timeUs;
      for (const { ring, doorbell } of this.#options.gold) {
        if (ring.push(WATERMARK, source.code, timeUs | 0, Math.floor(timeUs / 2 ** 32))) {
          doorbell.ring();
        } else {
          source.watermarkToldUs = 0; // told again at the next flush
        }
      }
    }
  }

  #betweenFrames(): boolean {
    return this.#sources.every((source) => source.row < 0);
  }

  /** Sends the barrier and hands the epoch's share over; 0 while a ring has no room for it. */
  #sendBarrier(): number {
    const { gold, shard, report } = this.#options;
    // Every ring must take the watermarks and the barrier together, or the barrier waits.
    const needed = this.#sources.length + 1;
    if (!this.#flush()) return 0;
    if (gold.some(({ ring }) => ring.capacity - ring.size < needed)) return 0;
    for (const source of this.#sources) source.watermarkToldUs = 0;
    this.#tellWatermarks();
    const epoch = this.#barrier;
    this.#barrier = 0;
    for (const { ring, doorbell } of gold) {
      ring.push(BARRIER, epoch, 0, 0);
      doorbell.ring();
    }
    const progress = this.#sources.map((source) => ({ ...source.progress }));
    // A failed encoding surfaces in the next step; the report is just never sent.
    void this.#deadLetters.cut().then(
      (files) => report({ stage: 'validation', shard, epoch, progress, files }),
      () => this.#options.wake(),
    );
    return 1;
  }

  #count(): void {
    const { counters } = this.#options;
    let frames = 0;
    let control = 0;
    let trades = 0;
    let deadLetters = 0;
    for (const { progress } of this.#sources) {
      frames += progress.frames;
      control += progress.control;
      trades += progress.valid;
      deadLetters += progress.deadLetters;
    }
    counters.set('frames', frames);
    counters.set('control', control);
    counters.set('trades', trades);
    counters.set('dead_letters', deadLetters);
    counters.set('batches', this.#batches);
    counters.set('stalls', this.#stalls);
  }
}
