/**
 * A disk in memory that fails on command and knows what a power loss would leave.
 *
 * Every file has the bytes programs see and the bytes that are on the device; fsync copies the one
 * to the other, and only that. Directory entries become durable by syncDirectory. `crash` makes the
 * disk the next start would find: un-synced writes are kept, dropped or torn at 512-byte sectors,
 * un-synced renames and creations kept or dropped.
 */
import type { Disk, OpenMode } from '#src/base/disk';

const SECTOR_BYTES = 512;

class MemoryFile {
  bytes: Buffer = Buffer.alloc(0);
  durable: Buffer = Buffer.alloc(0);
  /** Un-synced byte ranges; a truncation is a range up to the old size. */
  dirty: { start: number; end: number }[] = [];

  write(bytes: Uint8Array, position: number): void {
    const size = Math.max(this.bytes.length, position + bytes.length);
    this.resize(size);
    this.bytes.set(bytes, position);
    this.dirty.push({ start: position, end: position + bytes.length });
  }

  resize(size: number): void {
    const resized = Buffer.alloc(size);
    this.bytes.copy(resized, 0, 0, Math.min(size, this.bytes.length));
    this.bytes = resized;
  }

  sync(): void {
    this.durable = Buffer.from(this.bytes);
    this.dirty = [];
  }
}

export type Operation =
  | 'open'
  | 'read'
  | 'write'
  | 'truncate'
  | 'fsync'
  | 'datasync'
  | 'syncDirectory'
  | 'rename'
  | 'link'
  | 'unlink';

/** What happens instead: an error, or a write of that many bytes only (without an error). */
export type Fault = { readonly code: string } | { readonly shortBytes: number };

export class MemoryDisk implements Disk {
  /** Asked before every operation; `count` counts all operations from 0. */
  fault: (operation: Operation, count: number, path: string) => Fault | undefined = () => undefined;
  /** A full disk: writes beyond it come up short, then fail with ENOSPC. */
  capacityBytes = Number.POSITIVE_INFINITY;
  operations = 0;
  /** Keeps datasync pending until released by the test. */
  gate: Promise<void> = Promise.resolve();

  #entries = new Map<string, MemoryFile>();
  #durableEntries = new Map<string, MemoryFile>();
  readonly #directories = new Set<string>(['/']);
  readonly #open = new Map<number, { file: MemoryFile; path: string }>();
  #nextFd = 3;

  get openFiles(): number {
    return this.#open.size;
  }

  open(path: string, mode: OpenMode): number {
    this.#step('open', path);
    let file = this.#entries.get(path);
    if (mode === 'create') {
      if (!this.#directories.has(parentOf(path))) throw systemError('ENOENT', path);
      if (file === undefined) {
        file = new MemoryFile();
        this.#entries.set(path, file);
      } else {
        file.dirty.push({ start: 0, end: file.bytes.length });
        file.resize(0);
      }
    }
    if (file === undefined) throw systemError('ENOENT', path);
    this.#open.set(this.#nextFd, { file, path });
    return this.#nextFd++;
  }

  close(fd: number): void {
    if (!this.#open.delete(fd)) throw systemError('EBADF', String(fd));
  }

  read(fd: number, into: Uint8Array, offset: number, length: number, position: number): number {
    const { file, path } = this.#file(fd);
    this.#step('read', path);
    const bytes = file.bytes.subarray(position, position + length);
    into.set(bytes, offset);
    return bytes.length;
  }

  write(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number {
    const { file, path } = this.#file(fd);
    const short = this.#step('write', path);
    const growth = Math.max(0, position + length - file.bytes.length);
    const room = Math.max(0, this.capacityBytes - this.usedBytes());
    const count = Math.min(length, short ?? length, length - growth + Math.min(growth, room));
    if (count <= 0 && length > 0 && short === undefined) throw systemError('ENOSPC', path);
    if (count > 0) file.write(bytes.subarray(offset, offset + count), position);
    return count;
  }

  truncate(fd: number, bytes: number): void {
    const { file, path } = this.#file(fd);
    this.#step('truncate', path);
    file.dirty.push({ start: Math.min(bytes, file.bytes.length), end: file.bytes.length });
    file.resize(bytes);
  }

  size(fd: number): number {
    return this.#file(fd).file.bytes.length;
  }

  fsync(fd: number): void {
    const { file, path } = this.#file(fd);
    this.#sync('fsync', file, path);
  }

  async datasync(fd: number): Promise<void> {
    const { file, path } = this.#file(fd);
    await this.gate;
    this.#file(fd); // closing a file under a running fsync is a bug
    this.#sync('datasync', file, path);
  }

  syncDirectory(path: string): void {
    this.#step('syncDirectory', path);
    for (const name of [...this.#durableEntries.keys()]) {
      if (parentOf(name) === path && !this.#entries.has(name)) this.#durableEntries.delete(name);
    }
    for (const [name, file] of this.#entries) {
      if (parentOf(name) === path) this.#durableEntries.set(name, file);
    }
  }

  rename(from: string, to: string): void {
    this.#step('rename', to);
    const file = this.#entries.get(from);
    if (file === undefined) throw systemError('ENOENT', from);
    this.#entries.delete(from);
    this.#entries.set(to, file);
  }

  link(from: string, to: string): void {
    this.#step('link', to);
    const file = this.#entries.get(from);
    if (file === undefined) throw systemError('ENOENT', from);
    if (this.#entries.has(to)) throw systemError('EEXIST', to);
    this.#entries.set(to, file);
  }

  unlink(path: string): void {
    this.#step('unlink', path);
    if (!this.#entries.delete(path)) throw systemError('ENOENT', path);
  }

  mkdir(path: string): void {
    if (!this.#directories.has(parentOf(path))) throw systemError('ENOENT', path);
    this.#directories.add(path);
  }

  readdir(path: string): string[] {
    if (!this.#directories.has(path)) throw systemError('ENOENT', path);
    const all = [...this.#entries.keys(), ...this.#directories];
    return all.filter((name) => name !== '/' && parentOf(name) === path).map(nameOf);
  }

  stat(path: string): { bytes: number; directory: boolean } | undefined {
    if (this.#directories.has(path)) return { bytes: 0, directory: true };
    const file = this.#entries.get(path);
    return file && { bytes: file.bytes.length, directory: false };
  }

  usedBytes(): number {
    let sum = 0;
    for (const file of new Set(this.#entries.values())) sum += file.bytes.length;
    return sum;
  }

  /** The bytes of a file, to look at or to put back changed. */
  contents(path: string): Buffer {
    const file = this.#entries.get(path);
    if (file === undefined) throw systemError('ENOENT', path);
    return Buffer.from(file.bytes);
  }

  /** Puts a file there whole and durable, as if it had always been. */
  place(path: string, bytes: Uint8Array): void {
    const file = new MemoryFile();
    file.bytes = Buffer.from(bytes);
    file.sync();
    this.#entries.set(path, file);
    this.#durableEntries.set(path, file);
  }

  /** An independent disk with the same files, all durable. */
  copy(): MemoryDisk {
    const copy = new MemoryDisk();
    for (const directory of this.#directories) copy.#directories.add(directory);
    for (const [path, file] of this.#entries) copy.place(path, file.bytes);
    return copy;
  }

  /** The disk after a power loss; `random` answers in [0, 1). */
  crash(random: () => number): MemoryDisk {
    const after = new MemoryDisk();
    for (const directory of this.#directories) after.#directories.add(directory);
    const paths = new Set([...this.#entries.keys(), ...this.#durableEntries.keys()]);
    for (const path of paths) {
      const now = this.#entries.get(path);
      const durable = this.#durableEntries.get(path);
      const file = now === durable || random() < 0.5 ? now : durable;
      if (file !== undefined) after.place(path, surviving(file, random));
    }
    return after;
  }

  #file(fd: number): { file: MemoryFile; path: string } {
    const open = this.#open.get(fd);
    if (open === undefined) throw systemError('EBADF', String(fd));
    return open;
  }

  /** As Linux does: after a failed fsync the pages count as clean, and the next one succeeds. */
  #sync(operation: 'fsync' | 'datasync', file: MemoryFile, path: string): void {
    try {
      this.#step(operation, path);
    } catch (error) {
      file.dirty = [];
      throw error;
    }
    // Only dirty ranges go out: what an earlier fsync failed to write stays lost.
    const size = file.bytes.length;
    const durable = Buffer.alloc(size);
    file.durable.copy(durable, 0, 0, Math.min(size, file.durable.length));
    for (const { start, end } of file.dirty) file.bytes.copy(durable, start, start, end);
    file.durable = durable;
    file.dirty = [];
  }

  #step(operation: Operation, path: string): number | undefined {
    const fault = this.fault(operation, this.operations++, path);
    if (fault === undefined) return undefined;
    if ('code' in fault) throw systemError(fault.code, path);
    return fault.shortBytes;
  }
}

/** Durable bytes, and of what was not synced whole writes, sectors of them, or nothing. */
function surviving(file: MemoryFile, random: () => number): Buffer {
  let bytes = Buffer.from(file.durable);
  for (const { start, end } of file.dirty) {
    const fate = random();
    if (fate < 0.4) continue;
    const last = Math.min(end, file.bytes.length);
    if (last < end && fate < 0.7) bytes = bytes.subarray(0, file.bytes.length); // truncated
    for (let at = start; at < last; ) {
      const sectorEnd = Math.min(last, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES);
      if (fate > 0.7 || random() < 0.5) {
        if (bytes.length < sectorEnd) {
          bytes = Buffer.concat([bytes, Buffer.alloc(sectorEnd - bytes.length)]);
        }
        file.bytes.copy(bytes, at, at, sectorEnd);
      }
      at = sectorEnd;
    }
  }
  return bytes;
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
