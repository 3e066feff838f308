/** The page of figures: sections replace their old selves, targets are judged, claims compared. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Benchmark, Figure } from '#bench/benchmark';
import { readSections, renderSection, updatePage } from '#bench/results-page';

const ORDER = ['first', 'second', 'third'];

function benchmark(name: string): Benchmark {
  return {
    name,
    about: `About ${name}.`,
    run: () => Promise.reject(new Error('not run here')),
  };
}

function section(name: string, figures: readonly Figure[]) {
  return renderSection(benchmark(name), { figures, digest: 'd1' }, 'a machine', '2026-07-07');
}

test('a run replaces its own section and leaves the others', () => {
  const before = updatePage('', ORDER, [
    section('third', [{ name: 'c', value: 3, unit: 's' }]),
    section('first', [{ name: 'a', value: 1, unit: 's' }]),
  ]);
  const after = updatePage(before, ORDER, [section('third', [{ name: 'c', value: 4, unit: 's' }])]);
  assert.deepEqual(
    readSections(after).map(({ name }) => name),
    ['first', 'third'],
  );
  assert.match(after, /\| a \| 1\.00 s \|/);
  assert.match(after, /\| c \| 4\.00 s \|/);
  assert.doesNotMatch(after, /3\.00 s/);
  assert.equal(updatePage(after, ORDER, []), after, 'writing the page again changes nothing');
});

test('a section of a benchmark that is no more is left out', () => {
  const page = updatePage('', [...ORDER, 'old'], [section('old', [])]);
  assert.deepEqual(readSections(updatePage(page, ORDER, [])), []);
});

test('figures say whether their target is met', () => {
  const { text } = section('first', [
    { name: 'fast enough', value: 2, unit: 'M/s', target: { atLeast: 2 } },
    { name: 'too slow', value: 1.99, unit: 'M/s', target: { atLeast: 2 } },
    { name: 'small enough', value: 1_024, unit: 'MiB', target: { atMost: 1_024 } },
    { name: 'too large', value: 1_025, unit: 'MiB', target: { atMost: 1_024 } },
  ]);
  assert.match(text, /fast enough \| 2\.00 M\/s \| >= 2\.00 M\/s \| met \|/);
  assert.match(text, /too slow \| 1\.99 M\/s \| >= 2\.00 M\/s \| missed \|/);
  assert.match(text, /small enough \| 1,024 MiB \| <= 1,024 MiB \| met \|/);
  assert.match(text, /too large \| 1,025 MiB \| <= 1,024 MiB \| missed \|/);
});

test('the claims of the replaced design stand beside our figures', () => {
  const name = 'sustained, sockets to durable bronze and live candles';
  const figures = [{ name, value: 400_000, unit: 'trades/s' }];
  const page = updatePage('', ORDER, [section('second', figures)]);
  assert.match(page, /\| trades taken in \| 10,000 an hour \| 1,440 million an hour \|/);
  assert.doesNotMatch(page, /candle query, p99 \|/, 'nothing is said of what was not measured');
});
