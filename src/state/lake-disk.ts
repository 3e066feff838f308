/**
 * What recovery needs of a disk: to look and to delete, never through a symbolic link. The process
 * passes the machine's disk, a test or a simulation its own.
 */
import { closeSync, fsyncSync, lstatSync, openSync, readdirSync, unlinkSync } from 'node:fs';
import { errorCode } from '#src/base/errors';

export interface DirectoryEntry {
  readonly name: string;
  /** `other`: symbolic links, sockets, devices. */
  readonly kind: 'file' | 'directory' | 'other';
}

export interface LakeDisk {
  /** Entries of a directory by name; none when it does not exist. */
  list(directory: string): readonly DirectoryEntry[];
  modifiedUs(path: string): number;
  unlink(path: string): void;
  /** Makes removals in a directory durable. */
  syncDirectory(directory: string): void;
}

export const nodeLakeDisk: LakeDisk = {
  list(directory) {
    try {
      const entries = readdirSync(directory, { withFileTypes: true }).map((entry) => ({
        name: entry.name,
        kind: entry.isFile() ? 'file' : entry.isDirectory() ? 'directory' : 'other',
      })) satisfies DirectoryEntry[];
      return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return [];
      throw error;
    }
  },
  modifiedUs: (path) => Math.floor(lstatSync(path).mtimeMs * 1000),
  unlink: (path) => unlinkSync(path),
  syncDirectory(directory) {
    const fd = openSync(directory, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  },
};
