/**
 * Errors a person can cause, each with one sentence and one exit code (BSD sysexits numbers).
 *
 * A `UserError` says what, where and what to do; whoever runs the process prints its message and
 * ends with its code. Every other exception is a bug: it crashes the actor it happened in and is
 * supervised; if it reaches the top, the process ends with `internal`.
 */
export const EXIT = {
  ok: 0,
  /** Wrong command line. */
  usage: 64,
  /** An input file is not what it was said to be. */
  data: 65,
  /** An input file is missing or cannot be read. */
  noInput: 66,
  /** A bug, or more restarts than the intensity allows. */
  internal: 70,
  /** The disk failed or is full. */
  io: 74,
  /** The data directory belongs to another running process. */
  locked: 75,
  /** The configuration is wrong. */
  config: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export class UserError extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UserError';
    this.exitCode = exitCode;
  }
}

/** A broken invariant: a bug in this process, never the fault of its input. */
export class AssertionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AssertionError';
  }
}

/** Stops the actor when `condition` does not hold. `message` carries the offending values. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Disk errors as Linux names them; the network's are not among them. */
const DISK_ERRORS = new Set([
  'EIO',
  'ENOSPC',
  'EDQUOT',
  'EFBIG',
  'EROFS',
  'EACCES',
  'EPERM',
  'EMFILE',
]);

/**
 * What a person is told of a disk that failed where nobody had a better sentence: while the tables
 * were tidied up, say. Undefined for any other error.
 */
export function diskFailure(error: unknown): UserError | undefined {
  if (error instanceof UserError || !DISK_ERRORS.has(errorCode(error))) return undefined;
  const said = (error as Error).message;
  const message = `The disk failed (${said}); check its free space and health, then start again.`;
  return new UserError(EXIT.io, message, { cause: error });
}

/**
 * The `code` of a Node system error (ENOSPC, EADDRINUSE, ...), of what caused it where a UserError
 * stands over it, or '' for anything else.
 */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return '';
  return 'code' in error ? String(error.code) : errorCode(error.cause);
}
