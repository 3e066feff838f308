/** Why a data directory cannot be had, in one sentence each. */
import { EXIT, errorCode, UserError } from '#src/base/errors';
import { FRESH_MS, type LockOwner } from '#src/supervision/lock-owner';

const STOP_IT = 'stop it first or choose another data_dir';

/** Somebody else has it. `mayBeDead`: from here its death could not be seen. */
export function inUse(
  directory: string,
  owner: LockOwner | undefined,
  mayBeDead = false,
): UserError {
  const who = owner
    ? `${owner.purpose} (pid ${owner.pid} on ${owner.host})`
    : 'another process that is just starting';
  const wait = mayBeDead ? `; if it is dead, try again in ${FRESH_MS / 1000} seconds` : '';
  const message = `The data directory ${directory} is in use by ${who}; ${STOP_IT}${wait}.`;
  return new UserError(EXIT.locked, message);
}

export function takenOver(directory: string, by: LockOwner): UserError {
  const message = `The data directory ${directory} was taken over by ${by.purpose} (pid ${by.pid} on ${by.host}) while this process stood still; it writes no more.`;
  return new UserError(EXIT.locked, message);
}

export function notALockFile(path: string): UserError {
  const message = `The lock file ${path} is a link or no file at all; remove it, then start again.`;
  return new UserError(EXIT.config, message);
}

/** Errors of the path rather than of the disk. */
const PATH_ERRORS = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP'];

/** A system error met on the way, as a UserError; anything else as it is. */
export function unusable(directory: string, error: unknown): unknown {
  const code = errorCode(error);
  if (error instanceof UserError || !/^E[A-Z]+$/.test(code)) return error;
  const reason = (error as Error).message;
  const message = `The data directory ${directory} cannot be used (${reason}); check its path, owner and free space.`;
  return new UserError(PATH_ERRORS.includes(code) ? EXIT.config : EXIT.io, message, {
    cause: error,
  });
}
