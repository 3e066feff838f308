/**
 * `npm run bench [-- NAME...] [--trades N] [--seconds S] [--runs R]`: runs benchmarks for real, prints their
 * figures and writes them to bench/RESULTS.md. Without names: all of them.
 *
 * 20 million trades by default: 10 GB under the system's folder for temporary files, kept between
 * runs of the same size (`--forget` deletes it afterwards), and up to 6 GB more while it runs. All of
 * it takes some 25 minutes, half of them DuckDB's. Run it on a machine with nothing else to do; one
 * benchmark at a time replaces its own section of the page only.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PACKAGE_ROOT } from '#src/config/package-root';
import { type BenchContext, type Benchmark, meets, type Outcome } from './benchmark.js';
import { BENCHMARKS } from './catalogue.js';
import { describeMachine, machineFacts } from './machine.js';
import { forgetRecordings } from './recording.js';
import { formatValue, renderSection, type Section, updatePage } from './results-page.js';

const TRADES = 20_000_000;
const SECONDS = 60;
const RUNS = 3;
const PAGE = join(PACKAGE_ROOT, 'bench/RESULTS.md');

function print({ figures, digest, remarks = [] }: Outcome): void {
  for (const figure of figures) {
    const verdict = meets(figure);
    const mark = verdict === undefined ? '' : verdict ? '   target met' : '   TARGET MISSED';
    console.log(`  ${figure.name.padEnd(64)} ${formatValue(figure).padStart(18)}${mark}`);
  }
  for (const remark of remarks) console.log(`  ${remark}`);
  console.log(`  digest ${digest}\n`);
}

async function measure(
  benchmark: Benchmark,
  sizes: Pick<BenchContext, 'trades' | 'seconds' | 'runs'>,
) {
  const machine = describeMachine(machineFacts());
  const dir = mkdtempSync(join(tmpdir(), `bullion-bench-${benchmark.name}-`));
  console.log(`${benchmark.name}: ${benchmark.about}\n  ${machine}`);
  try {
    const say = (line: string): void => console.log(`  ... ${line}`);
    const outcome = await benchmark.run({ tiny: false, ...sizes, dir, say });
    print(outcome);
    return renderSection(benchmark, outcome, machine, new Date().toISOString().slice(0, 10));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const { values, positionals } = parseArgs({
  options: {
    trades: { type: 'string' },
    seconds: { type: 'string' },
    runs: { type: 'string' },
    forget: { type: 'boolean' },
  },
  allowPositionals: true,
});
const names = BENCHMARKS.map(({ name }) => name);
const unknown = positionals.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`no benchmark ${unknown.join(', ')}; there are ${names.join(', ')}`);
  process.exit(64);
}
const chosen = BENCHMARKS.filter(
  ({ name }) => positionals.length === 0 || positionals.includes(name),
);
const sizes = {
  trades: Number(values.trades ?? TRADES),
  seconds: Number(values.seconds ?? SECONDS),
  runs: Number(values.runs ?? RUNS),
};
for (const benchmark of chosen) {
  const section: Section = await measure(benchmark, sizes);
  // After each: a later one that fails must not cost the figures of the ones before it.
  const page = existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : '';
  writeFileSync(PAGE, updatePage(page, names, [section]));
}
if (values.forget === true) forgetRecordings();
