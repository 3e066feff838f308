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
 */
import { setTimeout as pause } from 'node:timers/promises';
import * as lmdb from 'lmdb';
import { isLmdbError, readError } from '#src/state/state-errors';

export type Lmdb = lmdb.RootDatabase<Uint8Array, Uint8Array>;

/** The binding's environment below the database; its declarations leave it out. */
interface NativeEnvironment {
  close(): void;
}
type Binding = { readonly nativeAddon: { readonly Env: { readonly prototype: object } } };

/** The environment that is being opened. */
let opening: NativeEnvironment | undefined;

// `open` gives every environment its path as soon as it has one, and keeps it to itself when a later
// step fails: this is where it can be had.
Object.defineProperty((lmdb as unknown as Binding).nativeAddon.Env.prototype, 'path', {
  set(this: NativeEnvironment, value: string) {
    opening = this;
    Object.defineProperty(this, 'path', { value, writable: true });
  },
});

/** EINVAL: of a mutex that was destroyed. */
const SPOILT = 22;
/** From a millisecond on, twice as long every time: a second in all. The first one nearly always does. */
const ATTEMPTS = 10;

export async function openLmdb(directory: string, readOnly: boolean): Promise<Lmdb> {
  for (let attempt = 1; ; attempt++) {
    try {
      return openOnce(directory, readOnly);
    } catch (error) {
      const isSpoilt = isLmdbError(error) && error.code === SPOILT;
      if (!isSpoilt || attempt > ATTEMPTS) throw readError(directory, error);
    }
    await pause(2 ** (attempt - 1));
  }
}

function openOnce(directory: string, readOnly: boolean): Lmdb {
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
  try {
    return lmdb.open<Uint8Array, Uint8Array>(options);
  } catch (error) {
    opening?.close();
    throw error;
  } finally {
    opening = undefined;
  }
}
