/**
 * The trade ids of one instrument seen so far, exactly, as sorted disjoint intervals [lo, hi].
 *
 * Exchange ids are dense integers, so all of history is one interval plus one per gap: 32 bytes each,
 * whatever the number of trades. Two neighbouring intervals are never adjacent; what lies between
 * them is a gap (gaps.ts). Every end carries the event time of the trade with that id. The set also
 * keeps the largest event time of any accepted trade, which lateness is judged by.
 *
 * Ids are integers, 0 <= id < 2^53; times are microseconds, 0 <= time < 2^53.
 */

import { assert } from '#src/base/errors';
import { loadInt64, storeInt64 } from '#src/base/int64';

/** Doubles per interval: lo, hi, event time at lo, event time at hi. */
const STRIDE = 4;
const HI = 1;
const LO_TIME = 2;
const HI_TIME = 3;

/** Packed form: header of int32 version, int32 intervals, int64 largest event time, int64 duplicates; then intervals. */
const PACK_VERSION = 1;
const PACK_HEADER_WORDS = 6;
const PACK_INTERVAL_WORDS = 2 * STRIDE;

/** Indexes into `#totals`; typed, because a changing double in an object field is a heap number. */
const EVENT_TIME_MAX = 0;
const IDS = 1;
const DUPLICATES = 2;
const BACKFILLS = 3;

export class IntervalSet {
  #intervals = new Float64Array(4 * STRIDE);
  #count = 0;
  readonly #totals = new Float64Array(4);

  constructor() {
    this.#totals[EVENT_TIME_MAX] = -1;
  }

  /** Number of intervals; one less than this is the number of gaps. */
  get intervalCount(): number {
    return this.#count;
  }

  /** Distinct ids, which is accepted trades. */
  get idsCount(): number {
    return this.#totals[IDS];
  }

  /** Trades refused because their id was there already. */
  get duplicatesCount(): number {
    return this.#totals[DUPLICATES];
  }

  /** Largest event time of any accepted trade (the event watermark); -1 before the first. */
  get eventTimeMaxUs(): number {
    return this.#totals[EVENT_TIME_MAX];
  }

  /**
   * Ids accepted below the largest one, in this object's life. While it stands still, ids only grew
   * at the top, so no range below the top can have become covered.
   */
  get backfillsCount(): number {
    return this.#totals[BACKFILLS];
  }

  /** Memory held by the intervals. */
  get byteLength(): number {
    return this.#intervals.byteLength;
  }

  lo(i: number): number {
    return this.#intervals[STRIDE * i];
  }

  hi(i: number): number {
    return this.#intervals[STRIDE * i + HI];
  }

  /** Event time of the trade whose id is lo(i). */
  loTimeUs(i: number): number {
    return this.#intervals[STRIDE * i + LO_TIME];
  }

  /** Event time of the trade whose id is hi(i). */
  hiTimeUs(i: number): number {
    return this.#intervals[STRIDE * i + HI_TIME];
  }

  /** The largest id; -1 when empty. */
  get largestId(): number {
    return this.#count === 0 ? -1 : this.hi(this.#count - 1);
  }

  /** Adds a trade; false, and nothing but the duplicate count changes, when its id is there already. */
  add(id: number, timeUs: number): boolean {
    const end = STRIDE * this.#count;
    const intervals = this.#intervals;
    if (end !== 0 && id === intervals[end - STRIDE + HI] + 1) {
      intervals[end - STRIDE + HI] = id;
      intervals[end - STRIDE + HI_TIME] = timeUs;
    } else if (!this.#insert(id, timeUs)) {
      this.#totals[DUPLICATES]++;
      return false;
    }
    const totals = this.#totals;
    totals[IDS]++;
    if (timeUs > totals[EVENT_TIME_MAX]) totals[EVENT_TIME_MAX] = timeUs;
    return true;
  }

  has(id: number): boolean {
    return this.covers(id, id);
  }

  /** Whether every id of [from, to] is there, that is, whether one interval holds them all. */
  covers(from: number, to: number): boolean {
    const i = this.#indexOf(from);
    return i >= 0 && to <= this.#intervals[STRIDE * i + HI];
  }

  /** Exact copy of the set (all but `backfillsCount`) as little-endian bytes. */
  pack(): Uint8Array {
    const words = new Int32Array(PACK_HEADER_WORDS + PACK_INTERVAL_WORDS * this.#count);
    words[0] = PACK_VERSION;
    words[1] = this.#count;
    storeInt64(words, 1, this.eventTimeMaxUs);
    storeInt64(words, 2, this.duplicatesCount);
    const values = STRIDE * this.#count;
    for (let v = 0; v < values; v++) {
      storeInt64(words, PACK_HEADER_WORDS / 2 + v, this.#intervals[v]);
    }
    return new Uint8Array(words.buffer);
  }

  static unpack(bytes: Uint8Array): IntervalSet {
    // An Int32Array needs an aligned start, which a value in the middle of a page may not have.
    // A Buffer's own slice() would be a view of the same memory.
    const own = Uint8Array.prototype.slice.call(bytes);
    const words = new Int32Array(own.buffer, 0, bytes.byteLength >>> 2);
    const [version, count] = words;
    assert(version === PACK_VERSION, `interval set version ${version}, known is ${PACK_VERSION}`);
    const expected = 4 * (PACK_HEADER_WORDS + PACK_INTERVAL_WORDS * count);
    assert(
      count >= 0 && bytes.byteLength === expected,
      `interval set of ${count} intervals in ${bytes.byteLength} bytes`,
    );
    const set = new IntervalSet();
    set.#intervals = new Float64Array(STRIDE * Math.max(4, count));
    set.#count = count;
    set.#totals[EVENT_TIME_MAX] = loadInt64(words, 1);
    set.#totals[DUPLICATES] = loadInt64(words, 2);
    for (let v = 0; v < STRIDE * count; v++) {
      set.#intervals[v] = loadInt64(words, PACK_HEADER_WORDS / 2 + v);
    }
    for (let i = 0; i < count; i++) {
      const lowest = i === 0 ? 0 : set.hi(i - 1) + 2;
      assert(
        set.lo(i) >= lowest && set.hi(i) >= set.lo(i),
        `interval ${i} [${set.lo(i)}, ${set.hi(i)}] breaks the order`,
      );
      set.#totals[IDS] += set.hi(i) - set.lo(i) + 1;
    }
    return set;
  }

  /** Index of the last interval with lo <= id; -1 when there is none. */
  #indexOf(id: number): number {
    const intervals = this.#intervals;
    let above = this.#count;
    // Almost every question is about the newest interval.
    if (above > 0 && id >= intervals[STRIDE * (above - 1)]) return above - 1;
    let low = 0;
    while (low < above) {
      const middle = (low + above) >>> 1;
      if (intervals[STRIDE * middle] <= id) low = middle + 1;
      else above = middle;
    }
    return low - 1;
  }

  /** Every addition but the dense append. */
  #insert(id: number, timeUs: number): boolean {
    const left = this.#indexOf(id);
    const right = left + 1;
    if (left >= 0 && id <= this.hi(left)) return false;
    if (right < this.#count) this.#totals[BACKFILLS]++;
    const intervals = this.#intervals;
    const joinsLeft = left >= 0 && this.hi(left) + 1 === id;
    const joinsRight = right < this.#count && this.lo(right) - 1 === id;
    if (joinsLeft && joinsRight) {
      intervals[STRIDE * left + HI] = this.hi(right);
      intervals[STRIDE * left + HI_TIME] = this.hiTimeUs(right);
      intervals.copyWithin(STRIDE * right, STRIDE * (right + 1), STRIDE * this.#count);
      this.#count--;
    } else if (joinsLeft) {
      intervals[STRIDE * left + HI] = id;
      intervals[STRIDE * left + HI_TIME] = timeUs;
    } else if (joinsRight) {
      intervals[STRIDE * right] = id;
      intervals[STRIDE * right + LO_TIME] = timeUs;
    } else {
      this.#open(right, id, timeUs);
    }
    return true;
  }

  /** Puts the interval [id, id] at index i. */
  #open(i: number, id: number, timeUs: number): void {
    if (STRIDE * this.#count === this.#intervals.length) {
      const wider = new Float64Array(2 * this.#intervals.length);
      wider.set(this.#intervals);
      this.#intervals = wider;
    }
    const intervals = this.#intervals;
    const at = STRIDE * i;
    intervals.copyWithin(at + STRIDE, at, STRIDE * this.#count);
    intervals[at] = id;
    intervals[at + HI] = id;
    intervals[at + LO_TIME] = timeUs;
    intervals[at + HI_TIME] = timeUs;
    this.#count++;
  }
}
