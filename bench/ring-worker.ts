/** The other thread of the ring benchmark: reads each slot's first row and sends the slot back. */
import { parentPort, workerData } from 'node:worker_threads';
import { Doorbell } from '#src/ring/doorbell';
import { BATCH, Ring } from '#src/ring/ring';
import { slotBatches } from '#src/ring/slot-pool';

export interface RingWorkerData {
  readonly rings: SharedArrayBuffer;
  readonly bells: SharedArrayBuffer;
  readonly slots: SharedArrayBuffer;
  readonly count: number;
  readonly rows: number;
  readonly capacity: number;
}

const { rings, bells, slots, count, rows, capacity } = workerData as RingWorkerData;
const input = new Ring(rings, 0, capacity);
const back = new Ring(rings, Ring.byteSize(capacity), capacity);
const mine = new Doorbell(bells, 0);
const sender = new Doorbell(bells, 128);
const batches = slotBatches(slots, count, rows);

parentPort?.on('message', () => {}); // a rest on a doorbell alone would not keep the thread
parentPort?.postMessage('ready');
let sum = 0;
for (let ended = false; !ended; ) {
  const seen = mine.count;
  let taken = 0;
  while (input.take()) {
    taken++;
    if (input.kind !== BATCH) {
      ended = true;
      break;
    }
    sum += batches[input.a]?.instrument[0] ?? 0;
    back.push(BATCH, input.a, 0, 0);
    sender.ring();
  }
  if (taken === 0) await mine.rest(seen, 1_000);
}
parentPort?.postMessage(sum);
