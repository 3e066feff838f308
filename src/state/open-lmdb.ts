/**
 * Opens LMDB, and opens it again where another process spoilt it by leaving at that very moment.
 *
 * Whoever closes an environment last destroys the mutexes in its lock file. A process that was
 * waiting there for its own lock gets it then, finds the file in use by somebody (by those who were
 * waiting like itself), and does not make the mutexes anew: its first transaction fails with EINVAL.
 * lmdb-js does not look at that result and says "No transaction to renew" instead, also on standard
 * error. Two processes that do nothing but open and close meet it once in some 500 times. An
 * environment that did open is safe: nobody is last while it is open. One that did not has to be
 * closed, because the next process to open alone makes the mutexes anew.
 *
 * `openAsClass` is LMDB's `open` in two steps: the second one can fail with the environment at hand.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { openAsClass, type RootDatabase } from 'lmdb';
import { isLmdbError, readError } from '#src/state/state-errors';

export type Lmdb = RootDatabase<Uint8Array, Uint8Array>;

/** EINVAL: of a mutex that was destroyed. */
const SPOILT = 22;
/** From a millisecond on, twice as long every time: a second in all. The first one nearly always does. */
const ATTEMPTS = 10;

export async function openLmdb(directory: string, readOnly: boolean): Promise<Lmdb> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await openOnce(directory, readOnly);
    } catch (error) {
      const isSpoilt = isLmdbError(error) && error.code === SPOILT;
      if (!isSpoilt || attempt > ATTEMPTS) throw readError(directory, error);
    }
    await pause(2 ** (attempt - 1));
  }
}

/** As it is: the binding's declarations leave out the constructor. */
type LmdbClass = new (name: null, options: object) => Lmdb;

async function openOnce(directory: string, readOnly: boolean): Promise<Lmdb> {
  const options = {
    path: directory,
    encoding: 'binary',
    keyEncoding: 'binary',
    noSubdir: false,
    // Without it, un-flushed commits are trusted when the boot id is unchanged (a copied directory,
    // a snapshot of a machine) and came back as wrong values.
    safeRestore: true,
    // With it, a failed commit also rejects a promise that nobody can reach: an unhandled rejection.
    eventTurnBatching: false,
    permissionsMode: 0o600,
    readOnly,
  } as const;
  const Store = openAsClass({ ...options }) as unknown as LmdbClass;
  // What `open` says of the database it opens itself: to close it is to close the environment.
  const root = { isRoot: true };
  try {
    return new Store(null, { ...options, ...root });
  } catch (error) {
    await (Object.assign(Object.create(Store.prototype as object), root) as Lmdb).close();
    throw error;
  }
}
