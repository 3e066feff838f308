/**
 * What can happen to a running Bullion, one step at a time: each takes a directory from whole to
 * whole again or to an ended process, and says how it came out.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '#src/base/random';
import { type Bullion, type Exit, until } from '#tests/support/process/bullion-process';
import {
  ANY_CALL,
  ANY_HALF_WRITE,
  awaitsJobs,
  type Failpoint,
} from '#tests/verify/crash/failpoints';
import type { Action, ClockOrder, Order } from '#tests/verify/crash/fault-orders';
import type { GuardedDirectory } from '#tests/verify/crash/guarded-directory';

export interface Step {
  /** Says it all: two steps of one name are the same step. */
  readonly name: string;
  /** The kind of fault, for the table. */
  readonly fault: string;
  /** Needs a maintenance job due in the life it strikes in. */
  readonly awaitsJobs?: true;
  /** How it came out, in a few words; throws when it may not come out so. */
  run(directory: GuardedDirectory): Promise<string>;
}

/** What a fault may end the process with: a person is to look at the disk, or a bug. */
const MAY_END_WITH = [70, 74];
/** Once it is up. A compaction of a directory with a past takes a while on a busy machine. */
const REACHED_MS_MAX = { atOnce: 6_000, inJobs: 30_000 };
const START_MS_MAX = 60_000;
/** Threads with a heartbeat. Jobs of a pool have a limit of their own. */
const WATCHED: readonly Failpoint['thread'][] = ['ingest', 'group', 'gateway'];
const HANG_SEEN_MS_MAX = 60_000;
/** An orderly end takes ten seconds at most; a kill none. */
const END_MS_MAX = 15_000;
export const NOT_REACHED = 'not reached';

function restartsOf(bullion: Bullion): number {
  return bullion.text.split('restarting').length;
}

function ending({ code, signal }: Exit): string {
  return signal ?? `exit ${code}`;
}

/** kill -9 at a random moment of a life: from its first instruction on, or once it is whole. */
export function randomKill(random: Random): Step {
  const fromStart = random.chance(0.5);
  const afterMs = random.between(0, fromStart ? 1_800 : 1_200);
  return {
    name: `kill -9 ${afterMs} ms after ${fromStart ? 'the start' : 'it was ready'}`,
    fault: fromStart ? 'kill -9 while starting' : 'kill -9 at a random moment',
    async run(directory) {
      const isUp = directory.running !== undefined;
      const bullion = directory.running ?? directory.start();
      if (!fromStart && !isUp) await bullion.url();
      await pause(afterMs);
      const exit = await bullion.end('SIGKILL');
      directory.ended();
      if (exit.signal !== 'SIGKILL') throw new Error(`it ended by itself: ${told(bullion, exit)}`);
      return 'killed';
    },
  };
}

/** An order at a failpoint, given to a running Bullion. */
export function atFailpoint(
  { name, thread: where }: Pick<Failpoint, 'name' | 'thread'>,
  action: Action,
  hit: number,
  thread?: string,
): Step {
  const full = thread === undefined ? name : `${name} of ${thread}`;
  return {
    name: `${action} at hit ${hit} of ${full}`,
    fault: `${action} at ${full}`,
    ...(awaitsJobs({ name }) && { awaitsJobs: true }),
    async run(directory) {
      const isUp = directory.running !== undefined;
      const bullion = isUp ? await directory.whole() : directory.start();
      if (!isUp && action === 'hang') await bullion.url(); // a start has a limit of its own, 30 s
      const restarts = restartsOf(bullion);
      const order = directory.orders.give({ point: name, action, hit, ...(thread && { thread }) });
      return outcomeOf(directory, bullion, order, where, restarts);
    },
  };
}

/** At the nth call that changes the disk: half a write and the end, an error, a short write. */
export function atDiskCall(random: Random): Step {
  const kinds: readonly (readonly [string, Action])[] = [
    [ANY_CALL, 'kill'],
    [ANY_HALF_WRITE, 'kill'],
    [ANY_HALF_WRITE, 'kill'],
    [ANY_CALL, 'EIO'],
    [ANY_CALL, 'ENOSPC'],
    [ANY_HALF_WRITE, 'ENOSPC'],
    [ANY_CALL, 'short'],
  ];
  const [point, action] = random.pick(kinds);
  const hit = random.between(1, random.pick([10, 60, 400]));
  return {
    ...atFailpoint({ name: point, thread: 'ingest' }, action, hit),
    fault: `${action} at a random disk call${point === ANY_HALF_WRITE ? ', half written' : ''}`,
  };
}

/** The whole process stands still for a while. */
export function suspended(random: Random): Step {
  const forMs = random.between(200, 4_000);
  return {
    name: `SIGSTOP for ${forMs} ms`,
    fault: 'SIGSTOP, SIGCONT',
    async run(directory) {
      const bullion = await directory.whole();
      const restarts = restartsOf(bullion);
      bullion.signal('SIGSTOP');
      await pause(forMs);
      bullion.signal('SIGCONT');
      await directory.wholeAgain(bullion);
      return restartsOf(bullion) > restarts ? 'restarted inside' : 'went on';
    },
  };
}

/** A second start while the first one runs, or stands still: refused within the time of a start. */
export function startedTwice(isStopped: boolean): Step {
  return {
    name: `a second start${isStopped ? ' while the first is stopped' : ''}`,
    fault: 'two starts on one directory',
    async run(directory) {
      const bullion = await directory.whole();
      if (isStopped) bullion.signal('SIGSTOP');
      const second = directory.startAnother();
      const exit = await second.exited;
      if (isStopped) bullion.signal('SIGCONT');
      if (exit.code !== 75) throw new Error(`the second start: ${told(second, exit)}`);
      await directory.wholeAgain(bullion);
      return 'the second refused, exit 75';
    },
  };
}

/** Longer than the gateway waits for word from the supervisor. */
const SILENCE_MS_MAX = 45_000;

/** The supervisor's own thread stands still: the process ends itself as by kill -9. */
export function hungSupervisor(): Step {
  return {
    name: 'the supervisor hangs',
    fault: 'hang of the supervisor',
    async run(directory) {
      const bullion = await directory.whole();
      directory.orders.give({ point: 'epoch.barrier', action: 'hang', hit: 1 });
      const late = pause(SILENCE_MS_MAX, undefined, { ref: false });
      const exit = await Promise.race([bullion.exited, late]);
      directory.orders.withdraw();
      if (exit === undefined) {
        await bullion.end('SIGKILL');
        throw new Error(`it stood still for ${SILENCE_MS_MAX} ms and nobody ended it`);
      }
      directory.ended();
      if (exit.signal !== 'SIGKILL') throw new Error(told(bullion, exit));
      return 'ended itself';
    },
  };
}

const HOUR_MS = 3_600_000;

/** The wall clock jumps or stands still, and is right again after a while. */
export function clockSteps(): Step[] {
  const kinds: readonly (readonly [string, () => ClockOrder])[] = [
    ['an hour back', () => ({ aheadMs: -HOUR_MS })],
    // Not an hour: the exchanges' trades from the future are an hour ahead, and would be on time.
    ['half an hour ahead', () => ({ aheadMs: HOUR_MS / 2 })],
    ['ten years back', () => ({ aheadMs: -87_600 * HOUR_MS })],
    ['not at all for a while', () => ({ standsAtMs: Date.now() })],
  ];
  return kinds.map(([name, order]) => ({
    name: `the clock goes ${name}`,
    fault: 'clock step',
    async run(directory) {
      const bullion = await directory.whole();
      directory.orders.setClock(order());
      await pause(700);
      await directory.wholeAgain(bullion);
      directory.orders.setClock(undefined);
      await pause(100);
      await directory.wholeAgain(bullion);
      return 'went on';
    },
  }));
}

async function outcomeOf(
  directory: GuardedDirectory,
  bullion: Bullion,
  order: Order,
  where: Failpoint['thread'],
  restarts: number,
): Promise<string> {
  const over = bullion.exited;
  const reachedMsMax = REACHED_MS_MAX[awaitsJobs({ name: order.point }) ? 'inJobs' : 'atOnce'];
  let upMs: number | undefined;
  const struck = await until(
    'the order to strike',
    () => {
      if (directory.orders.hasStruck(order) || bullion.isOver) return 'yes';
      if (bullion.text.includes('"msg":"ready"')) upMs ??= performance.now();
      return upMs !== undefined && performance.now() - upMs > reachedMsMax && 'no';
    },
    START_MS_MAX,
    20,
  );
  if (struck === 'no') {
    directory.orders.withdraw();
    return NOT_REACHED;
  }
  if (order.action === 'stop') {
    await pause(500);
    bullion.signal('SIGCONT');
  }
  if (order.action === 'hang' && where === 'main') {
    // Nobody inside watches the supervisor this fast: its service manager does, with kill -9.
    await pause(300);
    if (bullion.isOver) throw new Error(`a hung process ended: ${told(bullion, await over)}`);
    await bullion.end('SIGKILL');
    directory.ended();
    return 'stood still, killed from outside';
  }
  if (order.action === 'hang' && WATCHED.includes(where)) {
    const isSeen = (): boolean => bullion.isOver || restartsOf(bullion) > restarts;
    await until('the hang to be seen', isSeen, HANG_SEEN_MS_MAX, 20);
  }
  const isDeadly = order.action === 'kill' || order.action === 'term';
  const waited = await Promise.race([
    over,
    isDeadly
      ? pause(END_MS_MAX, new Error(`${order.action} had no effect`))
      : directory.wholeAgain(bullion).catch((error: unknown) => (bullion.isOver ? over : error)),
  ]);
  directory.orders.withdraw();
  if (waited === undefined) {
    return restartsOf(bullion) > restarts ? 'restarted inside' : 'went on';
  }
  if (waited instanceof Error) {
    const exit = await bullion.end('SIGKILL');
    directory.ended();
    throw new Error(`never whole again (${waited.message}): ${told(bullion, exit)}`);
  }
  const exit = waited as Exit;
  directory.ended();
  const isExpected =
    order.action === 'kill'
      ? exit.signal === 'SIGKILL'
      : order.action === 'term'
        ? exit.code === 0
        : MAY_END_WITH.includes(exit.code ?? -1);
  if (!isExpected) throw new Error(told(bullion, exit));
  return ending(exit);
}

function told(bullion: Bullion, exit: Exit): string {
  return `${ending(exit)}\n${bullion.text.slice(-3_000)}`;
}
