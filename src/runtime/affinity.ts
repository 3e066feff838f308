/**
 * The calling thread as the kernel sees it: its cores, its priority and its name.
 *
 * Linux knows threads by their own ids; `/proc/thread-self` names the calling one (the synchronous
 * call only: the promise version answers for a pool thread). `taskset` then moves just that thread.
 * Best effort: where either is missing or refused, the thread runs where the kernel puts it.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, setPriority } from 'node:os';

/** Pins the calling thread; answers whether the kernel agreed. */
export function pinThread(cores: readonly number[]): boolean {
  if (cores.length === 0) return false;
  try {
    const threadId = readlinkSync('/proc/thread-self').split('/').at(-1) as string;
    execFileSync('taskset', ['-cp', cores.join(','), threadId], { stdio: 'ignore' });
    return true;
  } catch {
    return false; // not Linux, no taskset, or the core is outside the allowed set
  }
}

const NICENESS = 5;

/** On a core that is wanted by others the calling thread gets a third of what each of them does. */
export function giveWay(): void {
  // 0 is the calling thread on Linux; where it is the process, all of it would give way.
  if (process.platform === 'linux') setPriority(0, NICENESS);
}

/** Names the calling thread, for `top -H`, `perf` and the benchmarks; 15 characters are shown. */
export function nameThread(name: string): void {
  try {
    writeFileSync('/proc/thread-self/comm', name.slice(0, 15));
  } catch {
    // not Linux: the name is a convenience
  }
}

/** The cores this process may use: the kernel's list for it, or one per CPU where there is none. */
export function coresAllowed(): number[] {
  try {
    const status = readFileSync('/proc/self/status', 'utf8');
    const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '';
    const cores = list.split(',').flatMap((range) => {
      const [first, last = first] = range.split('-').map(Number);
      return Array.from(
        { length: (last as number) - (first as number) + 1 },
        (_, i) => i + (first as number),
      );
    });
    if (cores.length > 0 && cores.every(Number.isInteger)) return cores;
  } catch {
    // not Linux: below
  }
  return Array.from({ length: availableParallelism() }, (_, core) => core);
}
