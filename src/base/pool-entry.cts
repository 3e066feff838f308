/**
 * The entry of every pool's thread: loads the worker that the pool names (pool-thread.ts).
 *
 * The one CommonJS file, because piscina loads its file with require(): a thread that require()s an ES
 * module cannot be ended without harm half-way (loading-threads.ts). What it exports is the promise of
 * the worker's work, so that piscina's thread says it is ready when the worker has loaded.
 */
const threads: typeof import('node:worker_threads') = require('node:worker_threads');

type Worker = { readonly default: (job: unknown) => unknown };

module.exports = import(threads.workerData.worker).then((worker: Worker) => worker.default);
