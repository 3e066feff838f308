/** Every benchmark there is, in the order of the page: from the smallest part to the whole. */

import { api } from './api.bench.js';
import type { Benchmark } from './benchmark.js';
import { bronzeAppend } from './bronze-append.bench.js';
import { budget } from './budget.bench.js';
import { candleFold } from './candle-fold.bench.js';
import { compaction } from './compaction.bench.js';
import { dedup } from './dedup.bench.js';
import { encode } from './encode.bench.js';
import { live } from './live.bench.js';
import { memory } from './memory.bench.js';
import { pipeline } from './pipeline.bench.js';
import { push } from './push.bench.js';
import { recover } from './recover.bench.js';
import { ring } from './ring.bench.js';
import { scanner } from './scanner.bench.js';

export const BENCHMARKS: readonly Benchmark[] = [
  scanner,
  ring,
  dedup,
  candleFold,
  bronzeAppend,
  encode,
  compaction,
  pipeline,
  budget,
  live,
  push,
  api,
  recover,
  memory,
];
