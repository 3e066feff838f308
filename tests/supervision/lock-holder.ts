/** A process that takes a data directory: prints `held`, or the error and ends with its exit code. */
import { writeSync } from 'node:fs';
import { systemClock } from '#src/base/clock';
import { UserError } from '#src/base/errors';
import { acquireDataDirectory } from '#src/supervision/data-directory-lock';

const [directory, purpose, socket] = process.argv.slice(2) as [string, string, string];
try {
  await acquireDataDirectory(directory, {
    clock: systemClock(),
    purpose,
    abstractSocket: socket === 'abstract',
  });
  writeSync(1, 'held\n');
  setInterval(() => {}, 1000);
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  writeSync(2, error.message);
  process.exitCode = error.exitCode;
}
