/** The pauses between rounds of push, on a clock of the test's own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { makeRounds } from '#src/push/rounds';

/** The pauses that are made after rounds that last so long, ms. */
async function pausesAfter(rounds: readonly number[]): Promise<number[]> {
  let nowMs = 0;
  let made = 0;
  const pauses: number[] = [];
  await makeRounds({
    bell: { count: 0, rest: async () => {} },
    clock: { nowUs: () => nowMs * 1_000, monotonicMs: () => nowMs },
    pause: async (ms) => {
      pauses.push(ms);
      nowMs += ms;
    },
    round: () => {
      nowMs += rounds[made++] as number;
    },
    wanted: async () => {},
    stopped: () => made === rounds.length,
  });
  return pauses;
}

test('rounds that all take long get a quarter of the thread', async () => {
  const length = fc.integer({ min: 1, max: 50 });
  const count = fc.integer({ min: 2, max: 40 });
  await fc.assert(
    fc.asyncProperty(length, count, async (ms, n) => {
      const pauses = await pausesAfter(Array(n).fill(ms));
      assert.deepEqual(pauses.slice(1), Array(n - 1).fill(3 * ms));
    }),
  );
});

test('one round that was kept from its core makes no long pause', async () => {
  const pauses = await pausesAfter([0.5, 0.5, 12, 0.5, 0.5, 0.2, 0.2]);
  assert.deepEqual(pauses, [1, 1.5, 1.5, 1.5, 1.5, 1, 1]);
});

test('a pause is a millisecond at least, and three times a round at most', async () => {
  const rounds = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(rounds, async (lengths) => {
      for (const [i, pause] of (await pausesAfter(lengths)).entries()) {
        assert.ok(pause >= 1 && pause <= Math.max(1, 3 * (lengths[i] as number)));
      }
    }),
  );
});
