import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { REASON, REASONS } from '#schemas/dead-letter';
import {
  DECIMAL_OK,
  formatDecimal,
  formatScaled,
  parseDecimal,
  parseScaled,
  scanDecimal,
} from '#src/base/decimal';
import { bigInt64 } from '#src/base/int64';
import { decimalOracle, STATUS_NAMES } from './decimal-oracle.js';

const words = new Int32Array(6);
const ROW = 1;

function parse(text: string): { status: string; value: bigint } {
  const bytes = Buffer.from(`9${text}9`);
  const status = STATUS_NAMES[parseDecimal(bytes, 1, bytes.length - 1, words, ROW)];
  return { status, value: status === 'ok' ? bigInt64(words, ROW) : 0n };
}

/** Digits that meet the limits: many zeros, many nines, any length around them. */
const digits = fc
  .array(fc.constantFrom('0', '0', '9', '1', '5'), { maxLength: 14 })
  .map((list) => list.join(''));
const exponent = fc.oneof(
  { arbitrary: fc.constant(''), weight: 3 },
  fc
    .tuple(fc.constantFrom('e', 'E'), fc.constantFrom('', '+', '-'), fc.nat(30))
    .map((parts) => parts.join('')),
  fc.constantFrom('e', 'e+', 'e400', 'e-400', 'E99999999999999999999', 'e-99999999999999999999'),
);
const decimalText = fc
  .tuple(fc.constantFrom('', '', '', '-', '+'), digits, fc.constantFrom('', '.', '.'), digits)
  .chain(([sign, whole, point, fraction]) =>
    exponent.map((e) => `${sign}${whole}${point}${point && fraction}${e}`),
  );

test('parseDecimal agrees with the oracle on every text', () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(decimalText, (text) => {
      const expected = decimalOracle(text);
      assert.deepEqual(parse(text), { status: expected.status, value: expected.value }, text);
      seen.set(expected.status, (seen.get(expected.status) ?? 0) + 1);
    }),
    { numRuns: 20_000 },
  );
  for (const status of STATUS_NAMES) assert.ok((seen.get(status) ?? 0) > 100, `${status} is rare`);
});

test('scanDecimal reads the common form as parseDecimal does and leaves the rest', () => {
  let scanned = 0;
  fc.assert(
    fc.property(decimalText, (text) => {
      const bytes = Buffer.from(`${text}"`);
      const end = scanDecimal(bytes, 0, words, ROW);
      if (end !== text.length) return; // -1, or a byte behind the number that its caller refuses
      scanned++;
      assert.deepEqual(
        { status: 'ok', value: bigInt64(words, ROW) },
        { ...decimalOracle(text) },
        text,
      );
    }),
    { numRuns: 20_000 },
  );
  assert.ok(scanned > 1000, `only ${scanned} texts were scanned`);
});

test('every value of DECIMAL(18,8) survives text and back, through every path', () => {
  const max = 10n ** 18n - 1n;
  const edges = [1n, 2n ** 31n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, max];
  const value = fc.oneof(fc.bigInt({ min: 1n, max }), fc.constantFrom(...edges));
  fc.assert(
    fc.property(value, (scaled) => {
      const text = formatScaled(scaled, 8);
      const bytes = Buffer.from(`${text}"`);
      assert.equal(parseDecimal(bytes, 0, text.length, words, ROW), DECIMAL_OK);
      assert.equal(bigInt64(words, ROW), scaled);
      assert.equal(formatDecimal(words, ROW), text);
      assert.equal(parseScaled(text, 8), scaled);
      if (scaled < 10n ** 17n) {
        words.fill(0);
        assert.equal(scanDecimal(bytes, 0, words, ROW), text.length);
        assert.equal(bigInt64(words, ROW), scaled);
      }
    }),
    { numRuns: 5000 },
  );
});

test('parseDecimal leaves the words alone unless it is ok', () => {
  words.fill(7);
  for (const text of ['', '-', '1e', '0.000000001', '10000000000', '0', '-1', '1.', '01', 'x']) {
    const bytes = Buffer.from(text);
    assert.notEqual(parseDecimal(bytes, 0, bytes.length, words, ROW), DECIMAL_OK, text);
  }
  assert.deepEqual([...words], [7, 7, 7, 7, 7, 7]);
});

test('the first broken rule wins in the order of REASONS', () => {
  assert.equal(parse('-99999999999.000000001').status, 'precision');
  assert.equal(parse('-99999999999').status, 'range');
  assert.equal(parse('-1').status, 'not_positive');
  assert.equal(parse('0.100000000000').value, 10_000_000n);
  assert.equal(parse('9999999999.99999999').value, 10n ** 18n - 1n);
  const names = REASONS.map(({ name }) => name);
  for (const field of ['price', 'quantity'] as const) {
    const from = REASON[`${field}_invalid`];
    const expected = STATUS_NAMES.slice(1).map((status) => `${field}_${status}`);
    assert.deepEqual(names.slice(from, from + 4), expected);
  }
});

test('a megabyte of zeros is read in linear time', () => {
  const zeros = '0'.repeat(1_000_000);
  assert.deepEqual(parse(`0.${zeros}1e1000001`), { status: 'ok', value: 100_000_000n });
  assert.equal(parse(`1${zeros}`).status, 'range');
  assert.equal(parse(`1${zeros}e-1000000`).value, 100_000_000n);
});

test('formatScaled and parseScaled are inverse at every scale', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 38n), max: 10n ** 38n }), fc.nat(16), (value, scale) => {
      assert.equal(parseScaled(formatScaled(value, scale), scale), value);
    }),
  );
  assert.equal(formatScaled(-5n, 2), '-0.05');
  assert.equal(parseScaled('1.230', 2), 123n);
  for (const text of ['', '.5', '1.', '1e3', '1.234', ' 1', '+1']) {
    assert.equal(parseScaled(text, 2), undefined, text);
  }
});
