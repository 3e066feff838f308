/** A little of every check of `npm run verify`: that it runs, finds nothing, and can find. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '#tests/support/temporary-directory';
import type { CheckAnswer } from '#tests/verify/check-program';
import { page } from '#tests/verify/page';
import { planOf } from '#tests/verify/plan';
import { runProgram } from '#tests/verify/run-planned';
import { fitted } from '#tests/verify/soak/slope';

const SMALL: readonly (readonly [check: string, args: readonly string[], figure: string])[] = [
  ['crash', ['--count', '1'], 'trades compared'],
  ['fuzz', ['--count', '150'], 'inputs in all'],
  ['corruption', ['--count', '8'], 'injuries'],
  ['planted', ['--only', 'a data file is believed without its SHA-256'], 'bugs noticed'],
];

for (const [check, args, figure] of SMALL) {
  test(`verify: a little ${check} ${args.join(' ')}`, async (t) => {
    const directory = temporaryDirectory(t, 'verify');
    const json = join(directory, 'answer.json');
    const program = fileURLToPath(new URL(`./${check}/main.js`, import.meta.url));
    const { code, tail } = await runProgram([program, ...args, '--json', json], 120_000);
    assert.equal(code, 0, tail);
    assert.ok(existsSync(json), tail);
    const answer = JSON.parse(readFileSync(json, 'utf8')) as CheckAnswer;
    t.diagnostic(`seed ${answer.seed}, ${JSON.stringify(answer.figures)}`);
    assert.deepEqual(answer.findings, []);
    assert.ok(Number(answer.figures[figure]) > 0, JSON.stringify(answer.figures));
  });
}

test('the page names every check, and each finding with its command', () => {
  const answer: CheckAnswer = {
    check: 'a check',
    seed: 7,
    seconds: 1,
    figures: { steps: 3 },
    outcomes: { 'a fault': { survived: 2 } },
    slowest: [{ what: 'a step', ms: 12 }],
    missed: ['a place'],
    findings: [{ what: 'something\nis wrong', command: 'node it --seed 7' }],
  };
  const text = page({ seed: 1, seconds: 2, findings: 1, answers: [answer] });
  for (const part of ['a check', 'a fault', 'survived: 2', 'a place', 'is wrong', '--seed 7']) {
    assert.ok(text.includes(part), part);
  }
});

test('every planned check is a program that is there, with a seed of its own', () => {
  for (const isQuick of [false, true]) {
    const plan = planOf({ isLong: false, isQuick });
    assert.equal(new Set(plan.map(({ number }) => number)).size, plan.length);
    for (const { program } of plan.filter(({ title }) => !title.startsWith('simulator'))) {
      assert.ok(existsSync(new URL(`../${program}`, import.meta.url)), program);
    }
  }
});

test('a slope is told from noise', () => {
  const points = (perSecond: number) =>
    Array.from({ length: 300 }, (_, i) => [i, 100 + perSecond * i + 5 * Math.sin(i / 3)] as const);
  assert.ok(fitted(points(0.5)).lowerPerSecond > 0.4);
  assert.ok(fitted(points(0)).lowerPerSecond < 0 && fitted(points(0)).upperPerSecond > 0);
});
