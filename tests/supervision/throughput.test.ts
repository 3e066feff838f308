/** Throughput: the growth of a counter over the last seconds, whatever restarts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Throughput } from '#src/supervision/throughput';

test('a steady count shows its rate; a restart never shows a negative one', () => {
  const throughput = new Throughput();
  assert.equal(throughput.perSecond('gold-0', 500, 0), 0);
  for (let nowMs = 250; nowMs <= 5_000; nowMs += 250) {
    assert.equal(throughput.perSecond('gold-0', 500 + nowMs * 3, nowMs), 3_000);
  }
  assert.equal(throughput.perSecond('gold-0', 10, 5_250), 0, 'a new generation starts over');
  assert.equal(throughput.perSecond('gold-0', 110, 5_500), 400);
  assert.equal(throughput.perSecond('candles', 7, 5_500), 0, 'each actor has its own');
});

test('the figure is that of a span of two seconds, or of all there is', () => {
  const steps = fc.array(
    fc.record({ ms: fc.integer({ min: 1, max: 900 }), more: fc.integer({ min: 0, max: 10_000 }) }),
    { minLength: 1, maxLength: 40 },
  );
  fc.assert(
    fc.property(steps, (all) => {
      const throughput = new Throughput();
      const samples = [{ atMs: 0, count: 0 }];
      throughput.perSecond('a', 0, 0);
      for (const { ms, more } of all) {
        const last = samples.at(-1) as (typeof samples)[number];
        const now = { atMs: last.atMs + ms, count: last.count + more };
        samples.push(now);
        const first = samples.filter(({ atMs }) => atMs <= now.atMs - 2_000).at(-1) ?? samples[0];
        assert.ok(first);
        const expected = ((now.count - first.count) * 1_000) / (now.atMs - first.atMs);
        assert.equal(throughput.perSecond('a', now.count, now.atMs), Math.round(expected));
      }
    }),
  );
});
