/**
 * Processor time of this process's threads, from the kernel. Worker threads have no names there, so
 * they are told apart by what they do: V8 and libuv name theirs, the others are numbered in the
 * order they were started (in an offline run: main, candles, gold, validation ..., lake ...).
 */
import { readdirSync, readFileSync } from 'node:fs';

/** A kernel tick, which is what the times are counted in: 100 a second on every Linux. */
const TICK_MS = 10;

export function threadTimes(): Record<string, number> {
  const times: Record<string, number> = {};
  let threads: string[];
  try {
    threads = readdirSync('/proc/self/task');
  } catch {
    return times; // not a Linux
  }
  for (const thread of threads.sort((a, b) => Number(a) - Number(b))) {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
    // The name is in parentheses and may hold anything; fields 14 and 15 are user and system ticks.
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ms = (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    if (ms >= TICK_MS) times[`${name} ${thread}`] = ms;
  }
  return times;
}
