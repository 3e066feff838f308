/**
 * Which threads of this process are still loading. Node aborts the whole process when a thread is
 * ended half-way through loading a native addon or a module that is require()d (both seen with 20.20,
 * one of some hundred threads ended at such a moment), so whoever ends threads waits here first, and
 * so does whoever ends the process with an exit code that somebody reads.
 *
 * A thread counts from the moment it is made until its first message, or its end.
 */
import type { Worker } from 'node:worker_threads';
import { systemTimers } from '#src/base/timers';

/** A thread that has not loaded by then hangs: it is better ended, whatever comes of it. */
const LOADING_MS_MAX = 5_000;

const loading = new Set<Promise<void>>();

// Emitted for every thread of the process, whoever makes it: an actor's, or a pool's.
process.on('worker', (worker: Worker) => {
  const loaded = new Promise<void>((resolve) => {
    worker.once('message', () => resolve());
    worker.once('exit', () => resolve());
  });
  loading.add(loaded);
  void loaded.then(() => loading.delete(loaded));
});

/** Resolves when no thread is loading, or when one has been for too long. */
export async function threadsLoaded(): Promise<void> {
  let isLate = false;
  let giveUp = (): void => {};
  const late = new Promise<void>((resolve) => {
    giveUp = resolve;
  });
  const timer = systemTimers.after(LOADING_MS_MAX, () => {
    isLate = true;
    giveUp();
  });
  while (loading.size > 0 && !isLate) await Promise.race([Promise.all(loading), late]);
  timer.cancel();
}
