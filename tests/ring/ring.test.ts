/** The ring as a queue model on one thread, and between two real threads together with slots. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { storeInt64 } from '#src/base/int64';
import { TradeBatch } from '#src/columns/trade-batch';
import { Doorbell } from '#src/ring/doorbell';
import { BATCH, Ring } from '#src/ring/ring';
import { SlotPool } from '#src/ring/slot-pool';

test('a ring is a bounded queue: any pushes and takes agree with a plain array', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(1, 2, 8),
      fc.integer({ min: -3, max: 3 }),
      fc.array(fc.boolean(), { maxLength: 200 }),
      (capacity, nearWrap, pushes) => {
        const memory = new SharedArrayBuffer(Ring.byteSize(capacity));
        // Positions count for ever: start them just before the 2^31 sign change.
        const words = new Int32Array(memory);
        words[0] = (2 ** 31 - 1 + nearWrap) | 0;
        words[32] = words[0];
        const producer = new Ring(memory, 0, capacity);
        const consumer = new Ring(memory, 0, capacity);
        const model: number[] = [];
        let next = 0;
        for (const isPush of pushes) {
          if (isPush) {
            assert.equal(producer.push(next, next + 1, ~next, 7), model.length < capacity);
            if (model.length < capacity) model.push(next++);
          } else {
            const found = consumer.take();
            assert.equal(found, model.length > 0);
            if (found) {
              const expected = model.shift() as number;
              assert.deepEqual(
                [consumer.kind, consumer.a, consumer.b, consumer.c],
                [expected, expected + 1, ~expected, 7],
              );
            }
          }
          assert.equal(producer.size, model.length);
        }
      },
    ),
  );
});

test('slots through two rings between two threads: every row arrives once and every slot comes back', async () => {
  const slots = 8;
  const rowsPerSlot = 64;
  const batches = 20_000;
  const capacity = 16;
  const memory = new SharedArrayBuffer(slots * TradeBatch.byteSize(rowsPerSlot));
  const forward = new SharedArrayBuffer(Ring.byteSize(capacity));
  const back = new SharedArrayBuffer(Ring.byteSize(capacity));
  const bells = new SharedArrayBuffer(256);
  const consumer = new Worker(new URL('./slot-consumer.js', import.meta.url), {
    workerData: { memory, forward, back, bells, slots, rowsPerSlot, capacity, batches },
  });
  const answer = once(consumer, 'message');
  const awake = setInterval(() => {}, 1_000); // waiting on a doorbell keeps no event loop alive

  const ring = new Ring(forward, 0, capacity);
  const pool = new SlotPool(memory, slots, rowsPerSlot, new Ring(back, 0, capacity));
  const consumerBell = new Doorbell(bells, 128);
  const mine = new Doorbell(bells, 0);
  let row = 0;
  for (let sent = 0; sent < batches; ) {
    const seen = mine.count;
    const slot = pool.lease();
    if (slot < 0) {
      await mine.rest(seen, 1000);
      continue;
    }
    const batch = pool.batches[slot] as TradeBatch;
    assert.equal(batch.rows, 0);
    const rows = 1 + (sent % rowsPerSlot);
    for (let i = 0; i < rows; i++) storeInt64(batch.tradeId, i, row++);
    batch.rows = rows;
    assert.ok(ring.push(BATCH, slot, rows, 0), 'a ring larger than the pool is never full');
    consumerBell.ring();
    sent++;
  }
  const [{ received, wrong }] = await answer;
  assert.deepEqual({ received, wrong }, { received: row, wrong: 0 });
  assert.equal(pool.leased, 0);
  clearInterval(awake);
  await consumer.terminate();
});
