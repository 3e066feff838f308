/** The supervisor's pure decisions: restart intensity, hung actors, the core layout. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HeartbeatWatch } from '#src/supervision/heartbeats';
import { planLayout, printLayout } from '#src/supervision/layout';
import { addRestart } from '#src/supervision/restart-intensity';

test('restart intensity: refused exactly when more than the maximum lie within the period', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 30 }),
      fc.integer({ min: 0, max: 5 }),
      fc.integer({ min: 1, max: 3_000 }),
      (steps, restartsMax, periodMs) => {
        let nowMs = 0;
        const all: number[] = [];
        let kept: readonly number[] = [];
        for (const stepMs of steps) {
          nowMs += stepMs;
          all.push(nowMs);
          const within = all.filter((atMs) => nowMs - atMs < periodMs).length;
          const answer = addRestart(kept, nowMs, { restartsMax, periodMs });
          assert.equal(answer === undefined, within > restartsMax);
          if (answer === undefined) return;
          kept = answer;
        }
      },
    ),
  );
});

test('an actor is hung once its heartbeat has stood still longer than the limit, not before', () => {
  const watch = new HeartbeatWatch(1_000);
  const alive = { id: 'alive', counters: { heartbeat: 1 } };
  const stuck = { id: 'stuck', counters: { heartbeat: 7 } };
  assert.deepEqual(watch.look([alive, stuck], 0), []);
  alive.counters.heartbeat = 2;
  assert.deepEqual(watch.look([alive, stuck], 1_000), []);
  assert.deepEqual(watch.look([alive, stuck], 1_001), [stuck]);
  stuck.counters.heartbeat = 8;
  assert.deepEqual(watch.look([alive, stuck], 1_500), []);
});

const shape = { exchanges: ['binance', 'kraken', 'coinbase'], validationShards: 2, goldShards: 1 };

test('six cores: every row of the design has a core of its own', () => {
  const layout = planLayout(shape, [0, 1, 2, 3, 4, 5]);
  assert.equal(layout.folded, false);
  assert.deepEqual(layout.coresOf.get('gateway'), [0]);
  assert.deepEqual(layout.coresOf.get('ingest-kraken'), [1]);
  assert.deepEqual(layout.coresOf.get('validation-0'), [2]);
  assert.deepEqual(layout.coresOf.get('validation-1'), [3]);
  assert.deepEqual(layout.coresOf.get('gold-0'), [4]);
  assert.deepEqual(layout.coresOf.get('candles'), [5]);
});

test('fewer cores: the layout folds, uses every core and says so', () => {
  const layout = planLayout(shape, [2, 5]);
  assert.equal(layout.folded, true);
  const text = printLayout(layout);
  assert.match(text, /^core 2: .*supervisor/m);
  assert.match(text, /^core 5: /m);
  assert.match(text, /folded onto 2 cores/);
  for (const id of ['validation-0', 'validation-1', 'gold-0', 'candles', 'ingest-coinbase']) {
    assert.match(text, new RegExp(`\\b${id}\\b`));
  }
});

test('a process that was stopped and goes on does not take its actors for hung', () => {
  const watch = new HeartbeatWatch(1_000);
  const alive = { id: 'alive', counters: { heartbeat: 1 } };
  assert.deepEqual(watch.look([alive], 0), []);
  assert.deepEqual(watch.look([alive], 60_000), []); // SIGSTOP, SIGCONT
  alive.counters.heartbeat = 2;
  assert.deepEqual(watch.look([alive], 60_250), []);
  assert.deepEqual(watch.look([alive], 61_250), []);
  assert.deepEqual(watch.look([alive], 61_300), [alive]);
});
