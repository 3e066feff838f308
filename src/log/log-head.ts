/**
 * How far a log may be read: a few words of shared memory, written by the one writer of a log and
 * read by any number of threads.
 *
 *   word 0        version: odd while the writer changes the rest
 *   word 2, 3     first sequence of the open segment
 *        4, 5     bytes of it that are whole blocks; 0 when its file is not there yet
 *        6, 7     next sequence: every frame below it is written
 *        8, 9     durable next sequence: every frame below it survives a power loss
 *       10, 11    largest receive time written, us
 *
 * A sequence lock: a reader copies the words and keeps the copy only when the version was even and
 * did not change meanwhile. A writer that dies between leaves the version odd; readers then keep
 * their last copy, and the next writer's first publish makes it even again.
 */
import { loadInt64, storeInt64 } from '#src/base/int64';

const WORDS = 16;
const VERSION = 0;
const FIRST_DATA_WORD = 2;
const LAST_DATA_WORD = 11;
/** The writer holds the lock for some ten stores; a reader that is unlucky this often gives up. */
const ATTEMPTS = 1_000;

/** Int64 index (two words each) of the values. */
const SEGMENT = 1;
const VALID_BYTES = 2;
const NEXT = 3;
const DURABLE = 4;
const RECEIVE_TIME = 5;

export class LogHead {
  /** One cache line. */
  static readonly byteSize = WORDS * 4;

  /** First sequence of the open segment, which names its file. As of the last refresh, like all. */
  segment = 0;
  /** Bytes of the open segment that are whole blocks. */
  validBytes = 0;
  nextSequence = 0;
  durableNextSequence = 0;
  maxReceiveTimeUs = 0;

  readonly #shared: Int32Array;
  /** The writer's next values or the reader's copy: private to this thread. */
  readonly #local = new Int32Array(WORDS);

  constructor(memory: SharedArrayBuffer, byteOffset: number) {
    this.#shared = new Int32Array(memory, byteOffset, WORDS);
  }

  /** Tells all readers; only the log's writer calls this. */
  publish(
    segment: number,
    validBytes: number,
    nextSequence: number,
    durableNextSequence: number,
    maxReceiveTimeUs: number,
  ): void {
    const local = this.#local;
    storeInt64(local, SEGMENT, segment);
    storeInt64(local, VALID_BYTES, validBytes);
    storeInt64(local, NEXT, nextSequence);
    storeInt64(local, DURABLE, durableNextSequence);
    storeInt64(local, RECEIVE_TIME, maxReceiveTimeUs);
    const shared = this.#shared;
    const odd = Atomics.load(shared, VERSION) | 1;
    Atomics.store(shared, VERSION, odd);
    for (let word = FIRST_DATA_WORD; word <= LAST_DATA_WORD; word++) {
      Atomics.store(shared, word, local[word] as number);
    }
    Atomics.store(shared, VERSION, (odd + 1) | 0);
    this.#take();
  }

  /** Copies the writer's latest values into the fields; false when they could not be had. */
  refresh(): boolean {
    const local = this.#local;
    const shared = this.#shared;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const version = Atomics.load(shared, VERSION);
      if ((version & 1) === 1) continue;
      for (let word = FIRST_DATA_WORD; word <= LAST_DATA_WORD; word++) {
        local[word] = Atomics.load(shared, word);
      }
      if (Atomics.load(shared, VERSION) === version) {
        this.#take();
        return true;
      }
    }
    return false;
  }

  #take(): void {
    const local = this.#local;
    this.segment = loadInt64(local, SEGMENT);
    this.validBytes = loadInt64(local, VALID_BYTES);
    this.nextSequence = loadInt64(local, NEXT);
    this.durableNextSequence = loadInt64(local, DURABLE);
    this.maxReceiveTimeUs = loadInt64(local, RECEIVE_TIME);
  }
}
