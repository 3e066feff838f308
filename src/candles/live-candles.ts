/**
 * Live candles: the newest candles in shared memory, for readers in other threads.
 *
 *   word 0          instruments | ring size | (zero) | (zero)
 *   then per series (instrument x 6 + timeframe):
 *     1 word        newest window index + 1; 0 before the first
 *     1 word        publications so far, modulo 2^32: whether there is anything new to look for
 *   then, from the next 64-byte boundary, per series `ring size` slots of 192 bytes:
 *     word 0        sequence lock: odd while the slot is being written
 *     words 4-47    the record (record.ts)
 *
 * A window lives in slot (window index % ring size) of its series until a newer one takes it. One
 * writer, any number of readers. Every word is stored and loaded with Atomics: these are totally
 * ordered in JavaScript's memory model, so a record read between two equal, even sequence numbers
 * is whole on every processor, which plain stores would not promise.
 */
import { TIMEFRAME_US, TIMEFRAMES } from '#schemas/timeframe';
import { assert } from '#src/base/errors';
import { CANDLE_WORDS, numberAt, timeframeAt, WORD } from '#src/candles/record';

const HEADER_WORDS = 4;
/** Newest window and publications. */
const SERIES_WORDS = 2;
const SLOT_WORDS = 48;
const RECORD = 4;
const RING_SIZE = 64;
/** Loads of a slot before a reader sleeps: a write takes about a microsecond. */
const SPINS = 100;
/** Sleeps of a millisecond before a reader gives the slot up: its writer has died in the middle. */
const SLEEPS = 50;

/** Memory for the live candles of instruments with codes below `instruments`. */
export function allocateLiveCandles(instruments: number, ringSize = RING_SIZE): SharedArrayBuffer {
  const series = instruments * TIMEFRAMES.length;
  const words = slotsStart(series) + series * ringSize * SLOT_WORDS;
  const memory = new SharedArrayBuffer(4 * words);
  new Int32Array(memory).set([instruments, ringSize]);
  return memory;
}

function slotsStart(series: number): number {
  return Math.ceil((HEADER_WORDS + SERIES_WORDS * series) / 16) * 16;
}

function seriesOf(instrument: number, timeframe: number): number {
  return instrument * TIMEFRAMES.length + timeframe;
}

export class LiveCandlesWriter {
  readonly #words: Int32Array;
  readonly #ringSize: number;
  readonly #slotsStart: number;

  /** Attaches to memory of `allocateLiveCandles`; empties slots that a writer left half-written. */
  constructor(memory: SharedArrayBuffer) {
    const words = new Int32Array(memory);
    this.#words = words;
    this.#ringSize = words[1];
    this.#slotsStart = slotsStart(words[0] * TIMEFRAMES.length);
    for (let at = this.#slotsStart; at < words.length; at += SLOT_WORDS) {
      if ((words[at] & 1) === 0) continue;
      for (let w = RECORD; w < SLOT_WORDS; w++) Atomics.store(words, at + w, 0);
      Atomics.add(words, at, 1);
    }
  }

  /** Shows the record at word `at` of `record`, unless a newer window holds its slot. */
  publish(record: Int32Array, at: number): void {
    const words = this.#words;
    const timeframe = timeframeAt(record, at);
    const series = seriesOf(record[at + WORD.instrument], timeframe);
    const startUs = numberAt(record, at, WORD.windowStart);
    const index = startUs / TIMEFRAME_US[timeframe];
    const slot =
      this.#slotsStart + (series * this.#ringSize + (index % this.#ringSize)) * SLOT_WORDS;
    if (startUs < numberAt(words, slot + RECORD, WORD.windowStart)) return;
    const sequence = words[slot];
    Atomics.store(words, slot, (sequence + 1) | 0);
    for (let w = 0; w < CANDLE_WORDS; w++) {
      // An ordered store costs some 10 ns and most words stay as they were.
      if (words[slot + RECORD + w] !== record[at + w]) {
        Atomics.store(words, slot + RECORD + w, record[at + w]);
      }
    }
    Atomics.store(words, slot, (sequence + 2) | 0);
    const newest = HEADER_WORDS + SERIES_WORDS * series;
    if (index >= words[newest]) Atomics.store(words, newest, index + 1);
    Atomics.store(words, newest + 1, words[newest + 1] + 1);
  }
}

export class LiveCandlesReader {
  readonly #words: Int32Array;
  /** Windows of a series that can be there at once. */
  readonly ringSize: number;
  readonly #slotsStart: number;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.ringSize = this.#words[1];
    this.#slotsStart = slotsStart(this.#words[0] * TIMEFRAMES.length);
  }

  /** Copies the candle of a window to word `at` of `into`; false when it is not here (any more). */
  read(
    instrument: number,
    timeframe: number,
    windowStartUs: number,
    into: Int32Array,
    at = 0,
  ): boolean {
    const words = this.#words;
    const index = windowStartUs / TIMEFRAME_US[timeframe];
    assert(
      instrument < words[0] && Number.isInteger(index) && index >= 0,
      `no live window ${windowStartUs} of instrument ${instrument}, timeframe ${timeframe}`,
    );
    const series = seriesOf(instrument, timeframe);
    const slot = this.#slotsStart + (series * this.ringSize + (index % this.ringSize)) * SLOT_WORDS;
    for (let sleeps = 0, spins = 0; sleeps < SLEEPS; ) {
      const before = Atomics.load(words, slot);
      if ((before & 1) === 0) {
        for (let w = 0; w < CANDLE_WORDS; w++) {
          into[at + w] = Atomics.load(words, slot + RECORD + w);
        }
        if (Atomics.load(words, slot) === before) {
          const isThere = into[at + WORD.tradeCount] !== 0 || into[at + WORD.tradeCount + 1] !== 0;
          return isThere && numberAt(into, at, WORD.windowStart) === windowStartUs;
        }
      }
      if (++spins % SPINS === 0) {
        sleeps++;
        if ((before & 1) !== 0) Atomics.wait(words, slot, before, 1);
      }
    }
    return false;
  }

  /** Copies the newest candle of a series; false before the first. */
  latest(instrument: number, timeframe: number, into: Int32Array, at = 0): boolean {
    for (;;) {
      const newest = this.#newestIndex(instrument, timeframe);
      if (newest < 0) return false;
      if (this.read(instrument, timeframe, newest * TIMEFRAME_US[timeframe], into, at)) return true;
      // Overtaken by a whole ring, or the slot was lost with its writer.
      if (this.#newestIndex(instrument, timeframe) === newest) return false;
    }
  }

  /**
   * Copies the candles with window start in [fromUs, toUs), oldest first, to the start of `into` and
   * answers how many: at most a ring's worth, and at most what `into` holds (then the oldest ones).
   */
  range(
    instrument: number,
    timeframe: number,
    fromUs: number,
    toUs: number,
    into: Int32Array,
  ): number {
    return this.#copy(instrument, timeframe, fromUs, toUs, into, false);
  }

  /** As `range`, but newest first, and of more than `into` holds the newest ones. */
  newest(
    instrument: number,
    timeframe: number,
    fromUs: number,
    toUs: number,
    into: Int32Array,
  ): number {
    return this.#copy(instrument, timeframe, fromUs, toUs, into, true);
  }

  #copy(
    instrument: number,
    timeframe: number,
    fromUs: number,
    toUs: number,
    into: Int32Array,
    descending: boolean,
  ): number {
    const lengthUs = TIMEFRAME_US[timeframe];
    const newest = this.#newestIndex(instrument, timeframe);
    const last = Math.min(newest, Math.ceil(toUs / lengthUs) - 1);
    const first = Math.max(newest - this.ringSize + 1, Math.ceil(fromUs / lengthUs), 0);
    const room = Math.floor(into.length / CANDLE_WORDS);
    let count = 0;
    for (let i = 0; i <= last - first && count < room; i++) {
      const index = descending ? last - i : first + i;
      if (this.read(instrument, timeframe, index * lengthUs, into, count * CANDLE_WORDS)) count++;
    }
    return count;
  }

  /** Publications of a series so far, modulo 2^32: the same number means that nothing is new. */
  publications(instrument: number, timeframe: number): number {
    return Atomics.load(this.#words, this.#seriesWord(instrument, timeframe) + 1);
  }

  /**
   * Copies the candles whose slots were written since the last call with this `seen`, oldest first,
   * to the start of `into` and answers how many. `seen` has a word per slot of the ring, at first
   * zero. One that is being written at the moment is left for the next call.
   */
  changed(instrument: number, timeframe: number, seen: Int32Array, into: Int32Array): number {
    const series = seriesOf(instrument, timeframe);
    const newest = this.#newestIndex(instrument, timeframe);
    let count = 0;
    for (let index = Math.max(0, newest - this.ringSize + 1); index <= newest; index++) {
      const place = index % this.ringSize;
      const slot = this.#slotsStart + (series * this.ringSize + place) * SLOT_WORDS;
      const sequence = Atomics.load(this.#words, slot);
      if (sequence === seen[place] || (sequence & 1) !== 0) continue;
      seen[place] = sequence;
      const startUs = index * TIMEFRAME_US[timeframe];
      if (this.read(instrument, timeframe, startUs, into, count * CANDLE_WORDS)) count++;
    }
    return count;
  }

  #seriesWord(instrument: number, timeframe: number): number {
    return HEADER_WORDS + SERIES_WORDS * seriesOf(instrument, timeframe);
  }

  /** -1 before the first candle. */
  #newestIndex(instrument: number, timeframe: number): number {
    return Atomics.load(this.#words, this.#seriesWord(instrument, timeframe)) - 1;
  }
}
