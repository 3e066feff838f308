/**
 * Who owns a data directory, as its lock file tells, and whether that process can still be alive.
 * Process ids and namespaces only mean something within one boot of one kernel; across machines and
 * containers the only sign of life is that the file goes on being written.
 */
import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { errorCode } from '#src/base/errors';

export interface LockOwner {
  readonly pid: number;
  /** Start of the process in clock ticks since boot: tells a reused pid. '' where unknown. */
  readonly startTicks: string;
  readonly host: string;
  /** Boot of the kernel; '' where unknown. */
  readonly bootId: string;
  /** Namespaces of process ids and of abstract sockets; '' where there are none. */
  readonly pidNamespace: string;
  readonly socketNamespace: string;
  /** Inode of the directory: a copy of it carries the lock file of the original. */
  readonly inode: string;
  readonly startedUs: number;
  /** What it does: `supervisor`, `import`, ... */
  readonly purpose: string;
}

/** A lock file whose last write is younger than this belongs to somebody. */
export const FRESH_MS = 10_000;

export function thisOwner(directory: string, startedUs: number, purpose: string): LockOwner {
  return {
    pid: process.pid,
    startTicks: startTicksOf(process.pid) ?? '',
    host: hostname(),
    bootId: readOr('', () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    pidNamespace: readOr('', () => readlinkSync('/proc/self/ns/pid')),
    socketNamespace: readOr('', () => readlinkSync('/proc/self/ns/net')),
    inode: String(statSync(directory, { bigint: true }).ino),
    startedUs,
    purpose,
  };
}

/**
 * `gone`: certainly dead, take over at once. `alive`: certainly not. `unknown`: it lives where this
 * process cannot look. Asked by a process that holds the directory's socket in its own namespace.
 */
export function fateOf(
  owner: LockOwner,
  self: LockOwner,
  ticksOf: (pid: number) => string | undefined = startTicksOf,
): 'gone' | 'alive' | 'unknown' {
  if (owner.bootId !== self.bootId || (self.bootId === '' && owner.host !== self.host)) {
    return 'unknown';
  }
  if (owner.inode !== self.inode) return 'gone';
  if (owner.pidNamespace === self.pidNamespace) {
    const ticks = ticksOf(owner.pid);
    return ticks !== undefined && ticks === owner.startTicks ? 'alive' : 'gone';
  }
  // In one socket namespace a living owner would hold the socket that the caller holds.
  return owner.socketNamespace === self.socketNamespace ? 'gone' : 'unknown';
}

export function isSameOwner(a: LockOwner, b: LockOwner): boolean {
  return (
    a.pid === b.pid &&
    a.startTicks === b.startTicks &&
    a.bootId === b.bootId &&
    a.pidNamespace === b.pidNamespace &&
    a.host === b.host &&
    a.startedUs === b.startedUs
  );
}

/** Start time of a living process; undefined when there is none (a zombie is none). */
export function startTicksOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return isRunning(pid) ? '' : undefined;
  const stat = readOr('', () => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  if (stat === '') return undefined;
  // `pid (name) state ppid ...`: the name may hold anything; start time is field 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

/** The fallback when the file is not there: another platform, or the process has ended. */
function readOr(fallback: string, read: () => string): string {
  try {
    return read();
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES'].includes(errorCode(error))) return fallback;
    throw error;
  }
}
