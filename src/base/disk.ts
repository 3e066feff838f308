/**
 * The disk port: every byte this process keeps goes through here.
 *
 * Stages take a `Disk` as an argument; the process passes the machine's (base/node-disk.ts), a test
 * or a simulation passes one that is full, fails, or loses what was not synced. Errors are Node
 * system errors with a `code`. Calls are synchronous, except `datasync`, which can take seconds on a
 * bad disk and therefore runs off the thread.
 */
import { errorCode } from '#src/base/errors';
import { mark } from '#src/base/marks';

/** read: an existing file. update: an existing file, read and written. create: a new, empty file. */
export type OpenMode = 'read' | 'update' | 'create';

export interface Disk {
  /** A file descriptor; `create` empties a file that exists. Symbolic links are not followed. */
  open(path: string, mode: OpenMode): number;
  close(fd: number): void;
  /** Reads up to `length` bytes at `position`; fewer only at the end of the file. */
  read(fd: number, into: Uint8Array, offset: number, length: number, position: number): number;
  /** Writes up to `length` bytes; a full disk may take FEWER WITHOUT AN ERROR. Use writeFully. */
  write(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number;
  truncate(fd: number, bytes: number): void;
  /** Bytes in the file. */
  size(fd: number): number;
  /** Returns when data and metadata of the file are on the device. */
  fsync(fd: number): void;
  /** The same for the data (and the size), off the thread. An error must never be retried. */
  datasync(fd: number): Promise<void>;
  /** Makes creations, renames and removals in a directory durable. */
  syncDirectory(path: string): void;
  /** Replaces `to` atomically. */
  rename(from: string, to: string): void;
  /** A second name for a file; fails with EEXIST when `to` exists. */
  link(from: string, to: string): void;
  unlink(path: string): void;
  /** Makes one directory; nothing happens when it exists. */
  mkdir(path: string): void;
  /** Names in a directory, in no particular order. */
  readdir(path: string): string[];
  /** Undefined when there is nothing at `path`. */
  stat(path: string): { readonly bytes: number; readonly directory: boolean } | undefined;
}

/**
 * Writes all of `bytes` at `position`. A short write is not an error to the system: the loop asks
 * again until everything is written or the system says what is wrong (ENOSPC, EFBIG, EIO).
 */
export function writeFully(
  disk: Disk,
  fd: number,
  bytes: Uint8Array,
  position: number,
  length = bytes.length,
): void {
  let written = 0;
  while (written < length) {
    const count = disk.write(fd, bytes, written, length - written, position + written);
    if (count <= 0) {
      const reason = `EIO: the disk took ${written} of ${length} bytes and then none, write`;
      throw Object.assign(new Error(reason), { code: 'EIO' });
    }
    written += count;
    if (written < length) mark('disk: a short write went on');
  }
}

/** Folder part of a path; '.' when there is none. */
function directoryOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '.' : path.slice(0, slash) || '/';
}

/** Directories that this process knows to be durable, by disk. */
const durableDirectories = new WeakMap<Disk, Set<string>>();

/**
 * Makes a directory that is still there after a power loss. One that exists is synced once more by
 * every process: whoever made it may have been killed before it was durable.
 */
export function makeDirectoryDurably(disk: Disk, path: string): void {
  let durable = durableDirectories.get(disk);
  if (durable === undefined) {
    durable = new Set();
    durableDirectories.set(disk, durable);
  }
  // Known to be durable once; whether it is still there is asked every time.
  const found = disk.stat(path);
  if (found?.directory === true && durable.has(path)) return;
  const parent = directoryOf(path);
  if (parent !== path) makeDirectoryDurably(disk, parent);
  if (found === undefined) {
    disk.mkdir(path);
    disk.syncDirectory(parent);
  } else {
    syncOwnDirectory(disk, parent);
  }
  if (found?.directory !== false) durable.add(path);
}

/** One that cannot be opened or synced for another reason than a bad disk is somebody else's. */
function syncOwnDirectory(disk: Disk, path: string): void {
  try {
    disk.syncDirectory(path);
  } catch (error) {
    if (errorCode(error) === 'EIO') throw error;
  }
}

/**
 * A file that is there whole and durable or not at all: written beside its name, synced, renamed,
 * and the rename synced. A failed attempt leaves nothing but, at worst, a `.tmp` file.
 */
export function writeFileDurably(disk: Disk, path: string, bytes: Uint8Array): void {
  const temporary = `${path}.tmp`;
  try {
    const fd = disk.open(temporary, 'create');
    try {
      writeFully(disk, fd, bytes, 0);
      disk.fsync(fd);
    } finally {
      disk.close(fd);
    }
    disk.rename(temporary, path);
  } catch (error) {
    // The first error is the one to tell; a leftover is overwritten by the next attempt.
    try {
      disk.unlink(temporary);
    } catch {}
    throw error;
  }
  disk.syncDirectory(directoryOf(path));
}

/** Names in a directory; none where there is no directory. */
export function namesIn(disk: Disk, directory: string): string[] {
  try {
    return disk.readdir(directory);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** All bytes of a file, for small files only. */
export function readFile(disk: Disk, path: string): Buffer {
  const fd = disk.open(path, 'read');
  try {
    const bytes = Buffer.allocUnsafeSlow(disk.size(fd));
    let count = 0;
    while (count < bytes.length) {
      const got = disk.read(fd, bytes, count, bytes.length - count, count);
      if (got === 0) break;
      count += got;
    }
    return bytes.subarray(0, count);
  } finally {
    disk.close(fd);
  }
}
