/** The arithmetic of the six-core budget. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planCores } from '#bench/six-cores';

const COSTS = { validation: 0.25, gold: 0.05, candles: 0.1, main: 0.1, lake: 0.5 };

test('one core carries what the sum of all costs allows', () => {
  const plan = planCores(COSTS, 1);
  assert.ok(Math.abs(plan.tradesPerSecond - 1e6) < 1);
  assert.equal(plan.cores.length, 1);
});

test('two cores carry twice as much where encoding can be divided to fit', () => {
  const plan = planCores(COSTS, 2);
  assert.ok(plan.tradesPerSecond > 1.9e6 && plan.tradesPerSecond <= 2e6 + 1);
});

test('more cores than help: the dearest thread that cannot be divided sets the rate', () => {
  const plan = planCores(COSTS, 6);
  assert.ok(plan.tradesPerSecond <= 4e6 + 1);
  assert.ok(plan.cores.every(({ busy }) => busy <= 1));
  const threads = plan.cores.flatMap(({ threads }) => threads);
  assert.equal(threads.length, 4 + plan.lakeThreads);
});
