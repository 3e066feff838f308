import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MaintenancePool } from '#src/maintenance/pool';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const POOLS = 40;
/** A maintenance worker, LMDB and all, has loaded after some 150 ms. */
const LOADING_MS = 200;

const worker = new URL(import.meta.resolve('#actors/maintenance-worker'));

// Node ends the process with SIGABRT when a thread is ended half-way through loading what is
// require()d: one of some eighty pools ended at such a moment did, before anybody waited.
test('a pool ended while its thread loads takes nothing with it', async (t) => {
  const dir = temporaryDirectory(t, 'pool');
  const place = {
    warehouse: { kind: 'disk', dir },
    catalog: { type: 'file', uri: '', warehouse: '', timeout_ms: 1_000, outage_minutes: 1 },
    stateDir: dir,
  } as const;
  for (let i = 0; i < POOLS; i++) {
    const pool = new MaintenancePool(worker, place);
    const job = assert.rejects(pool.run({ kind: 'nothing known' } as never));
    await sleep((LOADING_MS * i) / POOLS);
    await pool.destroy();
    await job;
  }
});
