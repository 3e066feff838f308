/**
 * What deduplicating a trade costs, and the memory of a long history.
 * Run: node dist/bench/dedup.bench.js
 */
import { IntervalSet } from '#src/trades/interval-set';

const FIRST_ID = 348_656_870;
const START_US = Date.UTC(2025, 2, 4) * 1000;

function measure(name: string, count: number, run: () => IntervalSet): void {
  let bestNs = Number.POSITIVE_INFINITY;
  let set = new IntervalSet();
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    set = run();
    bestNs = Math.min(bestNs, ((performance.now() - start) * 1e6) / count);
  }
  const state = `${set.idsCount} ids, ${set.intervalCount} intervals, ${set.byteLength} bytes`;
  console.log(`${name.padEnd(44)} ${bestNs.toFixed(1).padStart(8)} ns   ${state}`);
}

const DENSE = 20_000_000;
measure('dense ids in order', DENSE, () => {
  const set = new IntervalSet();
  for (let i = 0; i < DENSE; i++) set.add(FIRST_ID + i, START_US + i);
  return set;
});

const SWAPPED = 4_000_000;
measure('every fourth id comes late', SWAPPED, () => {
  const set = new IntervalSet();
  for (let i = 0; i < SWAPPED; i += 4) {
    set.add(FIRST_ID + i, START_US);
    set.add(FIRST_ID + i + 2, START_US);
    set.add(FIRST_ID + i + 3, START_US);
    set.add(FIRST_ID + i + 1, START_US);
  }
  return set;
});

const GAPS = 1_000;
const BETWEEN = 100_000;
measure('100 million ids with 1,000 gaps', GAPS * BETWEEN, () => {
  const set = new IntervalSet();
  for (let id = FIRST_ID, gap = 0; gap < GAPS; gap++, id++) {
    for (let i = 0; i < BETWEEN; i++, id++) set.add(id, START_US);
  }
  return set;
});

const REPLAYED = 2_000_000;
measure('duplicates spread over 1,000 gaps', REPLAYED, () => {
  const set = new IntervalSet();
  for (let gap = 0; gap < GAPS; gap++) set.add(FIRST_ID + 2 * gap, START_US);
  let random = 1;
  for (let i = 0; i < REPLAYED; i++) {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
    set.add(FIRST_ID + 2 * ((random >>> 8) % GAPS), START_US);
  }
  return set;
});
