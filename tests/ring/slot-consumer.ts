/** The consuming thread of ring.test.ts: checks that ids come densely and sends the slots back. */
import { parentPort, workerData } from 'node:worker_threads';
import { loadInt64 } from '#src/base/int64';
import type { TradeBatch } from '#src/columns/trade-batch';
import { Doorbell } from '#src/ring/doorbell';
import { BATCH, Ring } from '#src/ring/ring';
import { slotBatches } from '#src/ring/slot-pool';

const { memory, forward, back, bells, slots, rowsPerSlot, capacity, batches } = workerData;
const batchOf = slotBatches(memory, slots, rowsPerSlot);
const input = new Ring(forward, 0, capacity);
const output = new Ring(back, 0, capacity);
const producerBell = new Doorbell(bells, 0);
const mine = new Doorbell(bells, 128);

const awake = setInterval(() => {}, 1_000); // waiting on a doorbell keeps no event loop alive
let received = 0;
let wrong = 0;
for (let taken = 0; taken < batches; ) {
  const seen = mine.count;
  if (!input.take()) {
    await mine.rest(seen, 1000);
    continue;
  }
  const batch = batchOf[input.a] as TradeBatch;
  if (batch.rows !== input.b) wrong++;
  for (let i = 0; i < input.b; i++) if (loadInt64(batch.tradeId, i) !== received++) wrong++;
  batch.rows = 0;
  output.push(BATCH, input.a, 0, 0);
  producerBell.ring();
  taken++;
}
parentPort?.postMessage({ received, wrong });
clearInterval(awake);
