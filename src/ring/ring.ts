/**
 * A single-producer single-consumer ring of four-word messages in shared memory.
 *
 *   byte 0     int32  tail: messages ever pushed (written by the producer only)
 *   byte 128   int32  head: messages ever taken  (written by the consumer only)
 *   byte 256   capacity x 4 int32: kind, a, b, c
 *
 * The two positions are two cache lines apart, so neither side's store evicts the other's line.
 * They count for ever and wrap at 2^32; only their difference matters. Data and control travel the
 * same ordered path: a message is a slot number, a watermark or an epoch barrier (`kind`).
 * A full ring is an answer, not an error: `push` returns false and the producer tries again later.
 */
import { assert } from '#src/base/errors';

/** A trade batch: a = slot, b = rows, c = the validation shard that owns the slot. */
export const BATCH = 1;
/** A receive-time watermark: a = exchange code, b and c = microseconds (low and high word). */
export const WATERMARK = 2;
/** Everything before this message belongs to epoch a (or an earlier one). */
export const BARRIER = 3;

const TAIL = 0;
const HEAD = 128 / 4;
const ENTRIES = 256 / 4;
const ENTRY_WORDS = 4;

export class Ring {
  readonly capacity: number;
  readonly #words: Int32Array;
  readonly #mask: number;
  /** This side's copy of the other side's position: read again only when it looks full or empty.
   * A Ring object therefore serves one side only; each side makes its own over the same memory. */
  #seen: number;

  /** The message `take` found. */
  kind = 0;
  a = 0;
  b = 0;
  c = 0;

  constructor(memory: SharedArrayBuffer, byteOffset: number, capacity: number) {
    assert(
      capacity > 0 && (capacity & (capacity - 1)) === 0,
      `ring capacity ${capacity} is not a power of two`,
    );
    this.capacity = capacity;
    this.#mask = capacity - 1;
    this.#words = new Int32Array(memory, byteOffset, Ring.byteSize(capacity) / 4);
    this.#seen = Atomics.load(this.#words, HEAD);
  }

  static byteSize(capacity: number): number {
    return (ENTRIES + capacity * ENTRY_WORDS) * 4;
  }

  /** Producer side: appends a message; false when the ring is full. */
  push(kind: number, a: number, b: number, c: number): boolean {
    const words = this.#words;
    const tail = words[TAIL] as number; // only this side writes it
    if (((tail - this.#seen) | 0) >= this.capacity) {
      this.#seen = Atomics.load(words, HEAD);
      if (((tail - this.#seen) | 0) >= this.capacity) return false;
    }
    const at = ENTRIES + (tail & this.#mask) * ENTRY_WORDS;
    words[at] = kind;
    words[at + 1] = a;
    words[at + 2] = b;
    words[at + 3] = c;
    Atomics.store(words, TAIL, (tail + 1) | 0);
    return true;
  }

  /** Consumer side: takes the oldest message into kind, a, b, c; false when the ring is empty. */
  take(): boolean {
    const words = this.#words;
    const head = words[HEAD] as number; // only this side writes it
    if (head === this.#seen) {
      this.#seen = Atomics.load(words, TAIL);
      if (head === this.#seen) return false;
    }
    const at = ENTRIES + (head & this.#mask) * ENTRY_WORDS;
    this.kind = words[at] as number;
    this.a = words[at + 1] as number;
    this.b = words[at + 2] as number;
    this.c = words[at + 3] as number;
    Atomics.store(words, HEAD, (head + 1) | 0);
    return true;
  }

  /** Messages in the ring now; exact for either side, a snapshot for anybody else. */
  get size(): number {
    return (Atomics.load(this.#words, TAIL) - Atomics.load(this.#words, HEAD)) | 0;
  }
}
