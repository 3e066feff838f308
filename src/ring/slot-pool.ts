/**
 * The slots of one validation shard: equal pieces of shared memory, each holding one trade batch.
 *
 * The shard leases a slot, fills it and sends its number down a ring; the candle aggregator, last to
 * read it, sends the number back through the return ring. Every shard owns its slots: out of one
 * common pool a shard that ran past a barrier could starve another that has not reached it.
 */
import { assert } from '#src/base/errors';
import { TradeBatch } from '#src/columns/trade-batch';
import type { Ring } from '#src/ring/ring';

/** Where the batches of a shard's slots lie; the same for every thread that reads them. */
export function slotBatches(memory: SharedArrayBuffer, slots: number, rows: number): TradeBatch[] {
  const size = TradeBatch.byteSize(rows);
  return Array.from({ length: slots }, (_, slot) => new TradeBatch(memory, slot * size, rows));
}

export class SlotPool {
  readonly batches: readonly TradeBatch[];
  readonly #free: Int32Array;
  #freeCount: number;
  readonly #returned: Ring;

  constructor(memory: SharedArrayBuffer, slots: number, rows: number, returned: Ring) {
    this.batches = slotBatches(memory, slots, rows);
    this.#free = Int32Array.from({ length: slots }, (_, slot) => slots - 1 - slot);
    this.#freeCount = slots;
    this.#returned = returned;
  }

  /** A free slot, its batch empty; -1 when every slot is on its way. */
  lease(): number {
    if (this.#freeCount === 0) this.#reclaim();
    if (this.#freeCount === 0) return -1;
    this.#freeCount--;
    const slot = this.#free[this.#freeCount] as number;
    (this.batches[slot] as TradeBatch).rows = 0;
    return slot;
  }

  /** Slots leased and not yet back. */
  get leased(): number {
    this.#reclaim();
    return this.#free.length - this.#freeCount;
  }

  #reclaim(): void {
    while (this.#returned.take()) {
      assert(
        this.#freeCount < this.#free.length,
        `slot ${this.#returned.a} came back although all ${this.#free.length} slots are free`,
      );
      this.#free[this.#freeCount] = this.#returned.a;
      this.#freeCount++;
    }
  }
}
