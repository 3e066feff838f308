/** Live trades: every one under its number, never twice, never torn, whatever restarts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { TradeBatch } from '#src/columns/trade-batch';
import {
  allocateLiveTrades,
  LIVE_TRADE_WORDS,
  LiveTradesReader,
  LiveTradesWriter,
} from '#src/trades/live-trades';
import { fillRow, numberOf } from '#tests/trades/log-of-trades';

const INSTRUMENTS = 4;
const ROWS = 300;

test('readers see the newest trades under their numbers, across restarts that replay', () => {
  const batches = fc.record({
    /** Rows of the next batch: an instrument each, -1 for a duplicate. */
    rows: fc.array(fc.integer({ min: -1, max: INSTRUMENTS - 1 }), { maxLength: ROWS }),
    /** A restart before it, from this share of the log. */
    restartFrom: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 4 }),
  });
  fc.assert(
    fc.property(
      fc.array(batches, { maxLength: 12 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: ROWS }),
      (log, depth, replayRows) => {
        const memory = allocateLiveTrades(INSTRUMENTS, depth);
        const reader = new LiveTradesReader(memory);
        const batch = TradeBatch.allocate(ROWS);
        let writer = new LiveTradesWriter(memory);
        /** The log so far, and how many trades of each instrument are in it. */
        const trades: { instrument: number; n: number }[] = [];
        const counts = new Array<number>(INSTRUMENTS).fill(0);
        const into = new Int32Array(depth * LIVE_TRADE_WORDS);

        const show = (from: number, to: number): void => {
          for (let at = from; at < to; at++) {
            const { instrument, n } = trades[at] as (typeof trades)[number];
            fillRow(batch, at - from, Math.max(0, instrument), n, at);
            if (instrument < 0) batch.duplicate[at - from] = 1;
          }
          writer.publish(batch, to - from);
        };
        const look = (): void => {
          for (let code = 0; code < INSTRUMENTS; code++) {
            const count = counts[code] as number;
            assert.equal(reader.count(code), count);
            if (count > 0) assert.ok(reader.read(code, count - 1, into), 'the newest is missing');
            assert.equal(reader.read(code, count, into), false);
            for (let n = Math.max(0, count - depth); n < count; n++) {
              if (reader.read(code, n, into)) assert.equal(numberOf(into, 0), n);
            }
            const found = reader.range(code, 0, count, into);
            const numbers = Array.from({ length: found }, (_, i) =>
              numberOf(into, i * LIVE_TRADE_WORDS),
            );
            assert.deepEqual(
              numbers,
              [...new Set(numbers)].sort((a, b) => a - b),
            );
          }
        };

        for (const { rows, restartFrom } of log) {
          if (restartFrom !== null) {
            writer = new LiveTradesWriter(memory);
            look();
            // The end of the replay and the first new trades may share a batch: below.
            const from = Math.floor(restartFrom * trades.length);
            for (let at = from; at < trades.length; at += replayRows) {
              show(at, Math.min(at + replayRows, trades.length));
              look();
            }
          }
          const from = trades.length;
          for (const instrument of rows) {
            trades.push({ instrument, n: instrument < 0 ? 0 : counts[instrument]!++ });
          }
          // Some rows of the last batch come again in front of the new ones.
          const again = restartFrom === null ? 0 : Math.min(from, ROWS - rows.length, 7);
          if (again > 0) writer = new LiveTradesWriter(memory);
          show(from - again, trades.length);
          look();
          // A short batch is shown whole.
          if (rows.length > Math.min(depth, 64)) continue;
          const fresh = rows.filter((instrument) => instrument === 0).length;
          const end = counts[0] as number;
          assert.equal(reader.range(0, end - fresh, end, into), fresh);
        }
      },
    ),
  );
});

test('a reader never sees a trade torn, twice or out of place, though the writer dies and replays', async () => {
  const memory = allocateLiveTrades(1);
  const reader = new LiveTradesReader(memory);
  const into = new Int32Array(reader.depth * LIVE_TRADE_WORDS);
  let next = 0;
  let seen = 0;
  for (const rows of [1, 7, 4096, 100, 64]) {
    const worker = new Worker(new URL('./live-trades-writer.worker.js', import.meta.url), {
      workerData: { memory, rows },
    });
    let failure: unknown;
    worker.on('error', (error) => {
      failure = error;
    });
    const until = next + 50_000;
    while (next < until && failure === undefined) {
      for (let i = 0; i < 200; i++) {
        const count = reader.count(0);
        assert.ok(count >= next, `${count} trades after ${next}`);
        const found = reader.range(0, next, count, into);
        let last = next - 1;
        for (let t = 0; t < found; t++) {
          const n = numberOf(into, t * LIVE_TRADE_WORDS);
          assert.ok(n > last && n < count, `trade ${n} after ${last}, of ${count}`);
          last = n;
        }
        seen += found;
        next = count;
      }
      // A dead writer is an error event, which only a turn of the event loop delivers.
      await new Promise(setImmediate);
    }
    assert.equal(failure, undefined);
    const exited = once(worker, 'exit');
    await worker.terminate();
    await exited;
  }
  assert.ok(seen > 1_000, `the reader saw ${seen} trades only`);
});
