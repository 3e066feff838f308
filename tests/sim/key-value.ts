/**
 * The simulated key-value store, with LMDB's promises: one writer, a commit visible at once and
 * durable once it is flushed, readers that see whole commits. A power loss goes back to any commit
 * that is not older than the last flushed one; a kill keeps what was visible.
 *
 * What lmdb-js does on disk is not simulated; tests/state kills and damages the real one.
 */
import type { Databases, KeyRange, KeyValue, KeyValuePair } from '#src/base/key-value';
import type { Random } from '#src/base/random';
import { type CrashStyle, Died } from '#tests/sim/disk';

/** How one commit is taken back: the values before it. */
type Undo = readonly (readonly [key: string, before: Uint8Array | undefined])[];

export class SimStore {
  readonly values = new Map<string, Uint8Array>();
  /** Keys in order; made again when the set of keys has changed. */
  keys: string[] = [];
  keysAreStale = false;
  /** Commits that a power loss may take back, oldest first. */
  unflushed: Undo[] = [];
  commits = 0;
  flushes = 0;

  put(key: string, value: Uint8Array | undefined): void {
    if (value === undefined) {
      if (this.values.delete(key)) this.keysAreStale = true;
    } else {
      if (!this.values.has(key)) this.keysAreStale = true;
      this.values.set(key, value);
    }
  }

  sortedKeys(): readonly string[] {
    if (this.keysAreStale) {
      this.keys = [...this.values.keys()].sort();
      this.keysAreStale = false;
    }
    return this.keys;
  }

  /** The rest of every key that begins with `prefix`. */
  keysFrom(prefix: string): string[] {
    const keys = this.sortedKeys();
    const found: string[] = [];
    for (let at = lowerBound(keys, prefix); keys[at]?.startsWith(prefix); at++) {
      found.push((keys[at] as string).slice(prefix.length));
    }
    return found;
  }

  flush(upToCommit: number): void {
    this.unflushed = this.unflushed.slice(this.unflushed.length - (this.commits - upToCommit));
    this.flushes++;
  }
}

export interface StoreEvents {
  /** Asked at every commit. */
  fault(): { readonly code: string } | 'die' | 'die-after' | undefined;
  die(): void;
  later(answer: () => void): void;
}

/** Every store of a machine, by directory. */
export class SimStores {
  readonly #stores = new Map<string, SimStore>();

  get(directory: string): SimStore | undefined {
    return this.#stores.get(directory);
  }

  make(directory: string): SimStore {
    const store = new SimStore();
    this.#stores.set(directory, store);
    return store;
  }

  crash(style: CrashStyle, random: Random): void {
    if (style.keepsAll) return;
    for (const store of this.#stores.values()) {
      const back = random.below(store.unflushed.length + 1);
      for (let i = 0; i < back; i++) {
        for (const [key, before] of store.unflushed.pop() as Undo) store.put(key, before);
      }
      store.unflushed = [];
    }
  }
}

/** What one process (or a checker) opens stores with. */
export class StoreHands implements Databases {
  dead = false;
  readonly #stores: SimStores;
  readonly #events: StoreEvents;

  constructor(stores: SimStores, events: StoreEvents) {
    this.#stores = stores;
    this.#events = events;
  }

  async open(directory: string): Promise<KeyValue | undefined> {
    if (this.dead) throw new Died('the process is dead');
    const store = this.#stores.get(directory);
    return store && new Handle(store, this, this.#events);
  }

  async create(directory: string, first: readonly KeyValuePair[]): Promise<KeyValue> {
    if (this.dead) throw new Died('the process is dead');
    const fault = this.#events.fault();
    if (fault === 'die') {
      this.#events.die();
      throw new Died('the process dies before it has made its state');
    }
    if (typeof fault === 'object') throw lmdbError(fault.code);
    const store = this.#stores.make(directory);
    for (const { key, value } of first) store.put(text(key), Uint8Array.from(value));
    if (fault === 'die-after') {
      this.#events.die();
      throw new Died('the process dies when it has made its state');
    }
    return new Handle(store, this, this.#events);
  }
}

class Handle implements KeyValue {
  readonly #store: SimStore;
  readonly #hands: StoreHands;
  readonly #events: StoreEvents;
  #edits: Map<string, Uint8Array | undefined> | undefined;
  #flushed: Promise<unknown> = Promise.resolve();

  constructor(store: SimStore, hands: StoreHands, events: StoreEvents) {
    this.#store = store;
    this.#hands = hands;
    this.#events = events;
  }

  get flushed(): Promise<unknown> {
    return this.#flushed;
  }

  getBinary(key: Uint8Array): Uint8Array | undefined {
    this.#alive();
    const value = this.#store.values.get(text(key));
    return value?.slice();
  }

  *getRange(range: KeyRange): Generator<KeyValuePair> {
    this.#alive();
    const { reverse = false, limit = Number.POSITIVE_INFINITY } = range;
    const keys = this.#store.sortedKeys();
    const [low, high] = reverse ? [range.end, range.start] : [range.start, range.end];
    // Of one snapshot: a commit during the scan does not show.
    const found = keys.slice(lowerBound(keys, text(low)), lowerBound(keys, text(high)));
    const pairs = found.map((key) => ({ key, value: this.#store.values.get(key) as Uint8Array }));
    if (reverse) pairs.reverse();
    let count = 0;
    for (const { key, value } of pairs) {
      if (count++ >= limit) return;
      yield { key: Buffer.from(key, 'latin1'), value: value.slice() };
    }
  }

  put(key: Uint8Array, value: Uint8Array): void {
    (this.#edits as Map<string, Uint8Array>).set(text(key), Uint8Array.from(value));
  }

  remove(key: Uint8Array): void {
    (this.#edits as Map<string, Uint8Array | undefined>).set(text(key), undefined);
  }

  childTransaction(work: () => void): Promise<unknown> {
    this.#alive();
    const edits = new Map<string, Uint8Array | undefined>();
    this.#edits = edits;
    try {
      work();
    } finally {
      this.#edits = undefined;
    }
    return new Promise((resolve, reject) => {
      this.#events.later(() => {
        const fault = this.#events.fault();
        if (fault === 'die') {
          this.#events.die();
          return;
        }
        if (typeof fault === 'object') {
          reject(lmdbError(fault.code));
          return;
        }
        this.#commit(edits);
        if (fault === 'die-after') {
          this.#events.die();
          return;
        }
        resolve(undefined);
      });
    });
  }

  resetReadTxn(): void {}

  async close(): Promise<void> {}

  #commit(edits: ReadonlyMap<string, Uint8Array | undefined>): void {
    const store = this.#store;
    const undo: [string, Uint8Array | undefined][] = [];
    for (const [key, value] of edits) {
      undo.push([key, store.values.get(key)]);
      store.put(key, value);
    }
    store.unflushed.push(undo);
    const commit = ++store.commits;
    this.#flushed = new Promise((resolve) => {
      this.#events.later(() => {
        store.flush(commit);
        resolve(undefined);
      });
    });
  }

  #alive(): void {
    if (this.#hands.dead) throw new Died('the process is dead');
  }
}

function text(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** LMDB names an errno by its number. */
function lmdbError(code: string): Error {
  const errno = { ENOSPC: 28, EIO: 5 }[code] ?? 5;
  return Object.assign(new Error(`${code}: the store cannot be written`), { code: errno });
}

/** Hands that only look, whoever lives or dies. */
export function storesToLookAt(stores: SimStores): Databases {
  return new StoreHands(stores, { fault: () => undefined, die: () => {}, later: () => {} });
}
