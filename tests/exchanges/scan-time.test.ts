import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  parseEpochTime,
  parseRfc3339Time,
  parseSecondsTime,
  scanEpochTime,
} from '#src/exchanges/scan-time';

type Parser = (bytes: Uint8Array, start: number, end: number) => number;

function read(parser: Parser, text: string): number {
  const bytes = Buffer.from(`1${text}1`);
  return parser(bytes, 1, bytes.length - 1);
}

/** Second 0 of 1970 to the last microsecond below 2^53 (2255). */
const seconds = fc.integer({ min: 0, max: 9_007_199_253 });
const decimals = fc
  .array(fc.constantFrom(...'0123456789'), { minLength: 1, maxLength: 12 })
  .map((digits) => digits.join(''));

function micros(decimalText: string): number {
  return Number(decimalText.padEnd(6, '0').slice(0, 6));
}

test('RFC 3339 agrees with Date and cuts below the microsecond', () => {
  fc.assert(
    fc.property(seconds, fc.option(decimals), (second, fraction) => {
      const date = new Date(second * 1000).toISOString().slice(0, 19);
      const text = fraction === null ? `${date}Z` : `${date}.${fraction}Z`;
      const expected = second * 1e6 + (fraction === null ? 0 : micros(fraction));
      assert.equal(read(parseRfc3339Time, text), expected, text);
    }),
    { numRuns: 5000 },
  );
});

test('every day of the calendar is accepted and no other', () => {
  for (const year of [1970, 1972, 1999, 2000, 2024, 2025, 2100]) {
    for (let month = 0; month <= 13; month++) {
      for (let day = 0; day <= 32; day++) {
        const two = (n: number) => String(n).padStart(2, '0');
        const text = `${year}-${two(month)}-${two(day)}T00:00:00Z`;
        const ms = Date.UTC(year, month - 1, day);
        const exists = new Date(ms).toISOString().slice(0, 10) === text.slice(0, 10);
        assert.equal(read(parseRfc3339Time, text), exists ? ms * 1000 : -1, text);
      }
    }
  }
});

test('what is not RFC 3339 in UTC is refused', () => {
  const good = '2026-07-07T22:58:16.156605Z';
  assert.equal(read(parseRfc3339Time, good), 1_783_465_096_156_605);
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.constantFrom(...' -:.TZ+x/'), (at, character) => {
      fc.pre(good[at] !== character);
      fc.pre(!(character === 'Z' && at === good.length - 1));
      const text = good.slice(0, at) + character + good.slice(at + 1);
      assert.equal(read(parseRfc3339Time, text), -1, text);
    }),
    { numRuns: 500 },
  );
  const bad = [
    '',
    'Z',
    '2026-07-07T22:58:16',
    '2026-07-07T22:58:16.Z',
    '2026-07-07T22:58:16+00:00',
    '2026-07-07T24:00:00Z',
    '2026-07-07T23:60:00Z',
    '2026-07-07T23:59:60Z',
    '1969-12-31T23:59:59Z',
    '2255-06-05T23:47:34.740992Z', // 2^53 us
    '9999-12-31T23:59:59Z',
  ];
  for (const text of bad) assert.equal(read(parseRfc3339Time, text), -1, text);
});

test('epoch times are milliseconds or microseconds by their digits', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 18n }), (value) => {
      const text = String(value);
      const us = text.length === 13 ? value * 1000n : text.length === 16 ? value : -1n;
      const expected = us < 2n ** 53n ? Number(us) : -1;
      assert.equal(read(parseEpochTime, text), expected, text);
      const out = new Float64Array(2);
      const end = scanEpochTime(Buffer.from(`${text},`), 0, out, 1);
      assert.equal(end, expected < 0 ? -1 : text.length, text);
      if (end > 0) assert.equal(out[1], expected);
    }),
    { numRuns: 5000 },
  );
  for (const text of ['', '-178346515789', '1783465157.89', '178346515789x', '1e12']) {
    assert.equal(read(parseEpochTime, text), -1, text);
  }
});

test('seconds with a fraction are cut to microseconds', () => {
  fc.assert(
    fc.property(seconds, fc.option(decimals), (second, fraction) => {
      const text = fraction === null ? String(second) : `${second}.${fraction}`;
      const expected = second * 1e6 + (fraction === null ? 0 : micros(fraction));
      assert.equal(read(parseSecondsTime, text), expected, text);
    }),
    { numRuns: 2000 },
  );
  for (const text of ['', '.5', '5.', '-5', '1e9', '1.5e9', '1.2.3', '9007199255', '1,5']) {
    assert.equal(read(parseSecondsTime, text), -1, text);
  }
});
