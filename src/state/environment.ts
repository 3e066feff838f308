/**
 * The LMDB environment with every value sealed: what comes out is what was put in, or a
 * StateCorruptError. One writer (whoever holds the data directory's lock); any number of readers in
 * other threads and processes. A write is one transaction and resolves when it is on the disk.
 */

import { assert } from '#src/base/errors';
import type { Databases, KeyValue } from '#src/base/key-value';
import { AreaTotals } from '#src/state/area-totals';
import { Edits } from '#src/state/edits';
import { AREA, AREA_COUNT, type Area, afterPrefix, areaKey } from '#src/state/keys';
import { sealOf, unseal } from '#src/state/sealed-value';
import { readError, StateCorruptError, writeError } from '#src/state/state-errors';

export interface Entry {
  readonly key: Uint8Array;
  readonly payload: Uint8Array;
  readonly crc: number;
}

export interface ScanOptions {
  readonly reverse?: boolean;
  readonly limit?: number;
}

export class Environment {
  readonly directory: string;
  readonly #db: KeyValue;
  #open = true;
  /** The first failed write. An fsync error is never retried on the same file: restart instead. */
  #failure: unknown;
  /** Writes run one after the other: each reads what it replaces before its transaction. */
  #lastWrite: Promise<void> = Promise.resolve();

  private constructor(directory: string, db: KeyValue) {
    this.directory = directory;
    this.#db = db;
  }

  /** Opens an environment that exists; undefined when there is none. */
  static async open(
    databases: Databases,
    directory: string,
    readOnly: boolean,
  ): Promise<Environment | undefined> {
    const db = await databases.open(directory, readOnly);
    return db && new Environment(directory, db);
  }

  /** Makes a new environment that holds `first`. */
  static async create(databases: Databases, directory: string, first: Edits): Promise<Environment> {
    const totals = new AreaTotals();
    for (const { key, sealed } of first) if (sealed) totals.add(key[0]!, sealOf(sealed));
    first.put(areaKey(AREA.totals), totals.bytes());
    const pairs = [...first].flatMap(({ key, sealed }) => (sealed ? [{ key, value: sealed }] : []));
    try {
      return new Environment(directory, await databases.create(directory, pairs));
    } catch (error) {
      throw await writeError(directory, error);
    }
  }

  /** The payload under a key: the caller's own copy. */
  get(key: Uint8Array): Uint8Array | undefined {
    const sealed = this.#sealed(key);
    return sealed && this.#unseal(key, sealed);
  }

  getJson(key: Uint8Array): unknown {
    const payload = this.get(key);
    return payload && this.#parseJson(payload);
  }

  /**
   * Entries with start <= key < end in key order (reversed: end first), of one snapshot. Finish or
   * leave the loop before awaiting anything: an open scan keeps LMDB from reusing pages.
   *
   * LMDB's cursor walks from page to page and believes what it meets: where pages have changed
   * places it gives records of other areas, sound ones, or the same ones round and round.
   */
  *scan(start: Uint8Array, end: Uint8Array, options: ScanOptions = {}): Generator<Entry> {
    assert(this.#open, 'state store is closed');
    const { reverse = false, limit = Number.POSITIVE_INFINITY } = options;
    // lmdb-js takes a reversed range as (start, end], so both ends are swapped and re-checked.
    const range = reverse
      ? { start: end, end: start, reverse, exclusiveStart: true, inclusiveEnd: true, limit }
      : { start, end, limit };
    let last: Uint8Array | undefined;
    try {
      for (const { key, value } of this.#db.getRange(range)) {
        const isInRange = Buffer.compare(key, start) >= 0 && Buffer.compare(key, end) < 0;
        const isNext =
          last === undefined ||
          (reverse ? Buffer.compare(key, last) < 0 : Buffer.compare(key, last) > 0);
        if (!isInRange || !isNext) throw this.#damaged('a record out of its place', key);
        last = key;
        yield { key, payload: this.#unseal(key, value), crc: sealOf(value) };
      }
    } catch (error) {
      throw readError(this.directory, error);
    }
  }

  /** Every entry of an area, in key order. Seen to its end, it is proven to be all of them. */
  *scanArea(area: Area): Generator<Entry> {
    const expected = this.#totals();
    const found = expected.fresh();
    const start = areaKey(area);
    for (const entry of this.scan(start, afterPrefix(start))) {
      found.add(area, entry.crc);
      yield entry;
    }
    if (!found.equals(area, expected)) {
      const counts = `${found.count(area)} of ${expected.count(area)} records`;
      throw new StateCorruptError(
        this.directory,
        `area ${area} holds ${counts} and another digest`,
      );
    }
  }

  *scanJson(area: Area): Generator<{ key: Uint8Array; record: unknown }> {
    for (const { key, payload } of this.scanArea(area)) {
      yield { key, record: this.#parseJson(payload) };
    }
  }

  /** Records in an area. */
  count(area: Area): number {
    return this.#totals().count(area);
  }

  /**
   * Proves that an area is whole and that every record is found under its key: a scan goes from leaf
   * to leaf, a search by the branches above them, where one changed bit hides what is there.
   */
  verifyArea(area: Area): void {
    for (const { key, crc } of this.scanArea(area)) {
      const found = this.#sealed(key);
      if (found === undefined || sealOf(found) !== crc) {
        throw this.#damaged('no search finds the record', key);
      }
    }
  }

  /** Reads everything; throws StateCorruptError at the first thing that is wrong. */
  verify(): void {
    for (let area = 1; area < AREA_COUNT; area++) {
      if (area !== AREA.totals) this.verifyArea(area as Area);
    }
  }

  /**
   * Commits what `edit` puts together, atomically; resolves when it is on the disk. When `edit`
   * throws nothing is written. When the disk fails, every later write fails with the same error.
   */
  write(edit: (edits: Edits) => void): Promise<void> {
    const write = this.#lastWrite.then(() => this.#write(edit));
    this.#lastWrite = write.catch(() => {});
    return write;
  }

  async close(): Promise<void> {
    await this.#lastWrite;
    if (!this.#open) return;
    this.#open = false;
    // After a failed flush lmdb-js waits for it for ever; the process is about to end anyway.
    if (this.#failure === undefined) await this.#db.close();
  }

  async #write(edit: (edits: Edits) => void): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const edits = new Edits();
    this.#db.resetReadTxn();
    edit(edits);
    const totals = this.#totals();
    for (const { key, sealed } of edits) {
      const earlier = this.#sealed(key);
      if (earlier) totals.remove(key[0]!, sealOf(earlier));
      if (sealed) totals.add(key[0]!, sealOf(sealed));
    }
    edits.put(areaKey(AREA.totals), totals.bytes());
    try {
      // A child transaction: a plain one commits what was put before a throw.
      await this.#db.childTransaction(() => {
        for (const { key, sealed } of edits) {
          if (sealed) this.#db.put(key, sealed);
          else this.#db.remove(key);
        }
      });
      await this.#db.flushed;
    } catch (error) {
      this.#failure = await writeError(this.directory, error);
      throw this.#failure;
    }
  }

  #sealed(key: Uint8Array): Uint8Array | undefined {
    assert(this.#open, 'state store is closed');
    try {
      return this.#db.getBinary(key);
    } catch (error) {
      throw readError(this.directory, error);
    }
  }

  #unseal(key: Uint8Array, sealed: Uint8Array): Uint8Array {
    const payload = unseal(key, sealed);
    if (payload === undefined) throw this.#damaged('wrong checksum', key);
    return payload;
  }

  #damaged(what: string, key: Uint8Array): StateCorruptError {
    return new StateCorruptError(
      this.directory,
      `${what} under key ${Buffer.from(key).toString('hex')}`,
    );
  }

  #totals(): AreaTotals {
    const bytes = this.get(areaKey(AREA.totals));
    if (!bytes) throw new StateCorruptError(this.directory, 'its totals are missing');
    return AreaTotals.parse(bytes);
  }

  #parseJson(payload: Uint8Array): unknown {
    return JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString());
  }
}
