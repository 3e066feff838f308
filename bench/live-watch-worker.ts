/** The thread of live-watch.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '#src/base/clock';
import { LiveCandlesReader } from '#src/candles/live-candles';
import { CANDLE_WORDS, numberAt, WORD } from '#src/candles/record';
import type { Sighting } from './live-watch.js';

export interface LiveWatchData {
  readonly live: SharedArrayBuffer;
  /** Codes. */
  readonly instruments: readonly number[];
  /** Word 0: 1 = end. Second int64: the largest trade id seen. */
  readonly control: SharedArrayBuffer;
}

const INTERVAL_MS = 0.1;

const { live, instruments, control } = workerData as LiveWatchData;
const clock = systemClock();
const reader = new LiveCandlesReader(live);
const words = new Int32Array(control);
const largest = new BigInt64Array(control);
const record = new Int32Array(CANDLE_WORDS);
const last = new Map<number, number>();
const sightings: Sighting[] = [];

while (Atomics.load(words, 0) === 0) {
  for (const instrument of instruments) {
    if (!reader.latest(instrument, 0, record)) continue;
    const lastTradeId = numberAt(record, 0, WORD.lastTradeId);
    if (lastTradeId <= (last.get(instrument) ?? -1)) continue;
    last.set(instrument, lastTradeId);
    sightings.push({ instrument, lastTradeId, timeUs: clock.nowUs() });
    if (BigInt(lastTradeId) > Atomics.load(largest, 1)) {
      Atomics.store(largest, 1, BigInt(lastTradeId));
    }
  }
  Atomics.wait(words, 0, 0, INTERVAL_MS);
}
parentPort?.postMessage(sightings);
