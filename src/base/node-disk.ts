/**
 * The machine's disk. The only file that calls the writing functions of node:fs.
 *
 * Everything it makes belongs to the user alone: files 0600, directories 0700, because frames may
 * come from private feeds. It never follows a symbolic link at the last part of a path.
 */
import * as fs from 'node:fs';
import type { Disk, OpenMode } from '#src/base/disk';
import { errorCode } from '#src/base/errors';

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

const { O_RDONLY, O_RDWR, O_CREAT, O_TRUNC, O_NOFOLLOW } = fs.constants;
const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: O_RDONLY | O_NOFOLLOW,
  update: O_RDWR | O_NOFOLLOW,
  create: O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW,
};

export function nodeDisk(): Disk {
  return {
    open: (path, mode) => fs.openSync(path, FLAGS[mode], FILE_MODE),
    close: (fd) => fs.closeSync(fd),
    read: (fd, into, offset, length, position) => fs.readSync(fd, into, offset, length, position),
    write: (fd, bytes, offset, length, position) =>
      fs.writeSync(fd, bytes, offset, length, position),
    truncate: (fd, bytes) => fs.ftruncateSync(fd, bytes),
    size: (fd) => fs.fstatSync(fd).size,
    fsync: (fd) => fs.fsyncSync(fd),
    datasync: (fd) =>
      new Promise((resolve, reject) => {
        fs.fdatasync(fd, (error) => (error ? reject(error) : resolve()));
      }),
    syncDirectory(path) {
      const fd = fs.openSync(path, O_RDONLY);
      try {
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
    },
    rename: (from, to) => fs.renameSync(from, to),
    link: (from, to) => fs.linkSync(from, to),
    unlink: (path) => fs.unlinkSync(path),
    mkdir(path) {
      try {
        fs.mkdirSync(path, { mode: DIRECTORY_MODE });
      } catch (error) {
        if (errorCode(error) !== 'EEXIST') throw error;
      }
    },
    readdir: (path) => fs.readdirSync(path),
    stat(path) {
      const stats = fs.lstatSync(path, { throwIfNoEntry: false });
      return stats && { bytes: stats.size, directory: stats.isDirectory() };
    },
  };
}
