/**
 * Processor time of this process's threads, from the kernel, by the names they have there: those of
 * the actors, `lake`, and for all others (main, V8's compilers and collectors, libuv's) `node`.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** A kernel tick, which is what the times are counted in: 100 a second on every Linux. */
const TICK_MS = 10;

/** Milliseconds, by name; threads of one name together, but for the main thread: `main`. */
export function threadTimes(): Readonly<Record<string, number>> {
  const times: Record<string, number> = {};
  let threads: string[];
  try {
    threads = readdirSync('/proc/self/task');
  } catch {
    return times; // not a Linux
  }
  for (const thread of threads) {
    let stat: string;
    try {
      stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
    } catch {
      continue; // it has just ended
    }
    // The name is in parentheses and may hold anything; fields 14 and 15 are user and system ticks.
    const nameEnd = stat.lastIndexOf(')');
    const fields = stat.slice(nameEnd + 2).split(' ');
    const isMain = Number(thread) === process.pid;
    const name = isMain ? 'main' : stat.slice(stat.indexOf('(') + 1, nameEnd);
    const ms = (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    times[name] = (times[name] ?? 0) + ms;
  }
  return times;
}
