/** Refusals are narrowed down to the bad symbols, and the good ones all get through. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SubscriptionTracker } from '#src/feed/subscription-tracker';

test('an exchange that refuses whole messages: the bad symbols, and only they, are refused', () => {
  const flags = fc.array(fc.boolean(), { minLength: 1, maxLength: 120 });
  fc.assert(
    fc.property(flags, (good) => {
      const symbols = good.map((_, i) => `S${i}`);
      const bad = new Set(symbols.filter((_, i) => !good[i]));
      const tracker = new SubscriptionTracker(symbols);
      const refused: string[] = [];
      const queue: (readonly string[])[] = [symbols];
      let messages = 0;
      for (let group = queue.shift(); group !== undefined; group = queue.shift()) {
        const id = ++messages;
        tracker.asked(id, group);
        if (group.every((symbol) => !bad.has(symbol))) {
          tracker.acknowledge({ kind: 'ack', id });
          continue;
        }
        const { rejected, again } = tracker.reject({ kind: 'reject', id, text: 'invalid stream' });
        refused.push(...rejected.map((r) => r.symbol));
        queue.push(...again);
      }
      assert.deepEqual(new Set(refused), bad);
      assert.equal(refused.length, bad.size);
      assert.equal(tracker.acknowledged, symbols.length - bad.size);
      assert.deepEqual(tracker.pending, []);
      const bound = 1 + 2 * bad.size * Math.ceil(Math.log2(symbols.length + 1));
      assert.ok(messages <= bound, `${messages} messages for ${bad.size} of ${symbols.length}`);
    }),
  );
});

test('a refusal that names its symbol settles that one and leaves its neighbours alone', () => {
  const tracker = new SubscriptionTracker(['BTC/USD', 'BAD/USD', 'ETH/USD']);
  tracker.asked(1, ['BTC/USD', 'BAD/USD', 'ETH/USD']);
  const text = 'Currency pair not supported BAD/USD';
  assert.deepEqual(tracker.reject({ kind: 'reject', id: 1, text }), {
    rejected: [{ symbol: 'BAD/USD', text }],
    again: [],
  });
  tracker.acknowledge({ kind: 'ack', symbols: ['BTC/USD'] });
  tracker.acknowledge({ kind: 'ack', symbols: ['ETH/USD', 'ETH/USD', 'DOGE/USD'] });
  assert.equal(tracker.acknowledged, 2);
  assert.deepEqual(tracker.pending, []);
});

test('a name inside a longer name is not taken for it', () => {
  const tracker = new SubscriptionTracker(['BTC-USD', 'BTC-USDT']);
  const { rejected } = tracker.reject({ kind: 'reject', text: 'Failed: BTC-USDT is delisted' });
  assert.deepEqual(
    rejected.map((r) => r.symbol),
    ['BTC-USDT'],
  );
  assert.deepEqual(tracker.pending, ['BTC-USD']);
});

test('a refusal of something else settles nothing', () => {
  const tracker = new SubscriptionTracker(['BTC-USD']);
  const answer = tracker.reject({
    kind: 'reject',
    text: 'Failed to subscribe: No channels provided',
  });
  assert.deepEqual(answer, { rejected: [], again: [] });
  assert.deepEqual([tracker.answers, tracker.pending.length], [1, 1]);
});
