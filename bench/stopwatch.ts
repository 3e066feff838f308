/**
 * Processor time and wall time of a piece of work. On a machine that others use too, processor time
 * is the figure that says what the code costs.
 */
export interface Elapsed {
  readonly wallMs: number;
  /** User and system time of all threads of this process. */
  readonly cpuMs: number;
}

export function stopwatch(): () => Elapsed {
  const started = performance.now();
  const cpu = process.cpuUsage();
  return () => {
    const wallMs = performance.now() - started;
    const { user, system } = process.cpuUsage(cpu);
    return { wallMs, cpuMs: (user + system) / 1_000 };
  };
}

/** Least processor time of several passes over the same work: the others measure the neighbours. */
export function leastCpuMs(passes: number, work: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let pass = 0; pass < passes; pass++) {
    const elapsed = stopwatch();
    work();
    least = Math.min(least, elapsed().cpuMs);
  }
  return least;
}
