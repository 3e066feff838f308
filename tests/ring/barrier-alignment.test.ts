/** Barrier alignment against its definition, for any order in which the inputs deliver. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BarrierAlignment } from '#src/ring/barrier-alignment';

test('an epoch is complete exactly when its barrier has come on every input, in any order', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }).chain((inputs) =>
        fc.record({
          inputs: fc.constant(inputs),
          orders: fc.array(fc.shuffledSubarray([...Array(inputs).keys()], { minLength: inputs }), {
            minLength: 1,
            maxLength: 5,
          }),
        }),
      ),
      ({ inputs, orders }) => {
        const alignment = new BarrierAlignment(inputs);
        for (const [i, order] of orders.entries()) {
          for (const [arrived, input] of order.entries()) {
            assert.equal(alignment.rests(input), false);
            const complete = alignment.arrive(input, i + 1);
            assert.equal(complete, arrived === inputs - 1);
            assert.equal(alignment.rests(input), !complete);
          }
        }
      },
    ),
  );
});

test('two epochs at once are a bug and stop the stage', () => {
  const alignment = new BarrierAlignment(2);
  alignment.arrive(0, 4);
  assert.throws(() => alignment.arrive(1, 5), /barrier 5 on input 1 while aligning epoch 4/);
});
