/** Cursors: whatever is changed in one, it is refused. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CURSOR_CHARS_MAX, Cursors } from '#src/api/cursor';

const SECRET = new Uint8Array(32).fill(1);
const QUERY = { symbol: 'BTCUSD', min: 5n };
const POSITION = [1_783_431_000_000_000, 'KRAKEN', 'BTCUSD', 123];
const REFUSED = { name: 'Problem', status: 400 };

describe('a cursor', () => {
  const cursors = new Cursors(SECRET);
  const text = cursors.write(QUERY, POSITION);

  it('comes back as it was, to the query it is of', () => {
    const cursor = cursors.open(text);
    assert.deepEqual(cursor.position, POSITION);
    cursor.check(QUERY);
    assert.throws(() => cursor.check({ ...QUERY, min: 6n }), REFUSED);
    assert.ok(text.length < CURSOR_CHARS_MAX);
  });

  it('is refused with any bit of any byte changed', () => {
    const bytes = Buffer.from(text, 'base64url');
    for (let at = 0; at < bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] as number) ^ (1 << bit);
        assert.throws(() => cursors.open(changed.toString('base64url')), REFUSED);
      }
    }
  });

  it('is refused with any character changed, left out or added', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ %\n';
    for (let at = 0; at <= text.length; at++) {
      for (const character of alphabet) {
        const added = text.slice(0, at) + character + text.slice(at);
        assert.throws(() => cursors.open(added), REFUSED, added);
        if (character === text[at]) continue;
        const changed = text.slice(0, at) + character + text.slice(at + 1);
        assert.throws(() => cursors.open(changed), REFUSED, changed);
      }
      if (at < text.length) {
        assert.throws(() => cursors.open(text.slice(0, at) + text.slice(at + 1)), REFUSED);
      }
    }
  });

  it('is refused by a server with another secret', () => {
    assert.throws(() => new Cursors(new Uint8Array(32).fill(2)).open(text), REFUSED);
  });

  it('any text is refused in one sentence', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 2_000 }), fc.base64String()), (any) => {
        assert.throws(() => cursors.open(any), REFUSED);
      }),
    );
  });
});
