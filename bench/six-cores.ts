/**
 * What a number of cores carries, computed from what each thread takes of a core per trade. Not a
 * promise: caches, memory and the disk are taken to be as on the machine that was measured.
 *
 * Threads that exist once go where there is most room, the dearest first; encoding is divided over
 * as many lake threads as serve best. The fullest core sets the rate.
 */

/** Processor time per trade, us, by thread. */
export type Costs = Readonly<Record<string, number>>;

export interface Plan {
  readonly tradesPerSecond: number;
  readonly lakeThreads: number;
  /** By core: who runs there and how much of it they take at that rate. */
  readonly cores: readonly { readonly threads: readonly string[]; readonly busy: number }[];
}

/** `costs.lake` is what all encoding takes. */
export function planCores(costs: Costs, cores: number): Plan {
  const plans = Array.from({ length: cores }, (_, k) => planFor(costs, cores, k + 1));
  return plans.reduce((best, plan) => (plan.tradesPerSecond > best.tradesPerSecond ? plan : best));
}

function planFor({ lake = 0, ...single }: Costs, count: number, lakeThreads: number): Plan {
  const threads = [
    ...Object.entries(single),
    ...Array.from({ length: lakeThreads }, (_, k) => [`lake-${k}`, lake / lakeThreads] as const),
  ].sort(([, a], [, b]) => b - a);
  const cores = Array.from({ length: count }, () => ({ threads: [] as string[], us: 0 }));
  for (const [name, us] of threads) {
    const emptiest = cores.reduce((least, core) => (core.us < least.us ? core : least));
    emptiest.threads.push(name);
    emptiest.us += us;
  }
  const fullest = Math.max(...cores.map(({ us }) => us));
  return {
    tradesPerSecond: 1e6 / fullest,
    lakeThreads,
    cores: cores.map(({ threads, us }) => ({ threads, busy: us / fullest })),
  };
}
