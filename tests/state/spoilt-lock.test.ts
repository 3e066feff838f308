/**
 * A state that is opened while another process closes it last, which destroys the mutexes of LMDB's
 * lock file under whoever waits for it: the opening is done again, and ends well.
 */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { StateStore } from '#src/state/store';
import { CREATED_US, epochCommit, INSTRUMENTS } from '#tests/state/fixtures';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const HOLDER = fileURLToPath(new URL('./spoilt-lock-holder.js', import.meta.url));
/** The mutexes come before the table of readers. */
const MUTEXES_END = 192;

for (const readOnly of [false, true]) {
  const how = readOnly ? 'to look' : 'to write';
  test(`destroyed mutexes do not keep a process from opening a state ${how}`, async (t) => {
    const directory = join(temporaryDirectory(t), 'state');
    const first = await StateStore.open(directory, { createdUs: CREATED_US });
    await first.registerInstruments(INSTRUMENTS);
    await first.commitEpoch(epochCommit(1));
    await first.close();
    // A mutex that was destroyed has -1 for its kind.
    const lockFile = join(directory, 'lock.mdb');
    const closed = readFileSync(lockFile).subarray(0, MUTEXES_END);
    const destroyed: number[] = [];
    for (let at = 0; at < closed.length; at += 4) {
      if (closed.readInt32LE(at) === -1) destroyed.push(at);
    }
    if (destroyed.length !== 3) return t.skip('mutexes of another C library');

    const holder = fork(HOLDER, [directory], { execArgv: [] });
    t.after(() => holder.kill('SIGKILL'));
    await once(holder, 'message');
    // As the one that closed it last would have left the file to this holder.
    const fd = openSync(lockFile, 'r+');
    for (const at of destroyed) writeSync(fd, closed, at, 4, at);
    closeSync(fd);
    // Has failed once when the call is back.
    const opening = StateStore.open(directory, readOnly ? { readOnly } : { createdUs: CREATED_US });
    opening.catch(() => {});
    holder.kill('SIGKILL');
    const store = await opening;
    store.verify();
    assert.equal(store.epoch().epoch, 1);
    if (!readOnly) await store.commitEpoch(epochCommit(2));
    await store.close();
  });
}
