/**
 * The candle book's memory: slots of two records and a little bookkeeping, in growing typed arrays.
 *
 * The first record of a slot is the candle, the second its delta: the trades since the last roll-up.
 * Deltas are what a roll-up hands to the next coarser candle, so a trade costs one fold and a coarse
 * candle never needs its finer ones in memory.
 */
import { CANDLE_WORDS } from '#src/candles/record';

/** Words of a slot: 352 bytes. */
const SLOT_WORDS = 2 * CANDLE_WORDS;
const FIRST_CAPACITY = 64;

/** No slot. */
export const NONE = -1;

/** Bit of `state`: the delta holds trades. */
export const TOUCHED = 1;
/** The candle differs from the one last collected. */
export const CHANGED = 2;
/** The candle differs from the one last published. */
export const UNPUBLISHED = 4;
/** The slot is on the list of slots to look at when publishing. */
export const WATCHED = 8;
/** The slot is about to be released. */
export const FORGOTTEN = 16;

export class RecordSlots {
  words = new Int32Array(FIRST_CAPACITY * SLOT_WORDS);
  state = new Uint8Array(FIRST_CAPACITY);
  /** Slot of the candle of the next coarser timeframe around this one, or NONE when not resolved. */
  parent = new Int32Array(FIRST_CAPACITY);
  /** Number of the collect that last handed the candle out; 0 for none. */
  collectedIn = new Float64Array(FIRST_CAPACITY);
  readonly #free: number[] = [];
  #used = 0;

  /** Slots in use. */
  get count(): number {
    return this.#used - this.#free.length;
  }

  /** Word offset of a slot's candle. */
  candle(slot: number): number {
    return slot * SLOT_WORDS;
  }

  /** Word offset of a slot's delta. */
  delta(slot: number): number {
    return slot * SLOT_WORDS + CANDLE_WORDS;
  }

  /** A slot with both records zero; may replace the arrays. */
  take(): number {
    const slot = this.#free.pop() ?? this.#used++;
    if (slot === this.state.length) this.#grow();
    this.words.fill(0, slot * SLOT_WORDS, (slot + 1) * SLOT_WORDS);
    this.state[slot] = 0;
    this.parent[slot] = NONE;
    this.collectedIn[slot] = 0;
    return slot;
  }

  release(slot: number): void {
    this.state[slot] = 0;
    this.#free.push(slot);
  }

  #grow(): void {
    const capacity = 2 * this.state.length;
    const widen = <T extends Int32Array | Uint8Array | Float64Array>(wider: T, from: T): T => {
      wider.set(from);
      return wider;
    };
    this.words = widen(new Int32Array(capacity * SLOT_WORDS), this.words);
    this.state = widen(new Uint8Array(capacity), this.state);
    this.parent = widen(new Int32Array(capacity), this.parent);
    this.collectedIn = widen(new Float64Array(capacity), this.collectedIn);
  }
}
