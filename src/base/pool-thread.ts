/** How a pool's thread finds its work: piscina is given pool-entry.cts, and that one loads the worker. */

const ENTRY = new URL('./pool-entry.cjs', import.meta.url).href;

/** `worker`: compiled file that exports the work as its default. `data`: what it finds in `workerData`. */
export function poolThread<D extends object>(worker: URL, data: D) {
  return { filename: ENTRY, workerData: { ...data, worker: worker.href } };
}
