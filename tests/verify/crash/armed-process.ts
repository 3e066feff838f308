/**
 * Loaded before the shipped program (`node --import armed-process.js dist/supervisor.js`), on every
 * thread of it: puts itself between the program and node:fs, and around the methods that failpoints
 * name. So what is tested is the program as it is shipped, and nothing in it can be armed.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread, workerData } from 'node:worker_threads';
import {
  ANY_CALL,
  ANY_HALF_WRITE,
  type DiskCall,
  type DiskPoint,
  type Edge,
  FAILPOINTS,
  type Failpoint,
  isDiskPoint,
  type MethodPoint,
} from '#tests/verify/crash/failpoints';
import {
  type Action,
  type ClockOrder,
  CONTROL,
  FaultWatch,
  FULL_MS,
  type Order,
} from '#tests/verify/crash/fault-orders';

/** Before anything is replaced. */
const real = { ...fs };
const dataDir = process.env.VERIFY_DATA_DIR ?? '';
const watch = new FaultWatch(process.env[CONTROL] ?? '');
const data = workerData as { spec?: { id: string } } | unknown[] | null;
const thread = isMainThread ? 'main' : ((data as { spec?: { id: string } })?.spec?.id ?? 'pool');
/** Actors that take part in an epoch; what else has a name of its own is called by it in failpoints.ts. */
const GROUP = /^(validation|gold|candles)/;
const SEGMENT_BYTES_MAX = 60_000;
/** Inside the watch's own disk calls. */
let isBusy = false;

function systemError(code: 'EIO' | 'ENOSPC', call: string): Error {
  return Object.assign(new Error(`${code}: an ordered fault, ${call}`), { code });
}

function happen(action: Action, call: string): void {
  switch (action) {
    case 'kill':
      process.kill(process.pid, 'SIGKILL');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      return;
    case 'term':
      process.kill(process.pid, 'SIGTERM');
      return;
    case 'stop':
      process.kill(process.pid, 'SIGSTOP');
      return;
    case 'throw':
      throw new Error('an ordered fault');
    case 'hang':
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      return;
    case 'memory': {
      const held: number[][] = [];
      for (;;) held.push(new Array<number>(1_000_000).fill(held.length + 0.5));
    }
    case 'EIO':
    case 'ENOSPC':
      throw systemError(action, call);
    case 'short':
      return; // a matter of the write itself
  }
}

function isMine(order: Order): boolean {
  return order.thread === undefined || thread.startsWith(order.thread);
}

/** The order that strikes now at one of these points; undefined nearly always. */
function striking(matches: (order: Order) => boolean): Order | undefined {
  if (isBusy) return undefined;
  isBusy = true;
  try {
    const order = watch.order();
    if (order === undefined || !isMine(order) || !matches(order)) return undefined;
    return watch.strikes(order) ? order : undefined;
  } finally {
    isBusy = false;
  }
}

/* The disk. */

const pathOf = new Map<number, string>();
const POINTS = new Map(
  FAILPOINTS.flatMap(({ name, at }) => (isDiskPoint(at) ? [[name, at] as const] : [])),
);
/** Until when every write fails, ms of the wall clock. */
let fullUntilMs = 0;

function inside(path: unknown): string | undefined {
  const text = String(path);
  return dataDir !== '' && text.startsWith(`${dataDir}/`)
    ? text.slice(dataDir.length + 1)
    : undefined;
}

function diskStrike(call: DiskCall, path: string | undefined, edge: Edge): Order | undefined {
  // The lock file is rewritten every two seconds, state is LMDB's own.
  if (path === undefined || isBusy || path.startsWith('lock')) return undefined;
  return striking(({ point, action }) => {
    if (point === ANY_CALL) return edge === (action === 'short' ? 'half' : 'before');
    if (point === ANY_HALF_WRITE) return call === 'write' && edge === 'half';
    const at: DiskPoint | undefined = POINTS.get(point);
    return at !== undefined && at.call === call && at.edge === edge && at.path.test(path);
  });
}

function refuseWhenFull(call: string): void {
  if (fullUntilMs > 0 && Date.now() < fullUntilMs) throw systemError('ENOSPC', call);
}

function around<T>(call: DiskCall, path: string | undefined, work: () => T): T {
  const before = diskStrike(call, path, 'before');
  if (before !== undefined) {
    if (before.action === 'ENOSPC') fullUntilMs = Date.now() + FULL_MS;
    happen(before.action, call);
  }
  const result = work();
  const after = diskStrike(call, path, 'after');
  if (after !== undefined) happen(after.action, call);
  return result;
}

function armDisk(): void {
  fs.openSync = ((path: string, flags: number, mode?: number) => {
    const isNew = typeof flags === 'number' && (flags & fs.constants.O_CREAT) !== 0;
    const name = inside(path);
    const open = (): number => real.openSync(path, flags, mode);
    if (isNew && name !== undefined) refuseWhenFull('open');
    const fd = isNew ? around('create', name, open) : open();
    if (name !== undefined) pathOf.set(fd, name);
    else pathOf.delete(fd);
    return fd;
  }) as typeof fs.openSync;

  fs.writeSync = ((fd: number, bytes: Uint8Array, at: number, length: number, position: number) => {
    const path = pathOf.get(fd);
    const write = (count: number): number => real.writeSync(fd, bytes, at, count, position);
    if (path === undefined) return write(length);
    refuseWhenFull('write');
    return around('write', path, () => {
      const half = diskStrike('write', path, 'half');
      if (half === undefined) return write(length);
      const taken = write(Math.max(1, length >> 1));
      if (half.action === 'ENOSPC') fullUntilMs = Date.now() + FULL_MS;
      happen(half.action, 'write');
      return taken; // short, or only half was ever taken
    });
  }) as typeof fs.writeSync;

  fs.closeSync = (fd) => {
    pathOf.delete(fd);
    real.closeSync(fd);
  };
  fs.ftruncateSync = (fd, bytes) =>
    around('truncate', pathOf.get(fd), () => real.ftruncateSync(fd, bytes));
  fs.fsyncSync = (fd) => around('fsync', pathOf.get(fd), () => real.fsyncSync(fd));
  fs.renameSync = (from, to) => around('rename', inside(to), () => real.renameSync(from, to));
  fs.linkSync = (from, to) => around('link', inside(to), () => real.linkSync(from, to));
  fs.unlinkSync = (path) => around('unlink', inside(path), () => real.unlinkSync(path));
  fs.mkdirSync = ((path: string, options: fs.MakeDirectoryOptions) =>
    around('mkdir', inside(path), () => real.mkdirSync(path, options))) as typeof fs.mkdirSync;
  const datasync = (fd: number, done: fs.NoParamCallback): void => {
    const path = pathOf.get(fd);
    try {
      const before = diskStrike('datasync', path, 'before');
      if (before !== undefined) happen(before.action, 'fdatasync');
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error)) throw error;
      const failure = error as NodeJS.ErrnoException;
      setImmediate(() => done(failure));
      return;
    }
    real.fdatasync(fd, (error) => {
      const after = diskStrike('datasync', path, 'after');
      if (after !== undefined) happen(after.action, 'fdatasync');
      done(error);
    });
  };
  fs.fdatasync = datasync as typeof fs.fdatasync;
  syncBuiltinESMExports();
}

/* Methods. */

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Whether a failpoint's module is loaded here anyway: loading all of them doubles what a start takes. */
function isReachedHere({ name, thread: where }: Failpoint): boolean {
  if (name === 'actor.beat') return thread !== 'main' && thread !== 'pool';
  switch (where) {
    case 'group':
      return GROUP.test(thread);
    case 'lake':
    case 'maintenance':
      return thread === 'pool';
    default:
      return thread.startsWith(where);
  }
}

async function armMethods(): Promise<void> {
  for (const point of FAILPOINTS) {
    const { name, at } = point;
    if (isDiskPoint(at) || !isReachedHere(point)) continue;
    const prototype = await prototypeOf(at);
    const original = prototype[at.method] as Method;
    const strike = (): void => {
      const order = striking(({ point }) => point === name);
      if (order !== undefined) happen(order.action, name);
    };
    prototype[at.method] = function (this: unknown, ...args: unknown[]): unknown {
      if (at.edge === 'before') {
        strike();
        return original.apply(this, args);
      }
      const result = original.apply(this, args);
      if (result instanceof Promise) {
        return result.then((value: unknown) => {
          strike();
          return value;
        });
      }
      strike();
      return result;
    };
  }
}

async function prototypeOf({ module, className }: MethodPoint): Promise<Record<string, unknown>> {
  const loaded = (await import(module)) as Record<string, { prototype: Record<string, unknown> }>;
  return loaded[className]!.prototype;
}

/* The clock. */

function armClock(): void {
  const now = Date.now;
  let order: ClockOrder | undefined;
  const harness = process.ppid;
  setInterval(() => {
    // Nobody is left to end it.
    if (isMainThread && process.ppid !== harness) process.kill(process.pid, 'SIGKILL');
    isBusy = true;
    order = watch.clock();
    isBusy = false;
  }, 50).unref();
  Date.now = () => order?.standsAtMs ?? now() + (order?.aheadMs ?? 0);
}

/** Small segments: sealed within seconds, so that the bronze tables get rows. */
async function shrinkSegments(): Promise<void> {
  if (!thread.startsWith('ingest')) return;
  const { LogWriter } = await import('#src/log/log-writer');
  const { open } = LogWriter;
  LogWriter.open = (options) => open({ ...options, segmentBytesMax: SEGMENT_BYTES_MAX });
}

armDisk();
await shrinkSegments();
await armMethods();
armClock();
