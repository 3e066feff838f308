/** What deduplicating a trade costs, and the memory of a long history. */
import { createHash } from 'node:crypto';
import { IntervalSet } from '#src/trades/interval-set';
import {
  type BenchContext,
  type Benchmark,
  check,
  type Figure,
  type Outcome,
} from './benchmark.js';
import { leastCpuMs } from './stopwatch.js';

const FIRST_ID = 348_656_870;
const START_US = Date.UTC(2025, 2, 4) * 1_000;
const GAPS = 1_000;

interface Case {
  readonly name: string;
  readonly adds: number;
  readonly distinct: number;
  readonly fill: () => IntervalSet;
}

function cases(tiny: boolean): Case[] {
  const dense = tiny ? 20_000 : 20_000_000;
  const swapped = tiny ? 4_000 : 4_000_000;
  const between = tiny ? 10 : 100_000;
  const repeated = tiny ? 2_000 : 2_000_000;
  return [
    {
      name: 'dense ids in order',
      adds: dense,
      distinct: dense,
      fill: () => {
        const set = new IntervalSet();
        for (let i = 0; i < dense; i++) set.add(FIRST_ID + i, START_US + i);
        return set;
      },
    },
    {
      name: 'every fourth id comes late',
      adds: swapped,
      distinct: swapped,
      fill: () => {
        const set = new IntervalSet();
        for (let i = 0; i < swapped; i += 4) {
          set.add(FIRST_ID + i, START_US);
          set.add(FIRST_ID + i + 2, START_US);
          set.add(FIRST_ID + i + 3, START_US);
          set.add(FIRST_ID + i + 1, START_US);
        }
        return set;
      },
    },
    {
      name: 'duplicates spread over 1,000 gaps',
      adds: repeated,
      distinct: GAPS,
      fill: () => {
        const set = new IntervalSet();
        for (let gap = 0; gap < GAPS; gap++) set.add(FIRST_ID + 2 * gap, START_US);
        let random = 1;
        for (let i = GAPS; i < repeated; i++) {
          random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
          set.add(FIRST_ID + 2 * ((random >>> 8) % GAPS), START_US);
        }
        return set;
      },
    },
    {
      name: `${((GAPS * between) / 1e6).toLocaleString('en')} million ids with 1,000 gaps`,
      adds: GAPS * between,
      distinct: GAPS * between,
      fill: () => {
        const set = new IntervalSet();
        for (let id = FIRST_ID, gap = 0; gap < GAPS; gap++, id++) {
          for (let i = 0; i < between; i++, id++) set.add(id, START_US);
        }
        return set;
      },
    },
  ];
}

async function run({ tiny, say }: BenchContext): Promise<Outcome> {
  const hash = createHash('sha256');
  const figures: Figure[] = [];
  for (const { name, adds, distinct, fill } of cases(tiny)) {
    say(name);
    let set = new IntervalSet();
    const cpuMs = leastCpuMs(tiny ? 1 : 3, () => {
      set = fill();
    });
    check(set.idsCount === distinct, `${set.idsCount} of ${distinct} ids: ${name}`);
    check(set.duplicatesCount === adds - distinct, `${set.duplicatesCount} duplicates: ${name}`);
    hash.update(set.pack());
    figures.push({ name, value: (cpuMs * 1e6) / adds, unit: 'ns per trade' });
    if (set.intervalCount !== GAPS || distinct === GAPS) continue;
    figures.push({
      name: `memory of ${name}`,
      value: set.byteLength / 2 ** 20,
      unit: 'MiB',
      target: { atMost: 1 },
    });
  }
  return { figures, digest: hash.digest('hex').slice(0, 16) };
}

export const dedup: Benchmark = {
  name: 'dedup',
  about: 'Whether a trade id was seen before: exact, over all history.',
  run,
};
