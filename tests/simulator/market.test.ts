import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#src/base/random';
import { Market } from '#src/simulator/market';
import { INSTRUMENTS, START_US } from '#tests/simulator/fixtures';

const KRAKEN = INSTRUMENTS.filter((instrument) => instrument.exchange === 'KRAKEN');
const NO_SINK = { order: () => {} };

function market(seed: number, options: { keepTradesMax?: number; lose?: number } = {}): Market {
  return new Market({
    exchange: 'KRAKEN',
    instruments: KRAKEN,
    random: new Random(seed),
    startUs: START_US,
    ratePerSecond: 1000,
    timeStepUs: 1,
    lose: 0,
    keepTradesMax: Number.MAX_SAFE_INTEGER,
    ...options,
  });
}

function truth(made: Market): number[][] {
  return made.tapes.flatMap((tape) =>
    Array.from({ length: tape.rows }, (_, row) => [
      tape.id(row),
      tape.time.get(row),
      tape.price.get(row),
      tape.quantity.get(row),
      tape.side(row),
    ]),
  );
}

test('the truth depends on the seed, not on how it is stepped', () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(fc.integer({ min: 1, max: 400_000 })), (seed, steps) => {
      const whole = market(seed);
      whole.step(START_US + 2e6, Number.MAX_SAFE_INTEGER, NO_SINK);
      const parts = market(seed);
      let nowUs = START_US;
      for (const step of steps) {
        nowUs = Math.min(START_US + 2e6, nowUs + step);
        parts.step(nowUs, 50, NO_SINK);
      }
      while (!parts.step(START_US + 2e6, 50, NO_SINK));
      assert.deepEqual(truth(parts), truth(whole));
    }),
    { numRuns: 20 },
  );
  assert.notDeepEqual(truthOf(1), truthOf(2));
});

function truthOf(seed: number): number[][] {
  const made = market(seed);
  made.step(START_US + 1e6, Number.MAX_SAFE_INTEGER, NO_SINK);
  return truth(made);
}

test('prices and sizes are positive, times do not decrease, orders tell of every trade', () => {
  const made = market(11);
  const told = made.tapes.map(() => 0);
  made.step(START_US + 20e6, Number.MAX_SAFE_INTEGER, {
    order(instrument, firstRow, fills) {
      assert.equal(firstRow, told[instrument]);
      told[instrument]! += fills;
    },
  });
  assert.deepEqual(
    told,
    made.tapes.map((tape) => tape.rows),
  );
  // 20 s at 1,000/s on average.
  assert.ok(Math.abs(made.trades - 20_000) < 1000, `${made.trades} trades`);
  for (const tape of made.tapes) {
    for (let row = 0; row < tape.rows; row++) {
      assert.ok(Number.isSafeInteger(tape.price.get(row)) && tape.price.get(row) > 0);
      assert.ok(Number.isSafeInteger(tape.quantity.get(row)) && tape.quantity.get(row) > 0);
      assert.ok(row === 0 || tape.time.get(row) >= tape.time.get(row - 1));
      assert.ok(tape.price.get(row) < 3 * tape.instrument.startPriceTicks);
    }
  }
});

test('a burst makes the same trades as the clock does, at the time given', () => {
  const stepped = market(5);
  stepped.step(START_US + 1e6, Number.MAX_SAFE_INTEGER, NO_SINK);
  const burst = market(5);
  burst.burst(stepped.trades, START_US + 9e6, NO_SINK);
  const withoutTime = (rows: number[][]): number[][] =>
    rows.map(([id, , ...rest]) => [id!, ...rest]);
  assert.deepEqual(withoutTime(truth(burst)), withoutTime(truth(stepped)));
  assert.ok(truth(burst).every(([, timeUs]) => timeUs === START_US + 9e6));
});

test('with a row limit the oldest trades are let go and the newest stay', () => {
  const made = market(5, { keepTradesMax: 20_000 });
  made.burst(300_000, START_US, NO_SINK);
  const all = market(5);
  all.burst(300_000, START_US, NO_SINK);
  for (const [index, tape] of made.tapes.entries()) {
    const kept = tape.rows - tape.firstRow;
    assert.ok(kept >= Math.min(20_000, tape.rows) && kept <= 60_000, `${kept} kept`);
    const other = all.tapes[index]!;
    for (let row = tape.firstRow; row < tape.rows; row += 97) {
      assert.equal(tape.price.get(row), other.price.get(row));
      assert.equal(tape.aggregateAtRow(row), other.aggregateAtRow(row));
    }
    assert.ok(tape.aggregateRow(tape.firstAggregate) >= tape.firstRow);
  }
});

test('aggregates cover every fill once, at one price, side and time each', () => {
  const made = market(8);
  made.step(START_US + 5e6, Number.MAX_SAFE_INTEGER, NO_SINK);
  for (const tape of made.tapes) {
    assert.equal(tape.aggregateRow(0), 0);
    assert.equal(tape.aggregateRow(tape.aggregates), tape.rows);
    for (let a = 0; a < tape.aggregates; a++) {
      const first = tape.aggregateRow(a);
      const end = tape.aggregateRow(a + 1);
      assert.ok(end > first);
      for (let row = first; row < end; row++) {
        assert.equal(tape.price.get(row), tape.price.get(first));
        assert.equal(tape.side(row), tape.side(first));
        assert.equal(tape.time.get(row), tape.time.get(first));
        assert.equal(tape.aggregateAtRow(row), a);
      }
    }
  }
});
