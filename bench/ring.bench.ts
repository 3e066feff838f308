/**
 * Rings and slots: a message within one thread, slots leased here, looked at by another thread and
 * sent back, and how long it takes to wake a thread that rests.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { TradeBatch } from '#src/columns/trade-batch';
import { Doorbell } from '#src/ring/doorbell';
import { BARRIER, BATCH, Ring } from '#src/ring/ring';
import { SlotPool } from '#src/ring/slot-pool';
import { type BenchContext, type Benchmark, check, type Outcome } from './benchmark.js';
import type { RingWorkerData } from './ring-worker.js';
import { leastCpuMs, stopwatch } from './stopwatch.js';

const CAPACITY = 256;
const SLOTS = 64;
const ROWS = 512;
const REST_MS = 1_000;

function messages(count: number): { readonly ns: number; readonly sum: number } {
  const memory = new SharedArrayBuffer(Ring.byteSize(CAPACITY));
  const producer = new Ring(memory, 0, CAPACITY);
  const consumer = new Ring(memory, 0, CAPACITY);
  let sum = 0;
  const cpuMs = leastCpuMs(3, () => {
    sum = 0;
    for (let i = 0; i < count; i += CAPACITY) {
      for (let k = 0; k < CAPACITY; k++) producer.push(BATCH, i + k, 0, 0);
      while (consumer.take()) sum = (sum + consumer.a) % 1_000_000_007;
    }
  });
  return { ns: (cpuMs * 1e6) / count, sum };
}

class Echo {
  readonly #worker: Worker;
  readonly #out: Ring;
  readonly #back: Ring;
  readonly #bell: Doorbell;
  readonly #mine: Doorbell;
  readonly #pool: SlotPool;

  constructor() {
    const rings = new SharedArrayBuffer(2 * Ring.byteSize(CAPACITY));
    const bells = new SharedArrayBuffer(256);
    const slots = new SharedArrayBuffer(SLOTS * TradeBatch.byteSize(ROWS));
    const workerData: RingWorkerData = {
      rings,
      bells,
      slots,
      count: SLOTS,
      rows: ROWS,
      capacity: CAPACITY,
    };
    this.#worker = new Worker(new URL('./ring-worker.js', import.meta.url), { workerData });
    this.#out = new Ring(rings, 0, CAPACITY);
    this.#back = new Ring(rings, Ring.byteSize(CAPACITY), CAPACITY);
    this.#bell = new Doorbell(bells, 0);
    this.#mine = new Doorbell(bells, 128);
    this.#pool = new SlotPool(slots, SLOTS, ROWS, this.#back);
  }

  async ready(): Promise<void> {
    await once(this.#worker, 'message');
  }

  /** Sends `count` slots around; the worker has seen as many rows as went out when all are back. */
  async slots(count: number): Promise<void> {
    for (let sent = 0; sent < count; ) {
      const seen = this.#mine.count;
      const slot = this.#pool.lease();
      if (slot < 0) {
        await this.#mine.rest(seen, REST_MS);
        continue;
      }
      const batch = this.#pool.batches[slot] as TradeBatch;
      batch.instrument[0] = sent;
      batch.rows = 1;
      while (!this.#out.push(BATCH, slot, 1, 0)) await new Promise(setImmediate);
      this.#bell.ring();
      sent++;
    }
    while (this.#pool.leased > 0) await new Promise(setImmediate);
  }

  /** Microseconds from ringing a resting thread to its answer's arrival here. */
  async roundTrips(count: number): Promise<number[]> {
    const took: number[] = [];
    for (let i = 0; i < count; i++) {
      await new Promise((resolve) => setTimeout(resolve, 2)); // it rests by then
      const seen = this.#mine.count;
      const started = performance.now();
      const slot = this.#pool.lease();
      this.#out.push(BATCH, slot, 1, 0);
      this.#bell.ring();
      while (this.#mine.count === seen) await this.#mine.rest(seen, REST_MS);
      took.push((performance.now() - started) * 1_000);
    }
    return took.sort((a, b) => a - b);
  }

  /** The sum of what the worker saw in the slots. */
  async end(): Promise<number> {
    this.#out.push(BARRIER, 0, 0, 0);
    this.#bell.ring();
    const [sum] = (await once(this.#worker, 'message')) as [number];
    await this.#worker.terminate();
    return sum;
  }
}

async function run({ tiny, say }: BenchContext): Promise<Outcome> {
  const count = tiny ? 100 * CAPACITY : 200_000 * CAPACITY;
  const slots = tiny ? 500 : 500_000;
  const trips = tiny ? 5 : 500;
  say('messages');
  const { ns, sum } = messages(count);
  const echo = new Echo();
  await echo.ready();
  say('slots between two threads');
  const elapsed = stopwatch();
  await echo.slots(slots);
  const { wallMs, cpuMs } = elapsed();
  say('wake-ups');
  const took = await echo.roundTrips(trips);
  const seen = await echo.end();
  // The wake-ups send slots that still hold the last numbers of the run before.
  check(seen >= (slots * (slots - 1)) / 2, `the other thread saw ${seen} of the slots`);
  return {
    figures: [
      { name: 'message pushed and taken', value: ns, unit: 'ns' },
      { name: 'slots to another thread and back', value: slots / wallMs, unit: 'k slots/s' },
      { name: 'the same, processor time', value: (cpuMs * 1_000) / slots, unit: 'us per slot' },
      { name: 'wake-up and answer, median', value: took[took.length >> 1] as number, unit: 'us' },
      {
        name: 'wake-up and answer, p99',
        value: took[Math.floor(took.length * 0.99)] as number,
        unit: 'us',
      },
    ],
    digest: `${sum.toString(16)}-${slots.toString(16)}`,
  };
}

export const ring: Benchmark = {
  name: 'ring',
  about: 'Rings of slots in shared memory between threads.',
  run,
};
