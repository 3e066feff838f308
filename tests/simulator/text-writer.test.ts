import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decimalText, shortDecimalText, timeText } from '#src/simulator/decimal-text';
import { TextWriter } from '#src/simulator/text-writer';

function written(write: (writer: TextWriter) => void): string {
  const writer = new TextWriter(new Uint8Array(128));
  write(writer);
  return Buffer.from(writer.bytes.subarray(0, writer.at)).toString();
}

test('whole numbers below 2^53 are written as JavaScript writes them', () => {
  for (const value of [0, 9, 10, 99_999_999, 100_000_000, 1_000_000_000_000_000, 2 ** 53 - 1]) {
    assert.equal(
      written((writer) => writer.integer(value)),
      String(value),
    );
  }
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      assert.equal(
        written((writer) => writer.integer(value)),
        String(value),
      );
    }),
  );
});

test('decimals agree with BigInt arithmetic to the last digit', () => {
  fc.assert(
    fc.property(
      fc.maxSafeNat(),
      fc.integer({ min: 0, max: 8 }),
      fc.integer({ min: 0, max: 8 }),
      (units, decimals, more) => {
        const shown = Math.min(8, decimals + more);
        assert.equal(
          written((writer) => writer.decimal(units, decimals, shown)),
          decimalText(units, decimals, shown),
        );
        assert.equal(
          written((writer) => writer.shortDecimal(units, decimals)),
          shortDecimalText(units, decimals),
        );
      },
    ),
  );
  assert.equal(shortDecimalText(177_500, 2), '1775');
  assert.equal(shortDecimalText(20_000_000, 8), '0.2');
  assert.equal(decimalText(5, 8), '0.00000005');
});

test('times agree with Date to the second and carry their microseconds', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_000_000_000_000_000 }), (timeUs) => {
      const text = written((writer) => writer.time(timeUs));
      assert.equal(text, timeText(timeUs));
      assert.equal(Date.parse(`${text.slice(0, 19)}Z`), Math.floor(timeUs / 1e6) * 1000);
      assert.equal(Number(text.slice(20, 26)), timeUs % 1e6);
    }),
  );
});
