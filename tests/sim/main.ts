#!/usr/bin/env node
/**
 * The simulator's command line.
 *
 *   npm run sim -- --seed N [--steps N] [--set JSON] [--shrink] [--log]   one seed, told in full
 *   npm run sim -- --seeds N [--first-seed N] [--steps N] [--workers N] [--json FILE]
 *
 * Ends with 1 when a promise did not hold.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { describeViolation, runSeed, runSeeds, serveSeeds } from '#tests/sim/run';
import { shrink } from '#tests/sim/shrink';

const STEPS = 10_000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '100' },
    'first-seed': { type: 'string', default: '1' },
    steps: { type: 'string', default: String(STEPS) },
    workers: { type: 'string', default: '2' },
    set: { type: 'string', default: '{}' },
    json: { type: 'string' },
    shrink: { type: 'boolean', default: false },
    log: { type: 'boolean', default: false },
    worker: { type: 'boolean', default: false },
  },
});

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  process.stderr.write(`--${name} must be a whole number, not ${text}\n`);
  process.exit(64);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function one(seed: number): Promise<boolean> {
  const steps = whole('steps', values.steps);
  const result = await runSeed(seed, steps, JSON.parse(values.set));
  const { violation, tally, digest, mode, ms } = result;
  if (values.log && violation !== undefined) for (const line of violation.log) say(line);
  say(
    `seed ${seed} mode ${mode} digest ${digest} in ${Math.round(ms)} ms: ${JSON.stringify(tally)}`,
  );
  if (violation === undefined) return true;
  say(describeViolation(violation));
  if (values.shrink) await shrink(seed, steps, JSON.parse(values.set), violation, say);
  return false;
}

async function many(): Promise<boolean> {
  const seeds = whole('seeds', values.seeds);
  const report = await runSeeds({
    firstSeed: whole('first-seed', values['first-seed']),
    seeds,
    steps: whole('steps', values.steps),
    workers: whole('workers', values.workers),
    onProgress: ({ violation }, done) => {
      if (violation !== undefined) say(describeViolation(violation));
      if (done % 100 === 0) say(`${done} of ${seeds} seeds`);
    },
  });
  const { violations, ...figures } = report;
  say(JSON.stringify({ ...figures, violations: violations.length }, undefined, 2));
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(report, undefined, 2));
  return violations.length === 0;
}

if (values.worker) serveSeeds();
else {
  const seed = values.seed === undefined ? undefined : whole('seed', values.seed);
  const held = await (seed === undefined ? many() : one(seed));
  process.exitCode = held ? 0 : 1;
}
