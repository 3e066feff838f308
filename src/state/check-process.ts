/**
 * The process that looks at a state before its owner does: `node check-process.js DIRECTORY`.
 *
 * LMDB believes its pages. A damaged one can end the process that reads it (SIGBUS, SIGSEGV) or keep
 * it busy for ever, and no handler catches that; so after an unclean end this process reads first,
 * and whatever happens to it is the answer; after a clean one it reads beside. It tells its parent when what a start reads is sound,
 * goes on with the rest, and ends with 0, or with 74 and one sentence.
 */
import { setPriority } from 'node:os';
import { EXIT, UserError } from '#src/base/errors';
import { rehearseWrite } from '#src/state/open-environment';
import { StateStore } from '#src/state/store';

/** The parent is starting meanwhile. */
const NICENESS = 5;

/** Whoever waits is gone: nobody will read the answer. */
process.on('disconnect', () => process.exit(EXIT.ok));
// A terminal's Ctrl-C is for the parent, which ends this process with itself.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});

async function check(directory: string, isAwaited: boolean): Promise<void> {
  if (!isAwaited) setPriority(NICENESS);
  const store = await StateStore.open(directory, { readOnly: true });
  store.verifyCore();
  await store.close();
  // Beside a running owner nobody else may take the write lock.
  if (isAwaited) await rehearseWrite(directory);
  process.send?.('sound so far');
  setPriority(NICENESS);
  const again = await StateStore.open(directory, { readOnly: true });
  again.verify();
  await again.close();
}

check(process.argv[2] as string, process.argv[3] === 'awaited').then(
  () => process.exit(EXIT.ok),
  (error: unknown) => {
    const isSaid = error instanceof UserError;
    process.stderr.write(isSaid ? error.message : String((error as Error).stack));
    process.exit(isSaid ? error.exitCode : EXIT.internal);
  },
);
