/** 128-bit sums against BigInt, over the whole range of their inputs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addInt64, addInt128, addProduct, bigInt128, storeBigInt128 } from '#src/base/int128';

const MAX = 2n ** 127n - 1n;
const MIN = -(2n ** 127n);
const AT = 3; // an offset that is no multiple of the width

const int128 = fc.bigInt({ min: MIN, max: MAX });
/** Magnitudes spread over all bit lengths, so that carries and zero words are common. */
const positive = fc
  .tuple(fc.integer({ min: 1, max: 63 }), fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }))
  .map(([bits, value]) => value >> BigInt(63 - bits));
const edge = fc.constantFrom(
  ...[0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 10n ** 18n - 1n, 2n ** 63n - 1n],
);
const factor = fc.oneof(positive, edge);

function wordsOf(value: bigint): [number, number] {
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
}

function sumOf(value: bigint): Int32Array {
  const sum = new Int32Array(AT + 5);
  storeBigInt128(sum, AT, value);
  return sum;
}

/** The sum after `add`, or that it refused and left the sum alone. */
function expectSum(sum: Int32Array, expected: bigint, add: () => void): void {
  const before = bigInt128(sum, AT);
  if (expected > MAX || expected < MIN) {
    assert.throws(add, /overflows/);
    assert.equal(bigInt128(sum, AT), before);
  } else {
    add();
    assert.equal(bigInt128(sum, AT), expected);
  }
  assert.deepEqual([...sum.subarray(0, AT), sum[AT + 4]], [0, 0, 0, 0], 'wrote outside the sum');
}

test('a BigInt survives the words, little-endian', () => {
  fc.assert(
    fc.property(int128, (value) => {
      const sum = sumOf(value);
      assert.equal(bigInt128(sum, AT), value);
      const view = new DataView(sum.buffer, 4 * AT, 16);
      assert.equal((view.getBigInt64(8, true) << 64n) | view.getBigUint64(0, true), value);
    }),
  );
  assert.throws(() => storeBigInt128(new Int32Array(4), 0, MAX + 1n), /does not fit/);
});

test('adding an int64, signed', () => {
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  const any = fc.oneof(int128, fc.constantFrom(MAX, MIN, MAX - 5n, MIN + 5n, -1n, 0n));
  fc.assert(
    fc.property(any, int64, (start, value) => {
      const sum = sumOf(start);
      expectSum(sum, start + value, () => addInt64(sum, AT, ...wordsOf(value)));
    }),
  );
});

test('adding a 128-bit value', () => {
  const any = fc.oneof(int128, fc.constantFrom(MAX, MIN, -1n, 0n, 1n));
  fc.assert(
    fc.property(any, any, (start, value) => {
      const sum = sumOf(start);
      expectSum(sum, start + value, () => addInt128(sum, AT, sumOf(value), AT));
    }),
  );
});

test('adding products, one after the other', () => {
  const start = fc.oneof(
    fc.bigInt({ min: 0n, max: MAX }),
    fc.constantFrom(0n, 2n ** 32n - 1n, 2n ** 64n - 1n, 2n ** 96n - 1n, MAX),
  );
  fc.assert(
    fc.property(start, fc.array(fc.tuple(factor, factor), { maxLength: 8 }), (first, pairs) => {
      const sum = sumOf(first);
      let expected = first;
      for (const [a, b] of pairs) {
        if (expected + a * b > MAX) {
          expectSum(sum, expected + a * b, () => addProduct(sum, AT, ...wordsOf(a), ...wordsOf(b)));
          return;
        }
        expected += a * b;
        expectSum(sum, expected, () => addProduct(sum, AT, ...wordsOf(a), ...wordsOf(b)));
      }
    }),
    { numRuns: 2000 },
  );
});
