/**
 * The key-value port: an ordered map of bytes to bytes that commits several changes at once. The
 * process passes LMDB (src/state/open-environment.ts), whose names these are; a simulation passes one
 * in memory that a crash takes back to any commit since the last flushed one.
 */
export interface KeyValuePair {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** start <= key < end; reversed, the two change places and sides. */
export interface KeyRange {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  readonly reverse?: boolean;
  readonly exclusiveStart?: boolean;
  readonly inclusiveEnd?: boolean;
  readonly limit?: number;
}

export interface KeyValue {
  /** The caller's own copy. */
  getBinary(key: Uint8Array): Uint8Array | undefined;
  /** In key order, of one snapshot. */
  getRange(range: KeyRange): Iterable<KeyValuePair>;
  put(key: Uint8Array, value: Uint8Array): unknown;
  remove(key: Uint8Array): unknown;
  /** All of what `work` puts and removes, or, when it throws, nothing; resolves when it is visible. */
  childTransaction(work: () => void): Promise<unknown>;
  /** Resolves when everything visible is on the disk. */
  readonly flushed: Promise<unknown>;
  /** The next read sees the newest commit. */
  resetReadTxn(): void;
  close(): Promise<void>;
}

export interface Databases {
  /** Undefined when there is none in `directory`. */
  open(directory: string, readOnly: boolean): Promise<KeyValue | undefined>;
  /** Makes one that holds `first`, durably and all of it or nothing, and opens it. */
  create(directory: string, first: readonly KeyValuePair[]): Promise<KeyValue>;
}
