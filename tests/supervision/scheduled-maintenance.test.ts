/**
 * Maintenance beside a running pipeline over a state that fails: whoever started the job is told,
 * with a sentence and a code, and nothing is left to an unhandled rejection (which fails a test).
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Clock, systemClock } from '#src/base/clock';
import { EXIT, UserError } from '#src/base/errors';
import type { Databases } from '#src/base/key-value';
import { nodeDisk } from '#src/base/node-disk';
import { icebergTables } from '#src/iceberg/publication';
import { lmdbDatabases } from '#src/state/open-environment';
import { openDataDirectory } from '#src/supervision/data-directory';
import { acquireDataDirectory } from '#src/supervision/data-directory-lock';
import { ScheduledMaintenance } from '#src/supervision/scheduled-maintenance';
import { configOf, INSTRUMENTS, temporaryDirectory } from '#tests/pipeline/pipeline';

const YEAR_US = 365 * 86_400_000_000;

interface Faults {
  reads: Error | undefined;
  writes: Error | undefined;
}

/** LMDB, with reads and writes that fail on request. */
function failing(faults: Faults): Databases {
  const wrap = <T extends object>(db: T): T =>
    new Proxy(db, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (faults.reads && /^get/.test(String(name))) throw faults.reads;
          if (faults.writes && name === 'childTransaction') return Promise.reject(faults.writes);
          return value.apply(target, args);
        };
      },
    });
  return {
    async open(directory, readOnly) {
      const db = await lmdbDatabases.open(directory, readOnly);
      return db && wrap(db);
    },
    create: async (directory, first) => wrap(await lmdbDatabases.create(directory, first)),
  };
}

/** What LMDB throws: a message and a number. */
const lmdbError = (message: string, code: number): Error =>
  Object.assign(new Error(message), { code });

/** One look for what is due, a year after the directory was made; what `onFailure` was told. */
async function tickWith(t: TestContext, faults: Partial<Faults>): Promise<unknown[]> {
  const folder = temporaryDirectory();
  t.after(() => folder.remove());
  const now: Faults = { reads: undefined, writes: undefined };
  const config = configOf(join(folder.path, 'data'), {});
  const system = systemClock();
  let aheadUs = 0;
  const clock: Clock = {
    ...system,
    nowUs: () => system.nowUs() + aheadUs,
    monotonicMs: () => system.monotonicMs() + aheadUs / 1000,
  };
  const data = await openDataDirectory({
    config,
    instruments: INSTRUMENTS,
    clock,
    purpose: 'a test',
    binanceStream: 'trade',
    ground: {
      disk: nodeDisk(),
      databases: failing(now),
      acquire: acquireDataDirectory,
      publication: icebergTables,
    },
  });
  const told: unknown[] = [];
  let isTold = (): void => {};
  const failed = new Promise<void>((resolve) => {
    isTold = resolve;
  });
  const maintenance = new ScheduledMaintenance({
    config,
    data,
    clock,
    jobThread: () => {
      throw new Error('there is nothing to compact');
    },
    isInFlight: () => false,
    log: () => {},
    onFailure: (error) => {
      told.push(error);
      isTold();
    },
  });
  aheadUs = YEAR_US;
  Object.assign(now, faults);
  maintenance.tick();
  await failed;
  await maintenance.suspend('the test ends');
  Object.assign(now, { reads: undefined, writes: undefined });
  await data.close();
  return told;
}

const isSaid = (told: unknown[], pattern: RegExp): void => {
  assert.equal(told.length, 1);
  const [error] = told;
  assert.ok(error instanceof UserError, String(error));
  assert.equal(error.exitCode, EXIT.io);
  assert.match(error.message, pattern);
  assert.doesNotMatch(error.message, /\n/);
};

test('a job whose run cannot be remembered is told as a failure of the disk', async (t) => {
  isSaid(
    await tickWith(t, { writes: lmdbError('No space left on device', 28) }),
    /could not be written \(No space left on device\)/,
  );
});

test('a state that cannot be read when a job is looked for is told as damage', async (t) => {
  isSaid(
    await tickWith(t, { reads: lmdbError('MDB_CORRUPTED: Located page was wrong type', -30796) }),
    /is damaged \(MDB_CORRUPTED/,
  );
});
