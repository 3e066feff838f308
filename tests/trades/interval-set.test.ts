/** Interval sets against a plain Map of ids, and what they promise of size and packing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IntervalSet } from '#src/trades/interval-set';

/** Ids near each other, so that appends, duplicates, joins and gaps all happen. */
const ids = fc
  .tuple(
    fc.constantFrom(0, 5, 348_656_870, 2 ** 32 - 20, 2 ** 53 - 60),
    fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 120 }),
  )
  .map(([base, offsets]) => offsets.map((offset) => base + offset));

/** A time that says which addition it belongs to. */
const timeOf = (step: number): number => 1_741_046_401_271_497 + ((step * 7919) % 1000);

function intervalsOf(set: IntervalSet): number[][] {
  return Array.from({ length: set.intervalCount }, (_, i) => [
    set.lo(i),
    set.hi(i),
    set.loTimeUs(i),
    set.hiTimeUs(i),
  ]);
}

/** The intervals a sorted list of ids makes. */
function expectedIntervals(seen: ReadonlyMap<number, number>): number[][] {
  const expected: number[][] = [];
  for (const id of [...seen.keys()].sort((a, b) => a - b)) {
    const last = expected.at(-1);
    const time = seen.get(id)!;
    if (last !== undefined && last[1] === id - 1) {
      last[1] = id;
      last[3] = time;
    } else {
      expected.push([id, id, time, time]);
    }
  }
  return expected;
}

test('the set equals a plain Map after every addition', () => {
  fc.assert(
    fc.property(ids, (sequence) => {
      const set = new IntervalSet();
      const seen = new Map<number, number>();
      let duplicates = 0;
      let timeMax = -1;
      sequence.forEach((id, step) => {
        const time = timeOf(step);
        const isNew = !seen.has(id);
        const belowTop = id < Math.max(-1, ...seen.keys());
        const backfills = set.backfillsCount;
        assert.equal(set.add(id, time), isNew);
        assert.equal(set.backfillsCount, backfills + (isNew && belowTop ? 1 : 0));
        if (isNew) {
          seen.set(id, time);
          timeMax = Math.max(timeMax, time);
        } else duplicates++;
        assert.equal(set.idsCount, seen.size);
        assert.equal(set.duplicatesCount, duplicates);
        assert.equal(set.eventTimeMaxUs, timeMax);
        assert.equal(set.largestId, Math.max(-1, ...seen.keys()));
      });
      assert.deepEqual(intervalsOf(set), expectedIntervals(seen));
    }),
  );
});

test('has and covers ask about exactly the ids added', () => {
  fc.assert(
    fc.property(
      ids,
      fc.integer({ min: -2, max: 52 }),
      fc.integer({ min: 0, max: 6 }),
      (sequence, offset, span) => {
        const set = new IntervalSet();
        for (const [step, id] of sequence.entries()) set.add(id, timeOf(step));
        const from = (sequence.length === 0 ? 0 : Math.min(...sequence)) + offset;
        const range = Array.from({ length: span + 1 }, (_, i) => from + i);
        assert.equal(set.has(from), sequence.includes(from));
        assert.equal(
          set.covers(from, from + span),
          range.every((id) => sequence.includes(id)),
        );
      },
    ),
  );
});

test('packing is exact, and a packed set goes on as the original does', () => {
  fc.assert(
    fc.property(ids, ids, (before, after) => {
      const set = new IntervalSet();
      for (const [step, id] of before.entries()) set.add(id, timeOf(step));
      const bytes = set.pack();
      // Values in a store start at any byte.
      const shifted = new Uint8Array(bytes.length + 1);
      shifted.set(bytes, 1);
      const copy = IntervalSet.unpack(shifted.subarray(1));
      assert.deepEqual(copy.pack(), bytes);
      for (const [step, id] of after.entries()) {
        assert.equal(copy.add(id, timeOf(step)), set.add(id, timeOf(step)));
      }
      assert.deepEqual(intervalsOf(copy), intervalsOf(set));
      assert.deepEqual(copy.pack(), set.pack());
    }),
  );
});

test('a packed set is little-endian int64s and is refused when it is not whole', () => {
  const set = new IntervalSet();
  set.add(2 ** 53 - 1, 1_741_046_401_271_497);
  set.add(7, 9);
  const bytes = set.pack();
  const view = new DataView(bytes.buffer);
  assert.equal(view.getInt32(0, true), 1);
  assert.equal(view.getInt32(4, true), 2);
  const values = Array.from({ length: 10 }, (_, i) => view.getBigInt64(8 + 8 * i, true));
  const top = 2n ** 53n - 1n;
  const time = 1_741_046_401_271_497n;
  assert.deepEqual(values, [time, 0n, 7n, 7n, 9n, 9n, top, top, time, time]);
  assert.throws(() => IntervalSet.unpack(bytes.subarray(0, bytes.length - 8)), /bytes/);
  const wrongVersion = bytes.slice();
  wrongVersion[0] = 9;
  assert.throws(() => IntervalSet.unpack(wrongVersion), /version 9/);
  const wrongOrder = bytes.slice();
  wrongOrder.copyWithin(24, 24 + 32, 24 + 64);
  assert.throws(() => IntervalSet.unpack(wrongOrder), /breaks the order/);
});

test('memory is 32 bytes per gap, doubled at most, whatever the number of trades', () => {
  const set = new IntervalSet();
  let id = 1_000_000_000;
  for (let gap = 0; gap <= 1000; gap++, id += 3) {
    for (let trade = 0; trade < 200; trade++) set.add(id++, id);
  }
  assert.equal(set.intervalCount, 1001);
  assert.equal(set.idsCount, 200_200);
  assert.ok(set.byteLength <= 64 * 1024, `${set.byteLength} bytes`);
});
