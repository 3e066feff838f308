/** What is said of an error that ends an actor or the process. */
import { UserError } from '#src/base/errors';
import type { Failure } from '#src/runtime/supervisor-line';

export function failureOf(error: unknown): Failure {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const exitCode = error instanceof UserError ? error.exitCode : undefined;
  return { message: messageOf(error), stack, exitCode };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
