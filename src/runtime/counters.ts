/**
 * The instrument board: per actor one heartbeat and a few counters in shared memory.
 *
 * Each word has one writer (its actor) and any number of readers (supervisor, gateway), so nobody
 * ever has to ask a stuck thread how it is. Writers update once per batch, not per trade.
 */

/** Counters of every kind of actor, by name; the index in its list is the word. */
const COUNTERS = {
  ingest: ['frames', 'bytes', 'durable_frames', 'connected', 'reconnects', 'control', 'oversize'],
  validation: ['frames', 'control', 'trades', 'dead_letters', 'batches', 'stalls'],
  gold: ['trades', 'duplicates', 'batches', 'stalls'],
  candles: ['rows', 'batches', 'candles'],
  gateway: ['requests', 'stream_clients'],
} as const;

export type ActorKind = keyof typeof COUNTERS;
export type CounterName<K extends ActorKind> = (typeof COUNTERS)[K][number];

const HEARTBEAT = 0;
const FIRST_COUNTER = 1;
/** 16 words of 8 bytes: two cache lines, so that no two actors share one. */
const WORDS_PER_ACTOR = 16;

export const BOARD_BYTES_PER_ACTOR = WORDS_PER_ACTOR * 8;

export class ActorCounters<K extends ActorKind = ActorKind> {
  readonly kind: K;
  readonly #words: BigInt64Array;

  constructor(kind: K, memory: SharedArrayBuffer, row: number) {
    this.kind = kind;
    this.#words = new BigInt64Array(memory, row * BOARD_BYTES_PER_ACTOR, WORDS_PER_ACTOR);
  }

  beat(): void {
    Atomics.add(this.#words, HEARTBEAT, 1n);
  }

  get heartbeat(): number {
    return Number(Atomics.load(this.#words, HEARTBEAT));
  }

  set(name: CounterName<K>, value: number): void {
    Atomics.store(this.#words, this.#index(name), BigInt(value));
  }

  get(name: CounterName<K>): number {
    return Number(Atomics.load(this.#words, this.#index(name)));
  }

  all(): Record<string, number> {
    return Object.fromEntries(
      COUNTERS[this.kind].map((name) => [name, this.get(name as CounterName<K>)]),
    );
  }

  #index(name: CounterName<K>): number {
    return FIRST_COUNTER + (COUNTERS[this.kind] as readonly string[]).indexOf(name);
  }
}
