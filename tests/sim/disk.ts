/**
 * The simulated disk: what programs see, what is on the device, and the operations in between.
 *
 * A file has its bytes, the durable bytes, and the ranges that differ; fsync makes the one the
 * other. Names live in directories: creating, renaming, linking and removing change what programs
 * see at once and the device when the directory is synced. A crash keeps everything (kill -9), or of
 * what was not synced whatever it likes: whole writes, 512-byte sectors, a length without its bytes,
 * nothing; a rename is one thing that happens or does not.
 *
 * A process holds a `DiskHandle`. Dying means that the handle refuses everything from then on, with
 * an error that nobody gets to see, so cleaning up after the death cannot happen.
 */
import type { Disk, OpenMode } from '#src/base/disk';
import type { Random } from '#src/base/random';

export const SECTOR_BYTES = 512;

/** Thrown into a process that is dead already; whatever it does then is not real. */
export class Died extends Error {}

export class SimFile {
  bytes: Buffer = Buffer.allocUnsafe(256);
  size = 0;
  durable: Buffer = Buffer.alloc(0);
  /** Un-synced byte ranges; a truncation is a range up to the old size. */
  dirty: { start: number; end: number }[] = [];

  content(): Buffer {
    return this.bytes.subarray(0, this.size);
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    if (end > this.size) this.resize(end);
    this.bytes.set(bytes, position);
    const last = this.dirty.at(-1);
    if (last !== undefined && last.end === position) last.end = end;
    else this.dirty.push({ start: position, end });
  }

  resize(size: number): void {
    if (size > this.bytes.length) {
      const wider = Buffer.alloc(Math.max(size, 2 * this.bytes.length));
      this.bytes.copy(wider, 0, 0, this.size);
      this.bytes = wider;
    }
    if (size > this.size) this.bytes.fill(0, this.size, size);
    this.size = size;
  }

  /** Only dirty ranges go out: what an earlier fsync failed to write stays lost. */
  sync(): void {
    if (this.dirty.length === 0 && this.durable.length === this.size) return;
    const durable = Buffer.alloc(this.size);
    this.durable.copy(durable, 0, 0, Math.min(this.size, this.durable.length));
    for (const { start, end } of this.dirty) this.bytes.copy(durable, start, start, end);
    this.durable = durable;
    this.dirty = [];
  }

  /** Whether the first `bytes` bytes would survive anything. */
  isDurableTo(bytes: number): boolean {
    if (this.durable.length < bytes || this.size < bytes) return false;
    return this.dirty.every(({ start }) => start >= bytes);
  }
}

/** A change of names: `set` puts a file under a path, `del` takes a path away; both for a rename. */
interface NameChange {
  readonly set?: { readonly path: string; readonly file: SimFile };
  readonly del?: string;
  /** A directory that was made. */
  readonly made?: string;
}

export interface CrashStyle {
  /** Nothing is lost: the process died, the machine did not. */
  readonly keepsAll: boolean;
  /** Probability that an un-synced write or name is kept. */
  readonly keep: number;
  /** Of the writes that are not kept whole: probability of torn sectors instead of nothing. */
  readonly tear: number;
}

/** Asked before every operation. `write`: at most so many bytes are taken. */
export type DiskFault =
  | { readonly code: string }
  | { readonly shortBytes: number }
  | { readonly dieAfterBytes: number };

export type Operation = keyof Disk;

export class SimDisk {
  readonly files = new Map<string, SimFile>();
  readonly directories = new Set<string>(['/']);
  readonly #durableNames = new Map<string, SimFile>();
  #pending: NameChange[] = [];
  readonly #children = new Map<string, Set<string>>([['/', new Set()]]);
  usedBytes = 0;
  /** Beyond it writes come up short, then fail with ENOSPC. */
  capacityBytes = Number.POSITIVE_INFINITY;

  /** Whether `path` would still be there after a power loss. */
  isNameDurable(path: string): boolean {
    for (const { made } of this.#pending) {
      if (made !== undefined && path.startsWith(`${made}/`)) return false;
    }
    return this.#durableNames.get(path) === this.files.get(path) && this.files.has(path);
  }

  list(path: string): string[] {
    return [...(this.#children.get(path) ?? [])];
  }

  hasDirectory(path: string): boolean {
    return this.directories.has(path);
  }

  makeDirectory(path: string): void {
    if (this.directories.has(path)) return;
    this.directories.add(path);
    this.#pending.push({ made: path });
    this.#children.set(path, new Set());
    this.#children.get(parentOf(path))?.add(nameOf(path));
  }

  link(path: string, file: SimFile): void {
    this.#setName(path, file);
    this.#pending.push({ set: { path, file } });
  }

  rename(from: string, to: string): void {
    const file = this.files.get(from) as SimFile;
    this.#dropName(from);
    this.#setName(to, file);
    this.#pending.push({ set: { path: to, file }, del: from });
  }

  unlink(path: string): void {
    this.#dropName(path);
    this.#pending.push({ del: path });
  }

  syncDirectory(path: string): void {
    const isHere = (name: string | undefined): boolean =>
      name !== undefined && parentOf(name) === path;
    this.#pending = this.#pending.filter((change) => {
      const { set, del, made } = change;
      if (!isHere(set?.path) && !isHere(del) && !isHere(made)) return true;
      this.#applyDurably(change);
      return false;
    });
  }

  /** The disk the next process finds. */
  crash(style: CrashStyle, random: Random): SimDisk {
    const after = new SimDisk();
    after.capacityBytes = this.capacityBytes;
    const made = new Set(this.#pending.flatMap((change) => change.made ?? []));
    const lost = [...made].filter(() => !style.keepsAll && !random.chance(style.keep));
    const isLost = (path: string): boolean => lost.some((dir) => `${path}/`.startsWith(`${dir}/`));
    for (const path of [...this.directories].sort((a, b) => a.length - b.length)) {
      if (!isLost(path)) after.makeDirectory(path);
    }
    after.#pending = [];
    if (style.keepsAll) {
      // The page cache outlives the process: what is not synced yet still is not.
      for (const [path, file] of this.files) after.#setName(path, file);
      for (const [path, file] of this.#durableNames) after.#durableNames.set(path, file);
      after.#pending = this.#pending;
      return after;
    }
    const names = new Map(this.#durableNames);
    for (const change of this.#pending) {
      if (!random.chance(style.keep)) continue;
      if (change.del !== undefined) names.delete(change.del);
      if (change.set !== undefined) names.set(change.set.path, change.set.file);
    }
    const survivors = new Map<SimFile, SimFile>();
    for (const [path, file] of names) {
      if (isLost(path)) continue;
      const survivor = survivors.get(file) ?? surviving(file, style, random);
      survivors.set(file, survivor);
      after.#setName(path, survivor);
      after.#durableNames.set(path, survivor);
    }
    return after;
  }

  /** An independent disk with everything below `from` under `to`, all durable. */
  copyFolder(from: string, to: string): SimDisk {
    const copy = new SimDisk();
    for (const path of [...this.directories].sort((a, b) => a.length - b.length)) {
      if (`${path}/`.startsWith(`${from}/`)) copy.makeParents(to + path.slice(from.length));
    }
    for (const [path, file] of this.files) {
      if (!path.startsWith(`${from}/`)) continue;
      const whole = new SimFile();
      whole.write(file.content(), 0);
      whole.sync();
      copy.#setName(to + path.slice(from.length), whole);
      copy.#durableNames.set(to + path.slice(from.length), whole);
    }
    return copy;
  }

  makeParents(path: string): void {
    if (path === '/' || this.directories.has(path)) return;
    this.makeParents(parentOf(path));
    this.makeDirectory(path);
    this.syncDirectory(parentOf(path));
  }

  #applyDurably({ set, del }: NameChange): void {
    if (del !== undefined) this.#durableNames.delete(del);
    if (set !== undefined) this.#durableNames.set(set.path, set.file);
  }

  #setName(path: string, file: SimFile): void {
    const earlier = this.files.get(path);
    if (earlier !== undefined) this.usedBytes -= earlier.size;
    this.files.set(path, file);
    this.usedBytes += file.size;
    this.#children.get(parentOf(path))?.add(nameOf(path));
  }

  #dropName(path: string): void {
    this.usedBytes -= this.files.get(path)?.size ?? 0;
    this.files.delete(path);
    this.#children.get(parentOf(path))?.delete(nameOf(path));
  }
}

function surviving(file: SimFile, style: CrashStyle, random: Random): SimFile {
  let bytes: Buffer = Buffer.from(file.durable);
  for (const { start, end } of file.dirty) {
    const last = Math.min(end, file.size);
    if (random.chance(style.keep)) {
      if (end > file.size) bytes = bytes.subarray(0, Math.min(bytes.length, file.size));
      bytes = copyOver(bytes, file, start, last);
      continue;
    }
    if (!random.chance(style.tear)) {
      // The new length without the new bytes: what a crash between data and metadata leaves.
      if (random.chance(0.3) && last > bytes.length) {
        bytes = Buffer.concat([bytes, Buffer.alloc(last - bytes.length)]);
      }
      continue;
    }
    for (let at = start; at < last; ) {
      const sectorEnd = Math.min(last, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES);
      if (random.chance(0.5)) bytes = copyOver(bytes, file, at, sectorEnd);
      at = sectorEnd;
    }
  }
  const survivor = new SimFile();
  survivor.write(bytes, 0);
  survivor.sync();
  return survivor;
}

function copyOver(onto: Buffer, file: SimFile, start: number, end: number): Buffer {
  if (end <= start) return onto;
  const bytes = onto.length < end ? Buffer.concat([onto, Buffer.alloc(end - onto.length)]) : onto;
  file.bytes.copy(bytes, start, start, end);
  return bytes;
}

/** What a process may be told by its disk, besides the truth. */
export interface DiskEvents {
  /** Asked before every operation that has an effect. */
  fault(operation: Operation, path: string, bytes: number): DiskFault | undefined;
  /** The process dies here and now. */
  die(): void;
  /** Calls `answer` later: a sync off the thread. */
  later(answer: () => void): void;
}

/** One process's hands on the disk. */
export class DiskHandle implements Disk {
  dead = false;
  readonly #disk: SimDisk;
  readonly #events: DiskEvents;
  readonly #open = new Map<number, { file: SimFile; path: string }>();
  #nextFd = 3;

  constructor(disk: SimDisk, events: DiskEvents) {
    this.#disk = disk;
    this.#events = events;
  }

  get openFiles(): number {
    return this.#open.size;
  }

  open(path: string, mode: OpenMode): number {
    this.#alive();
    const disk = this.#disk;
    if (mode === 'create') this.#ask('open', path);
    let file = disk.files.get(path);
    if (mode === 'create') {
      if (!disk.hasDirectory(parentOf(path))) throw systemError('ENOENT', path);
      if (file === undefined) {
        file = new SimFile();
        disk.link(path, file);
      } else {
        file.dirty.push({ start: 0, end: file.size });
        disk.usedBytes -= file.size;
        file.resize(0);
      }
    }
    if (file === undefined) throw systemError('ENOENT', path);
    this.#open.set(this.#nextFd, { file, path });
    return this.#nextFd++;
  }

  close(fd: number): void {
    this.#alive();
    if (!this.#open.delete(fd)) throw systemError('EBADF', String(fd));
  }

  read(fd: number, into: Uint8Array, offset: number, length: number, position: number): number {
    const { file, path } = this.#file(fd);
    this.#ask('read', path);
    const end = Math.min(file.size, position + length);
    if (position >= end) return 0;
    into.set(file.bytes.subarray(position, end), offset);
    return end - position;
  }

  write(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number {
    const { file, path } = this.#file(fd);
    const fault = this.#events.fault('write', path, length);
    if (fault !== undefined && 'code' in fault) throw systemError(fault.code, path);
    const disk = this.#disk;
    let most = length;
    if (fault !== undefined && 'shortBytes' in fault) most = Math.min(most, fault.shortBytes);
    if (fault !== undefined && 'dieAfterBytes' in fault) {
      most = Math.min(most, fault.dieAfterBytes);
    }
    const growth = Math.max(0, position + length - file.size);
    const room = Math.max(0, disk.capacityBytes - disk.usedBytes);
    const count = Math.min(most, length - growth + Math.min(growth, room));
    if (count <= 0 && length > 0 && fault === undefined) throw systemError('ENOSPC', path);
    if (count > 0) {
      const before = file.size;
      file.write(bytes.subarray(offset, offset + count), position);
      disk.usedBytes += file.size - before;
    }
    if (fault !== undefined && 'dieAfterBytes' in fault) this.#die();
    return count;
  }

  truncate(fd: number, bytes: number): void {
    const { file, path } = this.#file(fd);
    this.#ask('truncate', path);
    file.dirty.push({ start: Math.min(bytes, file.size), end: file.size });
    this.#disk.usedBytes += bytes - file.size;
    file.resize(bytes);
  }

  size(fd: number): number {
    return this.#file(fd).file.size;
  }

  fsync(fd: number): void {
    const { file, path } = this.#file(fd);
    this.#sync('fsync', file, path);
  }

  datasync(fd: number): Promise<void> {
    const { file, path } = this.#file(fd);
    return new Promise((resolve, reject) => {
      this.#events.later(() => {
        try {
          // Closing a file while it is being synced is a bug.
          if (this.#open.get(fd)?.file !== file) throw systemError('EBADF', path);
          this.#sync('datasync', file, path);
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  syncDirectory(path: string): void {
    this.#ask('syncDirectory', path);
    this.#disk.syncDirectory(path);
  }

  rename(from: string, to: string): void {
    this.#ask('rename', to);
    if (!this.#disk.files.has(from)) throw systemError('ENOENT', from);
    this.#disk.rename(from, to);
  }

  link(from: string, to: string): void {
    this.#ask('link', to);
    const file = this.#disk.files.get(from);
    if (file === undefined) throw systemError('ENOENT', from);
    if (this.#disk.files.has(to)) throw systemError('EEXIST', to);
    this.#disk.link(to, file);
  }

  unlink(path: string): void {
    this.#ask('unlink', path);
    if (!this.#disk.files.has(path)) throw systemError('ENOENT', path);
    this.#disk.unlink(path);
  }

  mkdir(path: string): void {
    this.#ask('mkdir', path);
    if (!this.#disk.hasDirectory(parentOf(path))) throw systemError('ENOENT', path);
    this.#disk.makeDirectory(path);
  }

  readdir(path: string): string[] {
    this.#alive();
    if (!this.#disk.hasDirectory(path)) throw systemError('ENOENT', path);
    return this.#disk.list(path);
  }

  stat(path: string): { bytes: number; directory: boolean } | undefined {
    this.#alive();
    if (this.#disk.hasDirectory(path)) return { bytes: 0, directory: true };
    const file = this.#disk.files.get(path);
    return file && { bytes: file.size, directory: false };
  }

  #alive(): void {
    if (this.dead) throw new Died('the process is dead');
  }

  #file(fd: number): { file: SimFile; path: string } {
    this.#alive();
    const open = this.#open.get(fd);
    if (open === undefined) throw systemError('EBADF', String(fd));
    return open;
  }

  #ask(operation: Operation, path: string): void {
    this.#alive();
    const fault = this.#events.fault(operation, path, 0);
    if (fault === undefined) return;
    if ('code' in fault) throw systemError(fault.code, path);
    if ('dieAfterBytes' in fault) this.#die();
  }

  #die(): never {
    this.#events.die();
    throw new Died('the process dies at this operation');
  }

  /** As Linux does: after a failed fsync the pages count as clean, and the next one succeeds. */
  #sync(operation: 'fsync' | 'datasync', file: SimFile, path: string): void {
    try {
      this.#ask(operation, path);
    } catch (error) {
      if (!(error instanceof Died)) file.dirty = [];
      throw error;
    }
    file.sync();
  }
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
