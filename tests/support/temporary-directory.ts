/** A folder of a test's own, gone when the test is. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Scope } from '#tests/support/process/bullion-process';

/** `scope`: the context of one test, or `{ after }` of a whole file. */
export function temporaryDirectory(scope: Scope, name = 'test'): string {
  const directory = mkdtempSync(join(tmpdir(), `bullion-${name}-`));
  // Again and again: what a killed process has left open may still be written to.
  scope.after(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}
