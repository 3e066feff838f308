/**
 * From truth to what one feed puts on the wire: taker orders become messages, and the fault profile
 * drops, repeats, delays and surrounds them. The plan is the same for every connection of the feed;
 * a function of the orders and the seed, not of how the caller steps.
 *
 * The result is a batch of columns: item i is a message (`instrument[i]` >= 0, units [first, first
 * + count)) or, with instrument -1, the special `specials[first[i]]`. The caller sends it and
 * clears.
 */
import type { ReasonName } from '#schemas/dead-letter';
import type { Random } from '#src/base/random';
import {
  type FaultProfile,
  type Garbage,
  MESSAGE_FAULTS,
  type MessageFault,
} from '#src/simulator/faults';
import type { Feed } from '#src/simulator/frame-format';
import type { Journal } from '#src/simulator/journal';
import { LateQueue } from '#src/simulator/late-queue';
import type { OrderSink } from '#src/simulator/market';
import type { Tape } from '#src/simulator/tape';

/** Something to send or do besides a message; `unit` is the message it was drawn at. */
export interface Special {
  readonly fault: MessageFault;
  readonly instrument: number;
  readonly unit: number;
  readonly reason: ReasonName;
  readonly garbage: Garbage;
  /** A number for whoever carries it out: which connection, how many bytes. */
  readonly draw: number;
}

/** A fault asked for, for the next message that comes; what is left open is drawn. */
export interface ForcedFault {
  readonly fault: MessageFault;
  readonly reason?: ReasonName;
  readonly garbage?: Garbage;
}

const ADVANCED_WINDOW_US = 250_000;

export class FeedPlan implements OrderSink {
  readonly feed: Feed;
  count = 0;
  instrument = new Int32Array(4096);
  first = new Float64Array(4096);
  units = new Int32Array(4096);
  readonly specials: Special[] = [];

  readonly #tapes: readonly Tape[];
  readonly #profile: FaultProfile;
  readonly #journal: Journal;
  readonly #random: Random;
  /** Upper bound of the sum of probabilities up to each fault, as a 32-bit draw. */
  readonly #thresholds: readonly number[];
  readonly #anyThreshold: number;
  readonly #late = new LateQueue();
  readonly #reordered = new LateQueue();
  /** Rows per instrument of the running 250 ms of the Advanced feed. */
  readonly #windowFirst: Float64Array;
  readonly #windowCount: Int32Array;
  #windowEndUs: number;
  readonly #forced: ForcedFault[] = [];
  #messages = 0;

  constructor(
    feed: Feed,
    tapes: readonly Tape[],
    profile: FaultProfile,
    journal: Journal,
    random: Random,
  ) {
    this.feed = feed;
    this.#tapes = tapes;
    this.#profile = profile;
    this.#journal = journal;
    this.#random = random;
    let sum = 0;
    this.#thresholds = MESSAGE_FAULTS.map((fault) => {
      sum += profile[fault];
      return sum * 0x100000000;
    });
    this.#anyThreshold = this.#thresholds[this.#thresholds.length - 1] as number;
    this.#windowEndUs = feed === 'coinbase-advanced' ? 0 : Number.POSITIVE_INFINITY;
    this.#windowFirst = new Float64Array(tapes.length);
    this.#windowCount = new Int32Array(tapes.length);
  }

  /** Messages held back that are still to go out. */
  get held(): number {
    return this.#late.size + this.#reordered.size;
  }

  /** Makes the next message without a fault of its own suffer this one, whatever the profile. */
  force(fault: ForcedFault): void {
    this.#forced.push(fault);
  }

  order(instrument: number, firstRow: number, fills: number, timeUs: number): void {
    if (timeUs >= this.#late.nextKey || timeUs >= this.#windowEndUs) this.release(timeUs);
    const tape = this.#tapes[instrument] as Tape;
    switch (this.feed) {
      case 'kraken':
        if (this.#anyKept(tape, firstRow, fills))
          this.#message(instrument, firstRow, fills, timeUs);
        return;
      case 'binance-aggtrade': {
        for (let a = tape.aggregateAtRow(firstRow); a < tape.aggregates; a++) {
          this.#message(instrument, a, 1, timeUs);
        }
        return;
      }
      case 'coinbase-advanced': {
        if (this.#windowCount[instrument] === 0) this.#windowFirst[instrument] = firstRow;
        this.#windowCount[instrument] = (this.#windowCount[instrument] as number) + fills;
        return;
      }
      default:
        for (let row = firstRow; row < firstRow + fills; row++) {
          if (!tape.lost(row)) this.#message(instrument, row, 1, timeUs);
        }
    }
  }

  /** Puts out what is due by `nowUs`: late messages and a finished Advanced window. */
  release(nowUs: number): void {
    if (nowUs >= this.#windowEndUs) {
      this.#closeWindow(this.#windowEndUs);
      this.#windowEndUs = (Math.floor(nowUs / ADVANCED_WINDOW_US) + 1) * ADVANCED_WINDOW_US;
    }
    while (this.#late.nextKey <= nowUs) this.#emitHeld(this.#late);
  }

  /** Puts out everything that is still held back: the end of the simulation. */
  flush(): void {
    if (this.feed === 'coinbase-advanced') this.#closeWindow(this.#windowEndUs);
    while (this.#reordered.size > 0) this.#emitHeld(this.#reordered);
    while (this.#late.size > 0) this.#emitHeld(this.#late);
  }

  clear(): void {
    this.count = 0;
    this.specials.length = 0;
  }

  #closeWindow(timeUs: number): void {
    for (let instrument = 0; instrument < this.#tapes.length; instrument++) {
      const count = this.#windowCount[instrument] as number;
      if (count === 0) continue;
      this.#windowCount[instrument] = 0;
      const first = this.#windowFirst[instrument] as number;
      if (this.#anyKept(this.#tapes[instrument] as Tape, first, count)) {
        this.#message(instrument, first, count, timeUs);
      }
    }
  }

  /** The first unit from `first` on that the exchange did not lose: one a frame may carry. */
  #keptUnit(instrument: number, first: number): number {
    const tape = this.#tapes[instrument] as Tape;
    let unit = first;
    if (this.feed !== 'binance-aggtrade') while (tape.lost(unit)) unit++;
    return unit;
  }

  #anyKept(tape: Tape, first: number, count: number): boolean {
    for (let row = first; row < first + count; row++) if (!tape.lost(row)) return true;
    return false;
  }

  #message(instrument: number, first: number, count: number, timeUs: number): void {
    this.#messages++;
    const draw = this.#anyThreshold === 0 ? 0 : this.#random.uint32();
    if (this.#forced.length > 0) {
      this.#faulty(this.#forced.shift()!, instrument, first, count, timeUs);
    } else if (draw < this.#anyThreshold) {
      this.#faulty({ fault: this.#drawn(draw) }, instrument, first, count, timeUs);
    } else this.#append(instrument, first, count);
    while (this.#reordered.nextKey <= this.#messages) this.#emitHeld(this.#reordered);
  }

  #drawn(draw: number): MessageFault {
    return MESSAGE_FAULTS[this.#thresholds.findIndex((threshold) => draw < threshold)]!;
  }

  #faulty(
    forced: ForcedFault,
    instrument: number,
    first: number,
    count: number,
    timeUs: number,
  ): void {
    const { fault } = forced;
    const random = this.#random;
    const profile = this.#profile;
    const key = this.#messages + random.between(1, profile.reorderWindow);
    const held = { key, instrument, first, count };
    if (fault === 'duplicate' || fault === 'reorder' || fault === 'late' || fault === 'drop') {
      const { nativeSymbol, startId } = this.#tapes[instrument]!.instrument;
      const { feed } = this;
      const firstId = startId + first;
      this.#journal.fault({ feed, fault, connection: 0, nativeSymbol, firstId, count });
    }
    switch (fault) {
      case 'duplicate':
        this.#append(instrument, first, count);
        if (random.chance(0.5)) this.#append(instrument, first, count);
        else this.#reordered.push(held);
        return;
      case 'reorder':
        this.#reordered.push(held);
        return;
      case 'late':
        this.#late.push({ ...held, key: timeUs + random.between(...profile.lateUs) });
        return;
      case 'drop':
        this.#journal.dropped(this.feed, instrument, first, count);
        return;
      default:
        this.#append(instrument, first, count);
        this.#special(forced, instrument, this.#keptUnit(instrument, first));
    }
  }

  /** Adds a fault that comes besides the messages. */
  #special(forced: ForcedFault, instrument: number, unit: number): void {
    const random = this.#random;
    const { fault } = forced;
    const reason = forced.reason ?? random.pick(this.#possibleReasons());
    const garbage = forced.garbage ?? random.pick(this.#profile.garbageKinds);
    this.specials.push({ fault, instrument, unit, reason, garbage, draw: random.uint32() });
    this.#append(-1, this.specials.length - 1, 0);
  }

  #possibleReasons(): readonly ReasonName[] {
    const { invalidReasons } = this.#profile;
    if (this.feed.startsWith('binance')) return invalidReasons;
    return invalidReasons.filter((reason) => reason !== 'wrong_stream_kind');
  }

  #emitHeld(queue: LateQueue): void {
    const held = queue.pop()!;
    this.#append(held.instrument, held.first, held.count);
  }

  #append(instrument: number, first: number, count: number): void {
    const at = this.count++;
    if (at === this.instrument.length) this.#grow();
    this.instrument[at] = instrument;
    this.first[at] = first;
    this.units[at] = count;
  }

  #grow(): void {
    const { instrument, first, units } = this;
    this.instrument = new Int32Array(2 * instrument.length);
    this.first = new Float64Array(2 * first.length);
    this.units = new Int32Array(2 * units.length);
    this.instrument.set(instrument);
    this.first.set(first);
    this.units.set(units);
  }
}
