/**
 * A warehouse in a folder of this machine.
 *
 * A file gets its name by rename(2) once its bytes are synced; where it must not replace anything, by
 * link(2), which fails when the name is taken. Nothing is read, listed or deleted through a symbolic
 * link in place of a folder, and nothing outside of the warehouse's own.
 */
import { resolve } from 'node:path';
import {
  type Disk,
  makeDirectoryDurably,
  readFile,
  writeFileDurably,
  writeFully,
} from '#src/base/disk';
import { assert, errorCode } from '#src/base/errors';
import type { CreatePoint, Warehouse, WarehouseFile } from '#src/warehouse/warehouse';

export class DiskWarehouse implements Warehouse {
  readonly uri: string;
  /** The disk port is synchronous. */
  readonly parallel = 1;
  readonly dir: string;
  readonly #disk: Disk;

  constructor(disk: Disk, dir: string) {
    this.#disk = disk;
    this.dir = resolve(dir);
    this.uri = `file://${this.dir}`;
  }

  async get(path: string): Promise<Buffer> {
    return readFile(this.#disk, this.#full(path));
  }

  async getRange(path: string, start: number, length: number): Promise<Buffer> {
    const fd = this.#disk.open(this.#full(path), 'read');
    try {
      const bytes = Buffer.allocUnsafeSlow(length);
      let count = 0;
      while (count < length) {
        const got = this.#disk.read(fd, bytes, count, length - count, start + count);
        if (got === 0) break;
        count += got;
      }
      return bytes.subarray(0, count);
    } finally {
      this.#disk.close(fd);
    }
  }

  async size(path: string): Promise<number | undefined> {
    const found = this.#disk.stat(this.#full(path));
    return found === undefined || found.directory ? undefined : found.bytes;
  }

  async put(path: string, bytes: Uint8Array): Promise<void> {
    const full = this.#full(path);
    makeDirectoryDurably(this.#disk, folderOf(full));
    writeFileDurably(this.#disk, full, bytes);
  }

  async create(
    path: string,
    bytes: Uint8Array,
    passed: (point: CreatePoint) => void = () => {},
  ): Promise<boolean> {
    const final = this.#full(path);
    const folder = folderOf(final);
    const temporary = `${final}.tmp`;
    makeDirectoryDurably(this.#disk, folder);
    const fd = this.#disk.open(temporary, 'create');
    try {
      writeFully(this.#disk, fd, bytes, 0);
      this.#disk.fsync(fd);
    } finally {
      this.#disk.close(fd);
    }
    passed('staged');
    try {
      this.#disk.link(temporary, final);
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
      this.#disk.unlink(temporary);
      return false;
    }
    passed('named');
    this.#disk.unlink(temporary);
    this.#disk.syncDirectory(folder);
    passed('durable');
    return true;
  }

  async list(folder: string): Promise<WarehouseFile[]> {
    return [...this.#walk(folder)];
  }

  async delete(paths: readonly string[]): Promise<void> {
    const folders = new Set<string>();
    for (const path of paths) {
      const full = this.#full(path);
      if (!this.#isThere(path)) continue;
      this.#disk.unlink(full);
      folders.add(folderOf(full));
    }
    for (const folder of folders) this.#disk.syncDirectory(folder);
  }

  #full(path: string): string {
    const isInside = !path.split('/').some((name) => name === '' || name === '.' || name === '..');
    assert(isInside, `${path} is not a path inside the warehouse`);
    return `${this.dir}/${path}`;
  }

  /** A symbolic link is listed, and never entered, whatever it points to. */
  *#walk(folder: string): Generator<WarehouseFile> {
    const directory = folder ? `${this.dir}/${folder}` : this.dir;
    if (this.#disk.stat(directory)?.directory !== true) return;
    for (const name of this.#disk.readdir(directory).sort()) {
      const path = folder ? `${folder}/${name}` : name;
      const found = this.#disk.stat(`${this.dir}/${path}`);
      if (found === undefined) continue; // gone since
      if (found.directory) yield* this.#walk(path);
      else yield { path, bytes: found.bytes };
    }
  }

  /** Whether a path leads through real directories to something that is none. */
  #isThere(path: string): boolean {
    const names = path.split('/');
    let at = this.dir;
    return names.every((name, i) => {
      at += `/${name}`;
      return this.#disk.stat(at)?.directory === i < names.length - 1;
    });
  }
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
