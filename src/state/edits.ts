/**
 * Edits: the puts and removals of one transaction, the last one per key. Building them touches no
 * database, so whatever goes wrong while they are put together leaves the store as it was.
 */
import { seal } from '#src/state/sealed-value';

export interface Edit {
  readonly key: Uint8Array;
  /** Undefined: remove. */
  readonly sealed: Uint8Array | undefined;
}

const EMPTY = new Uint8Array(0);

export class Edits {
  readonly #byKey = new Map<string, Edit>();

  put(key: Uint8Array, payload: Uint8Array = EMPTY): void {
    this.#set({ key, sealed: seal(key, payload) });
  }

  putJson(key: Uint8Array, record: unknown): void {
    this.put(key, Buffer.from(JSON.stringify(record)));
  }

  remove(key: Uint8Array): void {
    this.#set({ key, sealed: undefined });
  }

  [Symbol.iterator](): Iterator<Edit> {
    return this.#byKey.values();
  }

  #set(edit: Edit): void {
    const { buffer, byteOffset, byteLength } = edit.key;
    this.#byKey.set(Buffer.from(buffer, byteOffset, byteLength).toString('latin1'), edit);
  }
}
