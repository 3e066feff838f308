/**
 * Looks at live candles every tenth of a millisecond, on a thread of its own, and notes when each
 * new trade id was first to be seen: what a reader in another thread gets, and no sooner.
 */
import { Worker } from 'node:worker_threads';
import type { LiveWatchData } from './live-watch-worker.js';

/** When an instrument's newest 1m candle was first seen to reach a trade id. */
export interface Sighting {
  readonly instrument: number;
  readonly lastTradeId: number;
  readonly timeUs: number;
}

export class LiveWatch {
  readonly #worker: Worker;
  readonly #words: Int32Array;
  readonly #largest: BigInt64Array;

  constructor(live: SharedArrayBuffer, instruments: readonly number[]) {
    const control = new SharedArrayBuffer(16);
    this.#words = new Int32Array(control);
    this.#largest = new BigInt64Array(control);
    const workerData: LiveWatchData = { live, instruments, control };
    this.#worker = new Worker(new URL('./live-watch-worker.js', import.meta.url), { workerData });
  }

  /** Resolves once a candle holds a trade id above `id`. */
  async seen(id: number): Promise<void> {
    while (Number(Atomics.load(this.#largest, 1)) <= id) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Ends the watch; all sightings, in order of time. */
  end(): Promise<Sighting[]> {
    return new Promise((resolve, reject) => {
      this.#worker.once('error', reject);
      this.#worker.once('message', resolve);
      Atomics.store(this.#words, 0, 1);
      Atomics.notify(this.#words, 0);
    });
  }
}
