/** Nothing that is missing goes unsuspected, and what comes in after all is not asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type SuspectRange, TradeMarks } from '#src/feed/trade-marks';

function ripen(marks: TradeMarks): void {
  for (let i = 0; i < 3; i++) marks.tick();
}

function takeNow(marks: TradeMarks): SuspectRange | undefined {
  ripen(marks);
  return marks.take(0);
}

test('every id lost between two that came is in a range, whatever the order and the requests', () => {
  const step = fc.record({
    id: fc.integer({ min: 0, max: 60 }),
    isTaking: fc.boolean(),
    claim: fc.option(fc.integer({ min: 0, max: 60 })),
    isTail: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 80 }), (steps) => {
      const marks = new TradeMarks(1);
      const seen = new Set<number>();
      const taken: SuspectRange[] = [];
      let first = -1;
      for (const { id, isTaking, claim, isTail } of steps) {
        marks.note(0, id, 1);
        seen.add(id);
        if (first === -1) first = id;
        if (claim !== null) marks.suspect(0, marks.mark(0) + 1, claim);
        if (isTail) marks.suspectTail(0);
        marks.tick();
        const range = isTaking ? marks.take(0) : undefined;
        if (range !== undefined) taken.push(range);
      }
      const last = takeNow(marks);
      if (last !== undefined) taken.push(last);
      const top = Math.max(...seen);
      assert.equal(marks.mark(0), top);
      for (let id = first + 1; id < top; id++) {
        if (seen.has(id)) continue;
        assert.ok(
          taken.some(({ lo, hi }) => lo <= id && id <= hi),
          `${id} of ${[...seen]} in ${JSON.stringify(taken)}`,
        );
      }
    }),
    { numRuns: 500 },
  );
});

test('two connections that overlap cost no request', () => {
  const delays = fc.array(fc.nat(20), { minLength: 30, maxLength: 30 });
  fc.assert(
    fc.property(delays, (delay) => {
      // The second connection is ahead or behind by up to 20 trades at any time; both miss nothing.
      const marks = new TradeMarks(1);
      marks.note(0, 0, 1);
      const events = delay.flatMap((d, i) => [
        { at: i, id: i + 1 },
        { at: i + d, id: i + 1 },
      ]);
      events.sort((a, b) => a.at - b.at);
      for (const { id } of events) marks.note(0, id, 1);
      assert.equal(takeNow(marks), undefined);
    }),
  );
});

test('a batch with the newest trade first is no gap', () => {
  const marks = new TradeMarks(1);
  for (const id of [100, 105, 104, 103, 102, 101, 106]) marks.note(0, id, 1);
  assert.equal(takeNow(marks), undefined);
});

test('a jump is a range that ripens in three ticks, with the time before it', () => {
  const marks = new TradeMarks(2);
  marks.note(1, 10, 1_000);
  marks.note(1, 15, 2_000);
  marks.tick();
  marks.tick();
  assert.equal(marks.take(1), undefined);
  marks.tick();
  assert.deepEqual(marks.take(1), { lo: 11, hi: 14, sinceUs: 1_000 });
  assert.equal(marks.take(1), undefined);
});

test('after a lost connection: nothing missed, something missed, nothing heard', () => {
  const after = (next: number | undefined): SuspectRange | undefined => {
    const marks = new TradeMarks(1);
    marks.note(0, 10, 1_000);
    marks.suspectTail(0);
    if (next !== undefined) marks.note(0, next, 2_000);
    return takeNow(marks);
  };
  assert.equal(after(11), undefined);
  assert.deepEqual(after(14), { lo: 11, hi: 13, sinceUs: 1_000 });
  assert.deepEqual(after(undefined), { lo: 11, hi: Number.POSITIVE_INFINITY, sinceUs: 1_000 });
});

test('an instrument that is catching up with the exchange is left alone', () => {
  const marks = new TradeMarks(1);
  marks.note(0, 10, 1);
  for (let id = 11; id < 60; id++) {
    marks.suspect(0, marks.mark(0) + 1, id + 3);
    marks.note(0, id, 1);
    marks.tick();
    assert.equal(marks.take(0), undefined);
  }
});

test('what REST brought is not suspected again', () => {
  const marks = new TradeMarks(1);
  marks.note(0, 10, 1);
  marks.suspect(0, 11, 20);
  assert.deepEqual(takeNow(marks), { lo: 11, hi: 20, sinceUs: 1 });
  marks.fill(0, 5, 20);
  assert.equal(marks.mark(0), 20);
  marks.suspect(0, marks.mark(0) + 1, 20);
  assert.equal(takeNow(marks), undefined);
  marks.fill(0, 25, 30);
  assert.equal(marks.mark(0), 20, 'a page that does not join on moves nothing');
});

test('one broken id neither starts a giant backfill nor blinds the marks for ever', () => {
  const marks = new TradeMarks(1);
  marks.note(0, 10, 1);
  marks.note(0, Number.MAX_SAFE_INTEGER, 1);
  assert.equal(takeNow(marks), undefined);
  for (let id = 11; id < 5_100; id++) marks.note(0, id, 1);
  assert.equal(marks.mark(0), 5_099);
  marks.note(0, 5_102, 1);
  assert.deepEqual(takeNow(marks), { lo: 5_100, hi: 5_101, sinceUs: 1 });
});

test('a gap of the ledger above the mark: a late trade came in first, or the ids began anew', () => {
  const marks = new TradeMarks(1);
  marks.note(0, 96, 2_000); // an earlier life has got to 107, and lacks 97 to 102
  assert.ok(marks.suspectGap(0, 97, 102, 1_000));
  assert.deepEqual(takeNow(marks), { lo: 97, hi: 102, sinceUs: 1_000 });
  marks.suspectTail(0);
  assert.ok(marks.suspectGap(0, 97, 102, 1_000));
  assert.deepEqual(takeNow(marks), { lo: 97, hi: Number.POSITIVE_INFINITY, sinceUs: 1_000 });
  marks.resume(0, 1_000_000, 1_000);
  for (let id = 1; id < 5_100; id++) marks.note(0, id, 3_000);
  assert.equal(marks.mark(0), 5_099);
  assert.ok(!marks.suspectGap(0, 999_990, 999_995, 1_000), 'an id of before it began anew');
  assert.ok(marks.suspectGap(0, 100, 120, 3_000));
  assert.deepEqual(takeNow(marks), { lo: 100, hi: 120, sinceUs: 3_000 });
});
