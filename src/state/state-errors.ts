/**
 * The two ways the state store fails a person: its bytes are not what was written, or it could not
 * be written. Neither loses data: everything in it can be made again from the bronze log.
 */
import { EXIT, UserError } from '#src/base/errors';

export class StateCorruptError extends UserError {
  constructor(directory: string, what: string, options?: ErrorOptions) {
    super(
      EXIT.io,
      `The state in ${directory} is damaged (${what}); run "bullion rebuild" to make it again from the bronze log.`,
      options,
    );
    this.name = 'StateCorruptError';
  }
}

/** An error LMDB answered with: a negative number of its own, or a positive errno. */
export function isLmdbError(error: unknown): error is Error & { readonly code: number } {
  return error instanceof Error && 'code' in error && typeof error.code === 'number';
}

/** LMDB's errors that do not speak of the bytes in the file. */
const READERS_FULL = -30790;

/** The only thing lmdb-js throws for damaged pages without a code. */
const BAD_KEY = 'Invalid key size';

export function readError(directory: string, error: unknown): unknown {
  if (error instanceof Error && error.message.startsWith(BAD_KEY)) {
    return new StateCorruptError(directory, error.message, { cause: error });
  }
  if (!isLmdbError(error)) return error;
  if (error.code === READERS_FULL) {
    const message = `Too many processes read the state in ${directory}; close some of them.`;
    return new UserError(EXIT.io, message, { cause: error });
  }
  if (error.code > 0) {
    const message = `The state in ${directory} cannot be read (${error.message}); check the disk and the permissions.`;
    return new UserError(EXIT.io, message, { cause: error });
  }
  return new StateCorruptError(directory, error.message, { cause: error });
}

/**
 * The reason behind a failed commit, as a UserError. lmdb-js puts the real reason into a second
 * promise, `commitError`, which has to be consumed or it ends the process as an unhandled rejection.
 */
export async function writeError(directory: string, error: unknown): Promise<unknown> {
  let cause = error;
  if (error instanceof Error && 'commitError' in error) {
    try {
      await error.commitError;
    } catch (reason) {
      cause = reason;
    }
  }
  if (!isLmdbError(cause)) return cause;
  const [reason] = cause.message.split(':'); // after the colon: LMDB's page numbers and sizes
  const message = `The state in ${directory} could not be written (${reason}); check the disk and its free space, then start again.`;
  return new UserError(EXIT.io, message, { cause });
}
