/** What is said of an error that ends an actor or the process. */
import { diskFailure, UserError } from '#src/base/errors';
import type { Failure } from '#src/runtime/supervisor-line';

export function failureOf(error: unknown): Failure {
  const told = diskFailure(error) ?? error;
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const exitCode = told instanceof UserError ? told.exitCode : undefined;
  return { message: messageOf(told), stack, exitCode };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
