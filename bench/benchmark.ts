/**
 * What a benchmark is: something that runs at a given size, checks its own result, and answers
 * figures. One that finds its result wrong throws, so nothing is fast by being wrong.
 */
export interface BenchContext {
  /** A second or two at most, for the test run: figures mean nothing, checks mean everything. */
  readonly tiny: boolean;
  /** Size of the simulated market that the large benchmarks share. */
  readonly trades: number;
  /** Length of each timed run at a fixed rate. */
  readonly seconds: number;
  /** How often what has targets is run; the median stands for it. */
  readonly runs: number;
  /** A folder of its own, deleted afterwards. */
  readonly dir: string;
  /** Tells a person how far it is. */
  readonly say: (line: string) => void;
}

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly target?: { readonly atLeast: number } | { readonly atMost: number };
}

export interface Outcome {
  readonly figures: readonly Figure[];
  /** Of what was computed, not of how long it took: the same in every run of the same size. */
  readonly digest: string;
  /** What a reader must know to read the figures. */
  readonly remarks?: readonly string[];
}

export interface Benchmark {
  readonly name: string;
  /** One sentence: what is measured. */
  readonly about: string;
  readonly run: (context: BenchContext) => Promise<Outcome>;
}

export function meets({ value, target }: Figure): boolean | undefined {
  if (target === undefined) return undefined;
  return 'atLeast' in target ? value >= target.atLeast : value <= target.atMost;
}

/** Throws when a benchmark's result is not what it must be. */
export function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`wrong result: ${what}`);
}
