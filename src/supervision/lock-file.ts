/**
 * The lock that reaches across containers and hosts: the file `lock`, rewritten every 2 s by its
 * owner. How old the last write is, is measured against a file written beside it, so only the file
 * system's clock counts, and no two machines have to agree on the time.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { type Disk, namesIn, writeFully } from '#src/base/disk';
import { errorCode } from '#src/base/errors';
import { inUse, notALockFile } from '#src/supervision/lock-errors';
import { FRESH_MS, fateOf, isSameOwner, type LockOwner } from '#src/supervision/lock-owner';

/** How often the owner rewrites the file. */
export const REFRESH_MS = 2_000;
const LOCK_FILE = 'lock';
/** A lock on its way and a probe: a kill in these milliseconds leaves them. */
const LEFTOVER = /^lock\.\d+\.(tmp|probe)$/;
/** The file is rewritten in place, always whole: one size for every owner. */
const LOCK_BYTES = 1024;
/** Between taking over a stale file and believing it: others may take it over at the same time. */
const SETTLE_MS = 100;

interface LockContent {
  /** Undefined: half a write of a process that is gone. */
  readonly owner: LockOwner | undefined;
  readonly modifiedMs: number;
}

export class LockFile {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #self: LockOwner;
  #fd: number;

  private constructor(disk: Disk, directory: string, self: LockOwner, fd: number) {
    this.#disk = disk;
    this.#directory = directory;
    this.#self = self;
    this.#fd = fd;
  }

  /** Makes the file this process's own; throws `inUse` when it is somebody else's. */
  static async take(disk: Disk, directory: string, self: LockOwner): Promise<LockFile> {
    const earlier = readLock(directory);
    if (earlier === undefined) {
      const fd = placeLock(disk, directory, self, 'only if there is none');
      if (fd === undefined) throw inUse(directory, readLock(directory)?.owner);
      return LockFile.#taken(disk, directory, self, fd);
    }
    const { owner } = earlier;
    const fate = owner ? fateOf(owner, self) : 'unknown';
    if (fate === 'alive') throw inUse(directory, owner);
    if (fate === 'unknown' && (await isFresh(disk, directory, earlier))) {
      throw inUse(directory, owner, true);
    }
    const fd = placeLock(disk, directory, self, 'instead of the old one');
    if (fd === undefined) throw inUse(directory, readLock(directory)?.owner);
    if (fate === 'unknown') await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const now = readLock(directory)?.owner;
    if (now && isSameOwner(now, self)) return LockFile.#taken(disk, directory, self, fd);
    disk.close(fd);
    throw inUse(directory, now);
  }

  /**
   * The owner tidies what others left on the way. Who is on the way right now finds its file gone and
   * gives up, which is right: the directory has an owner.
   */
  static #taken(disk: Disk, directory: string, self: LockOwner, fd: number): LockFile {
    for (const name of namesIn(disk, directory)) {
      if (LEFTOVER.test(name)) unlinkIfThere(disk, join(directory, name));
    }
    return new LockFile(disk, directory, self, fd);
  }

  /** Shows that the owner lives; answers who has taken the file over, if anybody has. */
  refresh(): LockOwner | undefined {
    const content = readLock(this.#directory);
    if (content?.owner) {
      if (!isSameOwner(content.owner, this.#self)) return content.owner;
      writeFully(this.#disk, this.#fd, lockBytes(this.#self), 0);
      return undefined;
    }
    // Deleted or emptied by somebody: put it back, unless a new owner was faster.
    const how = content ? 'instead of the old one' : 'only if there is none';
    const fd = placeLock(this.#disk, this.#directory, this.#self, how);
    if (fd === undefined) return readLock(this.#directory)?.owner;
    this.#disk.close(this.#fd);
    this.#fd = fd;
    return undefined;
  }

  release(): void {
    const owner = readLock(this.#directory)?.owner;
    if (owner && isSameOwner(owner, this.#self)) this.#disk.unlink(lockPath(this.#directory));
    this.#disk.close(this.#fd);
  }
}

/** Whoever the lock file names; undefined when it names nobody. */
export function lockOwner(directory: string): LockOwner | undefined {
  return readLock(directory)?.owner;
}

/** Writes a file into the directory and removes it; the file system's time of it, in ms. */
export function probe(disk: Disk, directory: string): number {
  const path = `${lockPath(directory)}.${process.pid}.probe`;
  const fd = disk.open(path, 'create');
  try {
    writeFully(disk, fd, Buffer.from('\n'), 0);
    return fstatSync(fd).mtimeMs;
  } finally {
    disk.close(fd);
    unlinkIfThere(disk, path);
  }
}

/** Whether an owner that cannot be looked at still writes the file. */
async function isFresh(disk: Disk, directory: string, content: LockContent): Promise<boolean> {
  const ageMs = probe(disk, directory) - content.modifiedMs;
  if (ageMs >= -FRESH_MS) return ageMs < FRESH_MS;
  // From the future: the clock stepped back and age says nothing. Only a new write shows life.
  await new Promise((resolve) => setTimeout(resolve, 2 * REFRESH_MS));
  return readLock(directory)?.modifiedMs !== content.modifiedMs;
}

function lockPath(directory: string): string {
  return join(directory, LOCK_FILE);
}

function lockBytes(owner: LockOwner): Buffer {
  return Buffer.from(`${JSON.stringify(owner).padEnd(LOCK_BYTES - 1)}\n`);
}

function readLock(directory: string): LockContent | undefined {
  const path = lockPath(directory);
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    if (errorCode(error) === 'ELOOP') throw notALockFile(path);
    throw error;
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw notALockFile(path);
    const bytes = Buffer.alloc(LOCK_BYTES);
    const text = bytes.toString('utf8', 0, readSync(fd, bytes, 0, LOCK_BYTES, 0));
    return { owner: parseOwner(text), modifiedMs: stats.mtimeMs };
  } finally {
    closeSync(fd);
  }
}

function parseOwner(text: string): LockOwner | undefined {
  try {
    const owner = JSON.parse(text) as Partial<LockOwner> | null;
    return typeof owner?.pid === 'number' ? (owner as LockOwner) : undefined;
  } catch {
    return undefined;
  }
}

/** A new owner may have tidied it away. */
function unlinkIfThere(disk: Disk, path: string): void {
  try {
    disk.unlink(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

/** Puts a whole lock file in place in one step; its descriptor, or undefined when another was faster. */
function placeLock(
  disk: Disk,
  directory: string,
  self: LockOwner,
  how: 'only if there is none' | 'instead of the old one',
): number | undefined {
  const path = lockPath(directory);
  const temporary = `${path}.${process.pid}.tmp`;
  const fd = disk.open(temporary, 'create');
  try {
    writeFully(disk, fd, lockBytes(self), 0);
    if (how === 'instead of the old one') {
      disk.rename(temporary, path);
    } else {
      disk.link(temporary, path);
      unlinkIfThere(disk, temporary);
    }
    return fd;
  } catch (error) {
    disk.close(fd);
    unlinkIfThere(disk, temporary);
    if (['EEXIST', 'ENOENT'].includes(errorCode(error))) return undefined;
    throw error;
  }
}
