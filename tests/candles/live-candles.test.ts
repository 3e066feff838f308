/** Live candles: a ring per series, newest windows win, and never a torn record. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { TIMEFRAME_US, TIMEFRAMES } from '#schemas/timeframe';
import {
  allocateLiveCandles,
  LiveCandlesReader,
  LiveCandlesWriter,
} from '#src/candles/live-candles';
import { CANDLE_WORDS, numberAt, startRecord, WORD } from '#src/candles/record';
import { versionedRecord, versionOf } from '#tests/candles/versioned-record';

const RING = 8;
const INSTRUMENTS = 3;

test('readers see the last record of each of the newest windows, and nothing else', () => {
  const publication = fc.record({
    instrument: fc.integer({ min: 0, max: INSTRUMENTS - 1 }),
    timeframe: fc.integer({ min: 0, max: TIMEFRAMES.length - 1 }),
    window: fc.integer({ min: 0, max: 30 }),
  });
  fc.assert(
    fc.property(
      fc.array(publication, { maxLength: 80 }),
      fc.integer({ min: -3, max: 33 }),
      fc.integer({ min: 0, max: 12 }),
      (publications, from, span) => {
        const memory = allocateLiveCandles(INSTRUMENTS, RING);
        const writer = new LiveCandlesWriter(memory);
        const reader = new LiveCandlesReader(memory);
        /** What a slot must hold: the newest window that came by, and its last version. */
        const slots = new Map<string, { window: number; version: number }>();
        for (const [i, { instrument, timeframe, window }] of publications.entries()) {
          const record = new Int32Array(CANDLE_WORDS);
          startRecord(record, 0, instrument, timeframe, window * TIMEFRAME_US[timeframe]);
          record.fill(i + 1, WORD.openPrice);
          writer.publish(record, 0);
          const key = `${instrument}/${timeframe}/${window % RING}`;
          if (window >= (slots.get(key)?.window ?? 0)) slots.set(key, { window, version: i + 1 });
        }
        const into = new Int32Array(RING * CANDLE_WORDS);
        for (let instrument = 0; instrument < INSTRUMENTS; instrument++) {
          for (const [timeframe, lengthUs] of TIMEFRAME_US.entries()) {
            const held = [...slots]
              .filter(([key]) => key.startsWith(`${instrument}/${timeframe}/`))
              .map(([, slot]) => slot)
              .sort((a, b) => a.window - b.window);
            for (let window = 0; window <= 30; window++) {
              const slot = held.find((candidate) => candidate.window === window);
              const there = reader.read(instrument, timeframe, window * lengthUs, into);
              assert.equal(there, slot !== undefined);
              if (slot !== undefined) {
                assert.equal(versionOf(into.subarray(0, CANDLE_WORDS)), slot.version);
              }
            }
            const newest = held.at(-1)?.window ?? -1;
            assert.equal(reader.latest(instrument, timeframe, into), newest >= 0);
            const count = reader.range(
              instrument,
              timeframe,
              from * lengthUs,
              (from + span) * lengthUs,
              into,
            );
            const windows = (n: number): number[] =>
              Array.from({ length: n }, (_, i) =>
                Math.round(numberAt(into, i * CANDLE_WORDS, WORD.windowStart) / lengthUs),
              );
            const wanted = held
              .map(({ window }) => window)
              .filter((w) => w >= from && w < from + span && w > newest - RING);
            assert.deepEqual(windows(count), wanted);
            const room = into.subarray(0, (span % 4) * CANDLE_WORDS);
            const some = reader.newest(
              instrument,
              timeframe,
              from * lengthUs,
              (from + span) * lengthUs,
              room,
            );
            assert.deepEqual(windows(some), wanted.reverse().slice(0, span % 4));
          }
        }
      },
    ),
  );
});

test('a reader never sees a torn record, and versions never go back', async () => {
  const memory = allocateLiveCandles(1, RING);
  const reader = new LiveCandlesReader(memory);
  const versions = 400_000;
  const windows = 40;
  const worker = new Worker(new URL('./live-candles-writer.worker.js', import.meta.url), {
    workerData: { memory, versions, windows },
  });
  const exited = once(worker, 'exit');
  const into = new Int32Array(CANDLE_WORDS);
  let last = 0;
  let changes = 0;
  while (last < versions) {
    for (let i = 0; i < 1000; i++) {
      if (!reader.latest(0, 0, into)) continue;
      const version = versionOf(into);
      assert.ok(version >= last, `version ${version} after ${last}`);
      if (version !== last) changes++;
      last = version;
    }
    // A dead writer is an error event, which only a turn of the event loop delivers.
    await new Promise(setImmediate);
  }
  await exited;
  assert.ok(changes > 1, 'the reader never raced the writer');
  const newestUs = numberAt(into, 0, WORD.windowStart);
  assert.equal(newestUs, (windows - 1) * TIMEFRAME_US[0]);
  const ring = new Int32Array(RING * CANDLE_WORDS);
  assert.equal(reader.range(0, 0, 0, newestUs + 1, ring), RING);
});

test('a slot left half-written is given up by readers and emptied by the next writer', () => {
  const memory = allocateLiveCandles(1, RING);
  const reader = new LiveCandlesReader(memory);
  const into = new Int32Array(CANDLE_WORDS);
  new LiveCandlesWriter(memory).publish(versionedRecord(7, 0), 0);
  assert.ok(reader.read(0, 0, 0, into));
  // Find the slot's sequence, 2 after one publication, and leave it as in the middle of the next.
  const words = new Int32Array(memory);
  const sequence = words.indexOf(2, 16);
  words[sequence]++;
  assert.equal(reader.read(0, 0, 0, into), false);
  const writer = new LiveCandlesWriter(memory);
  assert.equal(reader.read(0, 0, 0, into), false);
  assert.equal(reader.latest(0, 0, into), false);
  writer.publish(versionedRecord(8, 0), 0);
  assert.ok(reader.latest(0, 0, into));
  assert.equal(versionOf(into), 8);
});
