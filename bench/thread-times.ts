/**
 * Processor time of this process's threads, from the kernel, in the order they were started. Worker
 * threads have no names there; in an offline run the order is main, V8's own four, the lake's,
 * candles, gold shards, validation shards, and what libuv and the peers' libraries start.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** A kernel tick, which is what the times are counted in: 100 a second on every Linux. */
const TICK_MS = 10;

/** Milliseconds, by thread; threads that did nothing are left out. */
export function threadTimes(): number[] {
  const times: number[] = [];
  let threads: string[];
  try {
    threads = readdirSync('/proc/self/task');
  } catch {
    return times; // not a Linux
  }
  for (const thread of threads.sort((a, b) => Number(a) - Number(b))) {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
    // The name is in parentheses and may hold anything; fields 14 and 15 are user and system ticks.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ms = (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    if (ms > 0) times.push(ms);
  }
  return times;
}
