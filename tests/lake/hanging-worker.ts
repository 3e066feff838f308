/** A lake worker that never ends a job; started by tests/lake/pool.test.ts. */
export default function runJob(): never {
  for (;;); // until the thread is terminated
}
