/** Every benchmark there is, in the order of the page: from the smallest part to the whole. */
import type { Benchmark } from './benchmark.js';

export const BENCHMARKS: readonly Benchmark[] = [];
