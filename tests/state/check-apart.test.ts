/**
 * A state read by a process of its own: sound ones pass, damaged ones are refused with one sentence
 * even where LMDB itself would end the process that reads them.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { UserError } from '#src/base/errors';
import { checkStateApart } from '#src/state/check-apart';
import { StateStore } from '#src/state/store';
import { CREATED_US, epochCommit, INSTRUMENTS } from '#tests/state/fixtures';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const PAGE = 4_096;

test('a sound state passes, before its owner opens it and beside it', async (t) => {
  const directory = join(temporaryDirectory(t), 'state');
  const store = await StateStore.open(directory, { createdUs: CREATED_US });
  await store.registerInstruments(INSTRUMENTS);
  for (const n of [1, 2, 3]) await store.commitEpoch(epochCommit(n));
  const beside = checkStateApart(directory, false);
  for (const n of [4, 5, 6]) await store.commitEpoch(epochCommit(n));
  await beside.core;
  await beside.whole;
  await store.close();
  const before = readFileSync(join(directory, 'data.mdb'));
  const check = checkStateApart(directory);
  await check.core;
  await check.whole;
  assert.ok(readFileSync(join(directory, 'data.mdb')).equals(before), 'the rehearsal wrote');
});

test('a state cut short is refused, whatever becomes of the process that reads it', async (t) => {
  const directory = join(temporaryDirectory(t), 'state');
  const store = await StateStore.open(directory, { createdUs: CREATED_US });
  await store.registerInstruments(INSTRUMENTS);
  for (const n of [1, 2, 3]) await store.commitEpoch(epochCommit(n));
  await store.close();
  const path = join(directory, 'data.mdb');
  const whole = readFileSync(path);
  const pages = Math.floor(whole.length / PAGE);
  let refused = 0;
  // Cut inside its pages, where reading past the end of the file is a SIGBUS; pages at the end of
  // the file may be free ones that nobody reads.
  for (const kept of [3, 4, Math.floor(pages / 2), pages - 1]) {
    writeFileSync(path, whole.subarray(0, kept * PAGE));
    const check = checkStateApart(directory);
    const said = await Promise.all([check.core, check.whole]).catch((error: unknown) => error);
    if (!(said instanceof Error)) continue;
    refused++;
    assert.ok(said instanceof UserError, String(said));
    assert.equal(said.exitCode, 74);
    assert.doesNotMatch(said.message, /\n/);
  }
  assert.ok(refused >= 1, 'three pages passed for a state');
});
