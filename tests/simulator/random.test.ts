import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#src/base/random';

test('the same seed gives the same numbers, another seed others', () => {
  const draw = (random: Random): number[] => Array.from({ length: 50 }, () => random.uint32());
  fc.assert(
    fc.property(fc.maxSafeNat(), (seed) => {
      const numbers = draw(new Random(seed));
      assert.deepEqual(draw(new Random(seed)), numbers);
      assert.notDeepEqual(draw(new Random(seed + 1)), numbers);
      assert.ok(new Set(numbers).size >= 49);
    }),
  );
});

test('a fork does not depend on how far its parent is, and differs from its siblings', () => {
  const parent = new Random(7);
  const early = parent.fork(1).uint32();
  for (let i = 0; i < 100; i++) parent.uint32();
  assert.equal(parent.fork(1).uint32(), early);
  const firsts = Array.from({ length: 1000 }, (_, concern) => parent.fork(concern).uint32());
  assert.equal(new Set(firsts).size, 1000);
});

test('numbers are spread evenly and stay within their bounds', () => {
  const random = new Random(3);
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 100_000; i++) counts[random.below(10)]!++;
  // 10,000 expected in each; the standard deviation is 95.
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 600, `${counts}`);
  const between = new Set(Array.from({ length: 1000 }, () => random.between(3, 5)));
  assert.deepEqual([...between].sort(), [3, 4, 5]);
  assert.equal(random.chance(0), false);
  assert.equal(random.chance(1), true);
});
