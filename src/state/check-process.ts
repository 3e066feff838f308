/**
 * The process that reads a state before its owner, or a command, does: `node check-process.js
 * DIRECTORY PURPOSE`.
 *
 * LMDB believes its pages. A damaged one can end the process that reads it (SIGBUS, SIGSEGV) or keep
 * it busy for ever, and no handler catches that; so this process reads first, and whatever happens to
 * it is the answer. After an unclean end the owner waits for it; after a clean one it reads beside the
 * owner. It tells its parent when what it is waited for is sound, goes on with the rest where the
 * parent is an owner, and ends with 0, or with 74 and one sentence. It tells both over its channel:
 * on standard error LMDB talks to itself.
 */
import { setPriority } from 'node:os';
import { EXIT, UserError } from '#src/base/errors';
import { type CheckPurpose, type Refusal, SOUND } from '#src/state/check-apart';
import { rehearseWrite } from '#src/state/open-environment';
import { StateStore } from '#src/state/store';

/** The parent is starting meanwhile. */
const NICENESS = 5;

// Whoever waits is gone: nobody will read the answer. Not in order, because the next owner may be
// opening the state, and whoever closes LMDB last destroys its mutexes (open-lmdb.ts).
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
// A terminal's Ctrl-C is for the parent, which ends this process with itself.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});

async function check(directory: string, purpose: CheckPurpose): Promise<void> {
  if (purpose === 'beside') setPriority(NICENESS);
  const store = await StateStore.open(directory, { readOnly: true });
  if (purpose === 'look' || purpose === 'look at candles') {
    store.verifyLists();
    if (purpose === 'look at candles') store.verifyCandles();
    await store.close();
    process.send?.(SOUND);
    return;
  }
  store.verifyCore();
  // Beside a running owner nobody else may take the write lock, nor be the one that closes last while
  // the owner opens (open-lmdb.ts).
  if (purpose === 'awaited') {
    await store.close();
    await rehearseWrite(directory);
  }
  process.send?.(SOUND);
  setPriority(NICENESS);
  const rest = purpose === 'awaited' ? await StateStore.open(directory, { readOnly: true }) : store;
  rest.verify();
  await rest.close();
}

check(process.argv[2] as string, process.argv[3] as CheckPurpose).then(
  () => process.exit(EXIT.ok),
  (error: unknown) => {
    const refusal: Refusal =
      error instanceof UserError
        ? { exitCode: error.exitCode, said: error.message }
        : { exitCode: EXIT.internal, said: String((error as Error).stack) };
    process.exitCode = refusal.exitCode;
    process.send?.(refusal, () => process.exit(refusal.exitCode));
  },
);
