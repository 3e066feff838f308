/** The pure decisions: back-off, attempt budget, rotation age, reconnect floor, grouping. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AttemptBudget } from '#src/feed/attempt-budget';
import { backoffDelayMs, failuresAfter, RECONNECT_BACKOFF } from '#src/feed/backoff';
import { binanceProtocol } from '#src/feed/binance';
import { reconnectFloorMs, retryAfterMs } from '#src/feed/reconnect-decision';
import { rotationAgeMs } from '#src/feed/rotation';
import { evenGroups } from '#src/feed/subscription-plan';
import { EPOCH_US } from '#tests/feed/fake-world';

const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('back-off stays within its doubling, capped ceiling and uses all of it', () => {
  fc.assert(
    fc.property(fc.nat(2000), unit, (failures, draw) => {
      const delayMs = backoffDelayMs(failures, RECONNECT_BACKOFF, () => draw);
      const ceilingMs = failures > 6 ? 30_000 : Math.min(30_000, 500 * 2 ** failures);
      assert.ok(delayMs >= 0 && delayMs < ceilingMs);
      assert.equal(delayMs, draw * ceilingMs);
    }),
  );
});

test('only a connection that stayed up forgets earlier failures', () => {
  assert.equal(failuresAfter(7, 29_999, RECONNECT_BACKOFF), 8);
  assert.equal(failuresAfter(7, 30_000, RECONNECT_BACKOFF), 0);
});

test('no window ever holds more attempts than the limit, and no attempt waits needlessly', () => {
  const asks = fc.array(fc.nat(400), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(asks, fc.integer({ min: 1, max: 8 }), (gapsMs, limit) => {
      const windowMs = 1_000;
      const budget = new AttemptBudget({ limit, windowMs });
      const taken: number[] = [];
      let nowMs = 0;
      for (const gapMs of gapsMs) {
        nowMs += gapMs;
        const inWindow = taken.filter((t) => t > nowMs - windowMs).length;
        const waitMs = budget.take(nowMs);
        assert.equal(waitMs === 0, inWindow < limit);
        if (waitMs === 0) taken.push(nowMs);
        else {
          nowMs += waitMs;
          assert.equal(budget.take(nowMs), 0, 'the wait it names is enough');
          taken.push(nowMs);
        }
      }
      for (const start of taken) {
        const inWindow = taken.filter((t) => t >= start && t < start + windowMs).length;
        assert.ok(inWindow <= limit, `${inWindow} attempts from ${start}`);
      }
    }),
  );
});

test("every rotation comes well before Binance's 24 h", () => {
  const { age } = binanceProtocol('trade');
  fc.assert(
    fc.property(unit, (draw) => {
      const hours = rotationAgeMs(age!, () => draw) / 3_600_000;
      assert.ok(hours >= 23.3 && hours < 23.7);
    }),
  );
});

test('Retry-After is read as seconds and as a date, and bounded', () => {
  assert.equal(retryAfterMs(undefined, EPOCH_US), undefined);
  assert.equal(retryAfterMs('7', EPOCH_US), 7_000);
  assert.equal(retryAfterMs('Tue, 07 Jul 2026 00:01:30 GMT', EPOCH_US), 90_000);
  assert.equal(retryAfterMs('Mon, 06 Jul 2026 00:00:00 GMT', EPOCH_US), 0);
  assert.equal(retryAfterMs('soon', EPOCH_US), undefined);
  assert.equal(retryAfterMs('999999999999', EPOCH_US), 3 * 86_400_000);
});

test('the floor under the next attempt follows what the exchange said', () => {
  const refused = (status: number, retryAfter?: string): number =>
    reconnectFloorMs({ kind: 'refused', status, retryAfter }, EPOCH_US);
  assert.equal(refused(429, '17'), 17_000);
  assert.equal(refused(429), 60_000);
  assert.equal(refused(418), 120_000);
  assert.equal(refused(418, '259200'), 259_200_000);
  assert.equal(refused(403), 30_000);
  assert.equal(refused(503), 0);
  assert.equal(refused(503, '5'), 5_000);
  const closed = (code: number): number =>
    reconnectFloorMs({ kind: 'closed', code, reason: '' }, EPOCH_US);
  assert.deepEqual([1000, 1001, 1006, 1012].map(closed), [0, 0, 0, 0]);
  assert.deepEqual([1008, 1013].map(closed), [30_000, 5_000]);
  assert.equal(reconnectFloorMs({ kind: 'silent', silentMs: 1 }, EPOCH_US), 0);
  assert.equal(reconnectFloorMs({ kind: 'rejected' }, EPOCH_US), 60_000);
});

test('groups keep order, lose nothing, respect the limit and differ by one at most', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 300 }), fc.integer({ min: 1, max: 50 }), (a, n) => {
      const groups = evenGroups(a, n);
      assert.deepEqual(groups.flat(), a);
      assert.equal(groups.length, Math.ceil(a.length / n));
      const sizes = groups.map((group) => group.length);
      assert.ok(sizes.every((size) => size >= 1 && size <= n));
      if (sizes.length > 0) assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
    }),
  );
});
