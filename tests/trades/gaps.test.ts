/** Gaps are exactly the ids missing between the first and the last one seen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { gapsOf, gapTotals, recentGapsOf, resumePoint } from '#src/trades/gaps';
import { IntervalSet } from '#src/trades/interval-set';

const BASE = 348_656_870;

test('gaps list every missing id once, with the times around it', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 80 }), (offsets) => {
      const set = new IntervalSet();
      const timeOf = new Map<number, number>();
      for (const [step, offset] of offsets.entries()) {
        if (set.add(BASE + offset, 1000 - step)) timeOf.set(BASE + offset, 1000 - step);
      }
      const missing: number[] = [];
      for (let id = Math.min(...timeOf.keys()); id <= Math.max(...timeOf.keys()); id++) {
        if (!timeOf.has(id)) missing.push(id);
      }
      const gaps = gapsOf(set);
      const listed = gaps.flatMap((gap) =>
        Array.from({ length: gap.count }, (_, i) => gap.fromId + i),
      );
      assert.deepEqual(listed, missing);
      for (const gap of gaps) {
        assert.equal(gap.toId, gap.fromId + gap.count - 1);
        assert.equal(gap.afterUs, timeOf.get(gap.fromId - 1));
        assert.equal(gap.beforeUs, timeOf.get(gap.toId + 1));
      }
      assert.deepEqual(gapTotals(set), { gaps: gaps.length, missing: missing.length });
    }),
  );
});

test('a feed goes on from before the oldest gap that came to light lately', () => {
  const set = new IntervalSet();
  for (const [id, timeUs] of [
    [1, 100],
    [2, 110],
    [5, 200],
    [6, 210],
    [9, 900],
    [12, 950],
    [13, 1000],
  ] as const) {
    set.add(BASE + id, timeUs);
  }
  assert.deepEqual(resumePoint(set, 10), { tradeId: BASE + 13, timeUs: 1000 });
  assert.deepEqual(resumePoint(set, 60), { tradeId: BASE + 9, timeUs: 900 });
  assert.deepEqual(resumePoint(set, 100), { tradeId: BASE + 6, timeUs: 210 });
  assert.deepEqual(resumePoint(set, 10_000), { tradeId: BASE + 2, timeUs: 110 });
});

test('recent gaps hold every gap a feed goes on from, and none that ended long before', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 0, max: 100 }),
      (offsets, recentUs) => {
        const set = new IntervalSet();
        for (const [step, offset] of offsets.entries()) set.add(BASE + offset, 1000 + step);
        const from = resumePoint(set, recentUs).tradeId;
        const recent = recentGapsOf(set, recentUs);
        for (const gap of gapsOf(set)) {
          if (gap.fromId > from) assert.ok(recent.some(({ fromId }) => fromId === gap.fromId));
        }
        for (const { beforeUs } of recent) assert.ok(beforeUs >= set.eventTimeMaxUs - recentUs);
      },
    ),
  );
});
