/**
 * A client of the live stream, on a thread of its own: notes when a pushed candle first held each new
 * trade id. What it measures is what any client gets: over the WebSocket, parsed.
 */
import { Worker } from 'node:worker_threads';
import type { Sighting } from './live-watch.js';
import type { PushWatchData, WatchedInstrument } from './push-watch-worker.js';

export interface Pushed {
  readonly sightings: readonly Sighting[];
  readonly messages: number;
  readonly bytes: number;
}

export class PushWatch {
  readonly #worker: Worker;
  readonly #ended: Promise<Pushed>;

  constructor(port: number, instruments: readonly WatchedInstrument[]) {
    const workerData: PushWatchData = { port, instruments };
    this.#worker = new Worker(new URL('./push-watch-worker.js', import.meta.url), { workerData });
    this.#ended = new Promise((resolve, reject) => {
      this.#worker.once('error', reject);
      this.#worker.once('message', resolve);
    });
    this.#ended.catch(() => {}); // told to whoever calls `end`
  }

  /** Ends the watch; all sightings, in order of time. */
  end(): Promise<Pushed> {
    this.#worker.postMessage('end');
    return this.#ended;
  }
}
