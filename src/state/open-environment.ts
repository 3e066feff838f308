/**
 * Opens the LMDB environment of a state directory, and makes a new one so that no crash can leave a
 * half-made file behind: a torn LMDB file ends the process with SIGSEGV, and only files that never
 * had a flushed commit were ever seen torn. So it is built in `<directory>.new`, committed, flushed,
 * synced, and renamed into place.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ABORT } from 'lmdb';
import { EXIT, errorCode, UserError } from '#src/base/errors';
import type { Databases, KeyValuePair } from '#src/base/key-value';
import { type Lmdb, openLmdb } from '#src/state/open-lmdb';
import { readError, StateCorruptError } from '#src/state/state-errors';

const DATA_FILE = 'data.mdb';
/** Of the first meta page: the magic number, and the page size that says where the second is. */
const MAGIC = 0xbeef_c0de;
const MAGIC_AT = 24;
const PAGE_SIZE_AT = 48;
const HEADER_BYTES = 64;
/** More than a new environment and its lock file take. */
const ROOM_BYTES = 128 * 1024;
/** A key that no record has. */
const REHEARSAL = Uint8Array.of(0);

/**
 * Opens an environment that exists; undefined when there is none. Throws StateCorruptError when
 * the directory is there without the data file, or the file does not start as LMDB's does.
 */
async function openEnvironment(directory: string, readOnly: boolean): Promise<Lmdb | undefined> {
  const path = join(directory, DATA_FILE);
  try {
    checkHeader(directory, path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw diskError(directory, error);
  }
  // Whoever made it may have been killed between the rename and its fsync.
  if (!readOnly) fsyncPath(dirname(directory));
  return openLmdb(directory, readOnly);
}

/** Makes a new environment that holds `first`, durable, and opens it. */
async function createEnvironment(directory: string, first: readonly KeyValuePair[]): Promise<Lmdb> {
  const temporary = `${directory}.new`;
  try {
    rmSync(temporary, { recursive: true, force: true });
    mkdirSync(temporary, { recursive: true, mode: 0o700 });
    proveRoom(join(temporary, 'room'));
    const db = await openLmdb(temporary, false);
    try {
      await db.childTransaction(() => {
        for (const { key, value } of first) db.put(key, value);
      });
      await db.flushed;
    } finally {
      await db.close();
    }
    fsyncPath(join(temporary, DATA_FILE));
    fsyncPath(temporary);
    renameSync(temporary, directory);
    fsyncPath(dirname(directory));
  } catch (error) {
    throw diskError(directory, error);
  }
  return openLmdb(directory, false);
}

export const lmdbDatabases: Databases = { open: openEnvironment, create: createEnvironment };

/**
 * Goes through the motions of a write, down to the pages it would take, and takes it back: finds
 * damage that only a writer meets.
 */
export async function rehearseWrite(directory: string): Promise<void> {
  const db = await openLmdb(directory, false);
  try {
    db.transactionSync(() => {
      db.putSync(REHEARSAL, REHEARSAL);
      return ABORT;
    });
  } catch (error) {
    throw readError(directory, error);
  } finally {
    await db.close();
  }
}

/** LMDB ends the process with SIGSEGV where its first pages or its lock file find no room. */
function proveRoom(path: string): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    const room = Buffer.alloc(ROOM_BYTES);
    for (let at = 0; at < ROOM_BYTES; at += writeSync(fd, room, at));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  rmSync(path);
}

function checkHeader(directory: string, path: string): void {
  const damaged = (what: string): StateCorruptError => new StateCorruptError(directory, what);
  if (!lstatSync(path).isFile()) throw damaged(`${DATA_FILE} is not a regular file`);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    const bytes = fstatSync(fd).size;
    const readHeader = (at: number): boolean =>
      readSync(fd, header, 0, HEADER_BYTES, at) === HEADER_BYTES &&
      header.readUInt32LE(MAGIC_AT) === MAGIC;
    if (!readHeader(0)) throw damaged(`${DATA_FILE} does not start as an LMDB file`);
    const pageBytes = header.readUInt32LE(PAGE_SIZE_AT);
    const isPowerOfTwo = (pageBytes & (pageBytes - 1)) === 0;
    if (!isPowerOfTwo || pageBytes < 512 || bytes < 2 * pageBytes || !readHeader(pageBytes)) {
      throw damaged(`${DATA_FILE} has no second meta page`);
    }
  } finally {
    closeSync(fd);
  }
}

function fsyncPath(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function diskError(directory: string, error: unknown): unknown {
  const code = errorCode(error);
  if (error instanceof UserError || !/^E[A-Z]+$/.test(code)) return readError(directory, error);
  if (code === 'ENOTEMPTY' || code === 'EEXIST') {
    return new StateCorruptError(directory, `${DATA_FILE} is missing`, { cause: error });
  }
  const message = `The state in ${directory} cannot be opened (${(error as Error).message}); check the disk, its free space and the permissions.`;
  return new UserError(EXIT.io, message, { cause: error });
}
