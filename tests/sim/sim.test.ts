/**
 * The simulator itself: a few dozen seeds hold, a seed is the same run every time, and the alarm
 * works: with a fault planted in the product or in the machine a checker says so, and the minimiser
 * makes the run smaller without losing it.
 */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { LogWriter } from '#src/log/log-writer';
import { IntervalSet } from '#src/trades/interval-set';
import { SimFile } from '#tests/sim/disk';
import type { ChangeOfPlan } from '#tests/sim/plan';
import { describeViolation, runSeed, runSeeds, type SimViolation } from '#tests/sim/run';
import { shrink } from '#tests/sim/shrink';
import type { Invariant } from '#tests/sim/violation';

test('two dozen seeds', async (t) => {
  const report = await runSeeds({ firstSeed: 1, seeds: 24, steps: 2_500, workers: 2 });
  for (const violation of report.violations) t.diagnostic(describeViolation(violation));
  assert.deepEqual(report.violations, []);
  assert.equal(report.seeds, 24);
  assert.ok(report.doubleRuns > 0);
  t.diagnostic(`${report.steps} steps, ${report.trades} trades, ${report.epochs} epochs`);
});

test('a seed is the same run every time, and another one with other steps or another plan', async () => {
  const run = async (steps: number, change: ChangeOfPlan = {}): Promise<string> =>
    (await runSeed(12, steps, change)).digest;
  const first = await run(2_000);
  assert.equal(await run(2_000), first);
  assert.notEqual(await run(2_100), first);
  assert.notEqual(await run(2_000, { shape: { goldShards: 4 } }), first);
});

/** Breaks something for the length of a test, and looks for the first seed that notices. */
async function firstViolation(
  t: TestContext,
  change: ChangeOfPlan,
  seeds: number,
): Promise<SimViolation> {
  for (let seed = 1; seed <= seeds; seed++) {
    const { violation } = await runSeed(seed, 3_000, change);
    if (violation === undefined) continue;
    t.diagnostic(`seed ${seed}: ${violation.invariant} ${violation.message.split('\n')[0]}`);
    return violation;
  }
  return assert.fail(`${seeds} seeds noticed nothing`);
}

function assertIs(violation: SimViolation, ...expected: readonly Invariant[]): void {
  assert.ok(expected.includes(violation.invariant), describeViolation(violation));
}

test('planted: fsync does nothing', async (t) => {
  t.mock.method(SimFile.prototype, 'sync', () => {});
  assertIs(await firstViolation(t, {}, 3), 'I14', 'I6');
});

test('planted: one frame in a hundred is dropped before the log; shrunk to a short run', async (t) => {
  const { append } = LogWriter.prototype;
  let frames = 0;
  t.mock.method(LogWriter.prototype, 'append', function (this: LogWriter, ...args: never[]) {
    if (++frames % 100 === 0) return this.nextSequence;
    return append.apply(this, args as unknown as Parameters<typeof append>);
  });
  const violation = await firstViolation(t, {}, 3);
  assertIs(violation, 'I3', 'I10');
  const lines: string[] = [];
  const shrunk = await shrink(
    violation.seed,
    3_000,
    { steps: 3_000 },
    violation,
    (line) => lines.push(line),
    3_000,
  );
  assert.equal(shrunk.violation.invariant, violation.invariant);
  assert.ok(shrunk.violation.step <= violation.step);
  assert.match(lines.at(-1) ?? '', /npm run sim -- --seed \d+ --steps 3000 --set '\{/);
});

test('planted: a duplicate counts as new now and then', async (t) => {
  const { add } = IntervalSet.prototype;
  let calls = 0;
  t.mock.method(IntervalSet.prototype, 'add', function (this: IntervalSet, id: number, us: number) {
    const isNew = add.call(this, id, us);
    return isNew || ++calls % 3 === 0;
  });
  const change = { feed: { duplicate: 0.2 }, ratePerSecond: 25 };
  assertIs(await firstViolation(t, change, 3), 'I1');
});
