import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '#src/base/clock';
import { EXIT, UserError } from '#src/base/errors';
import { nodeDisk } from '#src/base/node-disk';
import { acquireDataDirectory } from '#src/supervision/data-directory-lock';
import { LockFile } from '#src/supervision/lock-file';
import { type LockOwner, thisOwner } from '#src/supervision/lock-owner';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const HOLDER = fileURLToPath(new URL('./lock-holder.js', import.meta.url));
const isLinux = process.platform === 'linux';
const SOCKETS = isLinux ? ['abstract', 'file'] : ['file'];
const clock = systemClock();

async function hold(t: TestContext, directory: string, socket: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [HOLDER, directory, 'import', socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const [line] = await once(child.stdout!.setEncoding('utf8'), 'data');
  assert.equal(line, 'held\n');
  return child;
}

const acquire = (directory: string, socket = SOCKETS[0]) =>
  acquireDataDirectory(directory, {
    clock,
    purpose: 'supervisor',
    abstractSocket: socket === 'abstract',
  });

function refused(exitCode: number, ...words: (string | number | undefined)[]) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof UserError, String(error));
    for (const word of words) assert.ok(error.message.includes(String(word)), error.message);
    return error.exitCode === exitCode;
  };
}

for (const socket of SOCKETS) {
  test(`a second process is refused with 75 and told by whom (${socket})`, async (t) => {
    const directory = join(temporaryDirectory(t), 'data');
    const owner = await hold(t, directory, socket);
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    const startMs = performance.now();
    await assert.rejects(
      acquire(directory, socket),
      refused(EXIT.locked, directory, `pid ${owner.pid}`, 'import'),
    );
    assert.ok(performance.now() - startMs < 1000);
    const second = spawn(process.execPath, [HOLDER, directory, 'second', socket], {
      stdio: ['ignore', 'inherit', 'ignore'],
    });
    assert.deepEqual(await once(second, 'exit'), [EXIT.locked, null]);
  });

  test(`kill -9 frees the directory at once, SIGSTOP does not (${socket})`, async (t) => {
    const directory = temporaryDirectory(t);
    const owner = await hold(t, directory, socket);
    owner.kill('SIGSTOP');
    await assert.rejects(acquire(directory, socket), refused(EXIT.locked, owner.pid));
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    const startMs = performance.now();
    const lock = await acquire(directory, socket);
    assert.ok(performance.now() - startMs < 1000);
    await lock.release();
  });

  test(`one process has it once, and releasing it leaves nothing (${socket})`, async (t) => {
    const directory = temporaryDirectory(t);
    for (let round = 0; round < 3; round++) {
      const lock = await acquire(directory, socket);
      await assert.rejects(acquire(directory, socket), refused(EXIT.locked, process.pid));
      assert.equal(statSync(join(directory, 'lock')).mode & 0o777, 0o600);
      await lock.release();
      assert.deepEqual(readdirSync(directory), []);
    }
  });
}

test('a deleted lock file does not give the directory away', { skip: !isLinux }, async (t) => {
  const directory = temporaryDirectory(t);
  const owner = await hold(t, directory, 'abstract');
  rmSync(join(directory, 'lock'));
  await assert.rejects(acquire(directory), refused(EXIT.locked, directory));
  symlinkSync(directory, `${directory}-alias`);
  t.after(() => rmSync(`${directory}-alias`));
  await assert.rejects(acquire(`${directory}-alias`), refused(EXIT.locked), 'by another name');
  owner.kill('SIGKILL');
});

test('a copy of a directory in use is free', { skip: !isLinux }, async (t) => {
  const directory = temporaryDirectory(t);
  await hold(t, directory, 'abstract');
  const copy = join(temporaryDirectory(t), 'copy');
  cpSync(directory, copy, { recursive: true });
  assert.ok(existsSync(join(copy, 'lock')));
  await (await acquire(copy)).release();
});

/** The lock file of a process in a place where this one cannot look. */
function foreignLock(directory: string, ageSeconds: number): LockOwner {
  const owner = {
    ...thisOwner(directory, clock.nowUs(), 'supervisor'),
    bootId: 'another machine',
    host: 'elsewhere',
    pid: 4711,
  };
  const path = join(directory, 'lock');
  writeFileSync(path, JSON.stringify(owner));
  const seconds = Date.now() / 1000 - ageSeconds;
  utimesSync(path, seconds, seconds);
  return owner;
}

test('a lock file that is still written somewhere else refuses, a stale one does not', async (t) => {
  const directory = temporaryDirectory(t);
  for (const ageSeconds of [-5, 0, 5]) {
    foreignLock(directory, ageSeconds);
    await assert.rejects(
      acquire(directory),
      refused(EXIT.locked, 'pid 4711 on elsewhere', 'try again in 10 seconds'),
    );
  }
  foreignLock(directory, 15);
  const lock = await acquire(directory);
  assert.match(readFileSync(join(directory, 'lock'), 'utf8'), new RegExp(`"pid":${process.pid},`));
  await lock.release();
});

test('a lock file from the future refuses only while it is still written', async (t) => {
  const [written, dead] = [temporaryDirectory(t), temporaryDirectory(t)];
  foreignLock(written, -3600);
  foreignLock(dead, -3600);
  const writing = setInterval(() => foreignLock(written, -3700), 500);
  t.after(() => clearInterval(writing));
  const [refusal, lock] = await Promise.allSettled([acquire(written), acquire(dead)]);
  assert.ok(refusal.status === 'rejected' && lock.status === 'fulfilled');
  assert.ok(refused(EXIT.locked, 'elsewhere')(refusal.reason));
  await lock.value.release();
});

test('a torn lock file is a stale one once it is old', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'lock');
  for (const content of ['', '{"pid":', 'null', '[]']) {
    writeFileSync(path, content);
    utimesSync(path, 1, 1);
    await (await acquire(directory)).release();
  }
});

test('what kills in the middle of a start left is gone with the next owner', async (t) => {
  const directory = temporaryDirectory(t);
  for (const name of ['lock.1.tmp', 'lock.22.probe', `lock.${process.pid}.tmp`, 'lock.txt']) {
    writeFileSync(join(directory, name), '');
  }
  const lock = await acquire(directory);
  assert.deepEqual(readdirSync(directory).sort(), ['lock', 'lock.txt']);
  await lock.release();
});

for (const earlier of ['no lock', 'a stale lock']) {
  test(`whose half-made lock the new owner tidies away is refused (${earlier})`, async (t) => {
    const directory = temporaryDirectory(t);
    const path = join(directory, 'lock');
    if (earlier === 'a stale lock') {
      writeFileSync(path, '');
      utimesSync(path, 1, 1);
    }
    const disk = nodeDisk();
    let faster: LockOwner | undefined;
    const slow = {
      ...disk,
      write(...args: Parameters<typeof disk.write>) {
        const written = disk.write(...args);
        // What it writes is not in place yet; meanwhile another host's process comes first, and tidies.
        for (const name of readdirSync(directory)) rmSync(join(directory, name));
        faster = foreignLock(directory, 0);
        return written;
      },
    };
    const slower = LockFile.take(slow, directory, thisOwner(directory, 1, 'the slower one'));
    await assert.rejects(slower, refused(EXIT.locked, directory, 'elsewhere'));
    assert.deepEqual(readdirSync(directory), ['lock']);
    assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')), faster);
  });
}

test('the owner refreshes its file, puts it back, and notices who takes it', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'lock');
  const file = await LockFile.take(nodeDisk(), directory, thisOwner(directory, 1, 'supervisor'));
  const own = readFileSync(path);
  const refreshes = (): void => {
    if (existsSync(path)) utimesSync(path, 1, 1);
    assert.equal(file.refresh(), undefined);
    assert.ok(Date.now() - statSync(path).mtimeMs < 5000, 'written just now');
    assert.deepEqual(readFileSync(path), own);
  };
  refreshes();
  rmSync(path);
  refreshes();
  writeFileSync(path, 'garbage');
  refreshes();
  refreshes();
  const thief = foreignLock(directory, 0);
  assert.deepEqual(file.refresh(), thief);
  file.release();
  assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')), thief, "another owner's file stays");
});

test('a directory taken over by another host is reported once, within seconds', async (t) => {
  const directory = temporaryDirectory(t);
  const reasons: unknown[] = [];
  const lock = await acquireDataDirectory(directory, {
    clock,
    purpose: 'supervisor',
    onLost: (reason) => reasons.push(reason),
  });
  foreignLock(directory, 0);
  const deadlineMs = performance.now() + 10_000;
  while (reasons.length === 0 && performance.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.equal(reasons.length, 1);
  assert.ok(refused(EXIT.locked, 'taken over', 'elsewhere')(reasons[0]));
  await lock.release();
});

test('a lock file that is a link or a directory is refused and not followed', async (t) => {
  const directory = temporaryDirectory(t);
  const target = join(temporaryDirectory(t), 'precious');
  writeFileSync(target, 'precious');
  symlinkSync(target, join(directory, 'lock'));
  await assert.rejects(acquire(directory), refused(EXIT.config, join(directory, 'lock')));
  assert.equal(readFileSync(target, 'utf8'), 'precious');
  rmSync(join(directory, 'lock'));
  mkdirSync(join(directory, 'lock'));
  await assert.rejects(acquire(directory), refused(EXIT.config, join(directory, 'lock')));
  rmSync(join(directory, 'lock'), { recursive: true });
  await (await acquire(directory)).release();
});

test('a path that cannot be a data directory is one sentence', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'file');
  writeFileSync(file, '');
  await assert.rejects(acquire(file), refused(EXIT.config, file, 'not a directory'));
  await assert.rejects(acquire(join(file, 'data')), refused(EXIT.config, join(file, 'data')));
  const long = join(directory, 'x'.repeat(300));
  await assert.rejects(acquire(long), refused(EXIT.config, 'ENAMETOOLONG'));
  if (isLinux) {
    // Nobody, not even root, makes a directory there.
    await assert.rejects(acquire('/sys/bullion'), refused(EXIT.config, '/sys/bullion'));
  }
});

test('missing parents of a data directory are made, for the owner alone', async (t) => {
  const directory = join(temporaryDirectory(t), 'a', 'b', 'data');
  const lock = await acquire(directory);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  await lock.release();
});
