/** The rate of each address: n - 1 and n pass, n + 1 does not, and each second is a new one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RequestCounts } from '#src/api/request-counts';

const taken = (counts: RequestCounts, address: string, nowMs: number, times: number): number =>
  Array.from({ length: times }, () => counts.take(address, nowMs)).filter(Boolean).length;

describe('requests are counted', () => {
  it('one below, at and one above the limit', () => {
    for (const [asked, passed] of [
      [4, 4],
      [5, 5],
      [6, 5],
      [60, 5],
    ] as const) {
      assert.equal(taken(new RequestCounts(5), 'a', 0, asked), passed);
    }
  });

  it('in a second that begins with the first of them', () => {
    const counts = new RequestCounts(2);
    assert.equal(taken(counts, 'a', 300, 1), 1);
    assert.equal(taken(counts, 'a', 1_299, 2), 1);
    assert.equal(taken(counts, 'a', 1_300, 3), 2);
    assert.equal(taken(counts, 'a', 2_299.9, 1), 0);
    assert.equal(taken(counts, 'a', 2_300, 1), 1);
  });

  it('by address', () => {
    const counts = new RequestCounts(1);
    assert.deepEqual(
      ['a', 'b', 'a', 'b', 'c'].map((address) => counts.take(address, 0)),
      [true, true, false, false, true],
    );
  });

  it('of 4,096 addresses; the one whose second began first is forgotten first', () => {
    const counts = new RequestCounts(1);
    for (let i = 0; i < 4_096; i++) assert.equal(counts.take(`${i}`, i === 0 ? 0 : 1), true);
    assert.equal(counts.take('0', 1_000), true, 'a new second: it is the youngest now');
    assert.equal(counts.take('one more', 1_000), true);
    assert.equal(counts.take('0', 1_000), false, 'still known');
    assert.equal(counts.take('2', 1_000), false, 'still known');
    assert.equal(counts.take('1', 1_000), true, 'forgotten');
  });
});
