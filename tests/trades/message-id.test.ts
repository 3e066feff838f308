import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import fc from 'fast-check';
import { EXCHANGES } from '#schemas/exchange';
import { messageId } from '#src/trades/message-id';

const tradeId = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(),
  fc.constantFrom(0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 48 - 1, 2 ** 48, 2 ** 53 - 1),
);
const trade = fc.record({
  exchange: fc.constantFrom(...EXCHANGES),
  symbol: fc.constantFrom('BTCUSDT', 'BTCUSD', 'ETHUSDT', 'DOGEUSD', '1INCHUSDT'),
  id: tradeId,
});

/** The definition, digit by digit in BigInt. */
function byDefinition(exchange: string, symbol: string, id: number): string {
  const hash = BigInt(
    `0x${createHash('sha256').update(`${exchange}|${symbol}`).digest('hex').slice(0, 15)}`,
  );
  const bits =
    ((hash >> 12n) << 80n) | (8n << 76n) | ((hash & 0xfffn) << 64n) | (2n << 62n) | BigInt(id);
  const hex = bits.toString(16).padStart(32, '0');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

test('a message id is what the definition says, bit by bit', () => {
  fc.assert(
    fc.property(trade, ({ exchange, symbol, id }) => {
      assert.equal(messageId(exchange, symbol, id), byDefinition(exchange, symbol, id));
    }),
    { numRuns: 500 },
  );
});

test('a message id is a valid UUID of version 8', () => {
  fc.assert(
    fc.property(trade, ({ exchange, symbol, id }) => {
      assert.match(
        messageId(exchange, symbol, id),
        /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      );
    }),
  );
});

test('two trades have the same message id only if they are the same trade', () => {
  fc.assert(
    fc.property(trade, trade, (a, b) => {
      const same = a.exchange === b.exchange && a.symbol === b.symbol && a.id === b.id;
      const ids = [a, b].map((t) => messageId(t.exchange, t.symbol, t.id));
      assert.equal(ids[0] === ids[1], same);
    }),
  );
});

test('the trade id can be read back from its message id', () => {
  fc.assert(
    fc.property(trade, ({ exchange, symbol, id }) => {
      const low = BigInt(`0x${messageId(exchange, symbol, id).replaceAll('-', '').slice(16)}`);
      assert.equal(Number(low & ((1n << 62n) - 1n)), id);
    }),
  );
});
