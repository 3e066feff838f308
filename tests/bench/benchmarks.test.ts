/**
 * Every benchmark, tiny and silent: it runs, finds its own result right, and computes the same in
 * every run. Nothing here depends on how fast it is.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Benchmark, Outcome } from '#bench/benchmark';
import { BENCHMARKS } from '#bench/catalogue';

/** They start processes and pipelines of their own: once is enough. */
const LARGE = ['pipeline', 'budget', 'live', 'push', 'api', 'recover', 'memory'];

async function runTiny({ name, run }: Benchmark): Promise<Outcome> {
  const dir = mkdtempSync(join(tmpdir(), `bullion-bench-test-${name}-`));
  try {
    return await run({ tiny: true, trades: 3_000, seconds: 1, runs: 1, dir, say: () => {} });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

for (const benchmark of BENCHMARKS) {
  test(`${benchmark.name}, tiny`, async () => {
    const { figures, digest } = await runTiny(benchmark);
    assert.ok(figures.length > 0);
    for (const { name, value, unit } of figures) {
      assert.ok(Number.isFinite(value), `${name} is ${value} ${unit}`);
    }
    assert.notEqual(digest, '');
    if (LARGE.includes(benchmark.name)) return;
    assert.equal((await runTiny(benchmark)).digest, digest);
  });
}

test('no two benchmarks have one name', () => {
  const names = BENCHMARKS.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
});
