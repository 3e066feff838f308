/** A supervisor that says nothing for long hangs; one that stood still with the process does not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SupervisorWatch } from '#src/runtime/supervisor-watch';

const LOOK_MS = 250;

function looks(watch: SupervisorWatch, fromMs: number, toMs: number): number | undefined {
  for (let nowMs = fromMs; nowMs < toMs; nowMs += LOOK_MS) if (watch.isHung(nowMs)) return nowMs;
  return undefined;
}

test('silence counts from the first word on', () => {
  const watch = new SupervisorWatch(5_000);
  assert.equal(looks(watch, 0, 60_000), undefined, 'still starting');
  watch.heard();
  const hungMs = looks(watch, 60_000, 120_000);
  assert.ok(hungMs !== undefined && hungMs >= 79_500 && hungMs <= 81_000, String(hungMs));
});

test('words keep it from counting as hung, and a stop of the whole process is no silence', () => {
  const watch = new SupervisorWatch(5_000);
  for (let nowMs = 0; nowMs < 100_000; nowMs += LOOK_MS) {
    if (nowMs % 5_000 === 0) watch.heard();
    assert.equal(watch.isHung(nowMs), false);
  }
  assert.equal(watch.isHung(10_000_000), false);
});
