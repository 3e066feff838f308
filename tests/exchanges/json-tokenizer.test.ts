import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  JSON_ARRAY,
  JSON_DEPTH_MAX,
  JSON_FALSE,
  JSON_NULL,
  JSON_NUMBER,
  JSON_OBJECT,
  JSON_TRUE,
  JsonTokenizer,
} from '#src/exchanges/json-tokenizer';

const json = new JsonTokenizer();

function tokenize(bytes: Buffer): boolean {
  // Something that would go on with the text stands on both sides of it.
  const around = Buffer.concat([Buffer.from('[{"'), bytes, Buffer.from('"}]0')]);
  return json.tokenize(around, 3, 3 + bytes.length);
}

function text(token: number): string {
  const bytes = json.source(token).subarray(json.textStart(token), json.textEnd(token));
  return Buffer.from(bytes).toString('utf8');
}

/** The value of a token, rebuilt from tokens; numbers through their text. */
function value(token: number): unknown {
  switch (json.kind[token]) {
    case JSON_OBJECT: {
      const entries: [string, unknown][] = [];
      for (let key = token + 1; key < json.next[token]; key = json.next[key + 1]) {
        entries.push([text(key), value(key + 1)]);
      }
      return Object.fromEntries(entries);
    }
    case JSON_ARRAY: {
      const elements: unknown[] = [];
      for (let each = token + 1; each < json.next[token]; each = json.next[each]) {
        elements.push(value(each));
      }
      return elements;
    }
    case JSON_NUMBER:
      return Number(text(token));
    case JSON_TRUE:
      return true;
    case JSON_FALSE:
      return false;
    case JSON_NULL:
      return null;
    default:
      return text(token);
  }
}

function depth(of: unknown): number {
  if (typeof of !== 'object' || of === null) return 0;
  return 1 + Math.max(0, ...Object.values(of).map(depth));
}

/** Unpaired surrogates, which JSON allows and UTF-8 does not, as what the decoder above makes of
 * the three bytes each of them becomes. */
function asDecoded(of: unknown): unknown {
  if (typeof of === 'string') return of.replace(/\p{Surrogate}/gu, '\ufffd\ufffd\ufffd');
  if (Array.isArray(of)) return of.map(asDecoded);
  if (typeof of !== 'object' || of === null) return of;
  return Object.fromEntries(Object.entries(of).map((entry) => entry.map(asDecoded)));
}

/** JSON.parse behind a strict UTF-8 decoder; undefined when it is not JSON. */
function oracle(bytes: Buffer): { value: unknown } | undefined {
  try {
    const decoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return { value: JSON.parse(decoded) };
  } catch {
    return undefined;
  }
}

const edit = fc.record({
  at: fc.nat(),
  drop: fc.nat(2),
  put: fc.oneof(
    fc.constantFrom(...'{}[]",:\\0-.e+tfn \n\t\r\u0001/u'.split('')).map((c) => Buffer.from(c)),
    fc
      .constantFrom('true', 'null', '1e5', '\\u00e9', '\\ud83d\\ude00', '""')
      .map((c) => Buffer.from(c)),
    fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
  ),
});

test('accepts exactly what JSON.parse accepts, and reads the same value', () => {
  let valid = 0;
  let invalid = 0;
  fc.assert(
    fc.property(
      fc.json({ stringUnit: 'grapheme', maxDepth: 4 }),
      fc.array(edit, { maxLength: 2 }),
      (source, edits) => {
        let bytes = Buffer.from(source);
        for (const { at, drop, put } of edits) {
          const from = at % (bytes.length + 1);
          bytes = Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(from + drop)]);
        }
        const expected = oracle(bytes);
        assert.equal(tokenize(bytes), expected !== undefined, bytes.toString('latin1'));
        if (expected === undefined) {
          invalid++;
          return;
        }
        valid++;
        assert.deepEqual(value(0), asDecoded(expected.value));
      },
    ),
    { numRuns: 20_000 },
  );
  assert.ok(valid > 4000 && invalid > 4000, `${valid} valid, ${invalid} invalid`);
});

test('escapes and UTF-8 at their limits', () => {
  const good = [
    '"\\u0041\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\\"\\\\"',
    '"\u007f\u0080\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}"',
    '"\\uDBFF\\uDFFF"',
  ];
  for (const each of good) {
    assert.ok(tokenize(Buffer.from(each)), each);
    assert.equal(text(0), JSON.parse(each), each);
  }
  const bad = ['c080', 'e08080', 'eda080', 'f08080af', 'f4908080', 'f5808080', '80', 'c3', 'e282'];
  for (const hex of bad) {
    assert.equal(tokenize(Buffer.from(`22${hex}22`, 'hex')), false, hex);
  }
  for (const lone of ['"\\ud800"', '"\\udc00\\ud800"', '"\\ud800\\u0041"']) {
    assert.ok(tokenize(Buffer.from(lone)), lone); // JSON allows it; equal to nothing
  }
});

test('every byte in a string, in a key and after a backslash is judged as JSON.parse does', () => {
  for (let byte = 0; byte < 256; byte++) {
    for (const [before, after] of ['""', '{""', '"\\"', '"\\u004"', '"x\\n"', '  '].map((each) => [
      each.slice(0, -1),
      each.startsWith('{') ? '":1}' : each.slice(-1),
    ])) {
      const bytes = Buffer.concat([Buffer.from(before), Buffer.of(byte), Buffer.from(after)]);
      assert.equal(tokenize(bytes), oracle(bytes) !== undefined, `${before} ${byte} ${after}`);
    }
  }
});

test('nests to the limit and no further, without recursion', () => {
  const nested = (levels: number) => Buffer.from('['.repeat(levels) + ']'.repeat(levels));
  assert.ok(tokenize(nested(JSON_DEPTH_MAX)));
  assert.equal(depth(value(0)), JSON_DEPTH_MAX);
  assert.equal(tokenize(nested(JSON_DEPTH_MAX + 1)), false);
  assert.equal(tokenize(nested(2_000_000)), false);
  assert.equal(tokenize(Buffer.from('{"a":'.repeat(200_000))), false);
});

test('finds keys as bytes, the first of equal ones, and knows repeats', () => {
  const key = (name: string) => Buffer.from(name);
  assert.ok(tokenize(Buffer.from('{"a":{"b":1},"\\u0062":2,"b":3,"__proto__":4}')));
  assert.equal(text(json.find(0, key('b'))), '2');
  assert.equal(text(json.find(0, key('__proto__'))), '4');
  assert.equal(json.find(0, key('constructor')), -1);
  assert.equal(json.find(0, key('')), -1);
  assert.ok(json.repeatsKey(0));
  assert.equal(json.repeatsKey(json.find(0, key('a'))), false);
});

test('repeats are found among any number of keys, and large frames are no slower', () => {
  for (const keys of [2, 32, 33, 100_000]) {
    const members = Array.from({ length: keys }, (_, i) => `"k${i}":0`).join(',');
    assert.ok(tokenize(Buffer.from(`{${members}}`)));
    assert.equal(json.repeatsKey(0), false, `${keys} keys`);
    assert.ok(tokenize(Buffer.from(`{${members},"\\u006b0":0}`)));
    assert.ok(json.repeatsKey(0), `${keys} keys and one again`);
  }
});
