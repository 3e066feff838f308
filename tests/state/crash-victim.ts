/**
 * The process the crash test kills: commits epoch after epoch and prints each one after its promise
 * resolved: what it printed is a lower bound of what is on the disk. When the disk fails it says so,
 * checks that the store stays shut, and ends with the error's exit code.
 */
import { writeSync } from 'node:fs';
import { EXIT, UserError } from '#src/base/errors';
import { StateStore } from '#src/state/store';
import { CREATED_US, epochCommit, INSTRUMENTS } from '#tests/state/fixtures';

const store = await StateStore.open(process.argv[2]!, { createdUs: CREATED_US });
process.exitCode = EXIT.internal;
try {
  await store.registerInstruments(INSTRUMENTS);
  for (let n = store.epoch().epoch + 1; ; n++) {
    await store.commitEpoch(epochCommit(n));
    writeSync(1, `${n}\n`);
    if (n % 5 === 0) await store.markPublished(n);
  }
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  const again = await store.mark('after', 'failure').catch((reason: unknown) => reason);
  if (again !== error) throw new Error('a write after a failed one got another answer');
  await store.close();
  writeSync(2, error.message);
  process.exitCode = error.exitCode;
}
