/**
 * `npm run verify`: every check of the promise, in lanes, within a quarter of an hour on two
 * cores; `-- --hours N` goes on with new seeds until the time is over, all planted bugs included.
 *
 *   --seed N    the seed all others follow from     --only NAME   one check
 *   --quick     a fraction of everything, to see that it runs
 *
 * Each check is a program of its own (check-program.ts). What they answer goes to dist/verify as one
 * JSON and one page; the exit code is 1 when anything was found, and the commands that show each
 * finding again stand on the page.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { mix32 } from '#src/base/random';
import { PACKAGE_ROOT } from '#src/config/package-root';
import type { CheckAnswer } from '#tests/verify/check-program';
import { page } from '#tests/verify/page';
import { type PlannedCheck, planOf } from '#tests/verify/plan';
import { runPlanned } from '#tests/verify/run-planned';

/** One more than cores: half of a crash check is waiting. */
const LANES = 3;

/** Of the short run: by then the lanes are to be empty, so that recovery can be measured alone. */
const DRAW_UNTIL_SECONDS = 845;
const LEFT_SECONDS_MIN = 15;

const { values } = parseArgs({
  options: {
    hours: { type: 'string' },
    seed: { type: 'string' },
    only: { type: 'string' },
    quick: { type: 'boolean' },
  },
});
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const hours = values.hours === undefined ? undefined : Number(values.hours);
const startedMs = performance.now();
const elapsedSeconds = (): number => (performance.now() - startedMs) / 1000;
const directory = join(PACKAGE_ROOT, 'dist/verify');
rmSync(directory, { recursive: true, force: true });
mkdirSync(directory, { recursive: true });
process.stdout.write(`verify, seed ${seed}\n`);

const answers: CheckAnswer[] = [];

async function runOne(check: PlannedCheck, round: number): Promise<void> {
  const own = mix32(mix32(seed, round), check.number) >>> 1;
  const name = `${check.title}${round > 0 ? `, round ${round + 1}` : ''}`;
  process.stdout.write(`${stamp()} ${name} ...\n`);
  const leftSeconds = Math.max(LEFT_SECONDS_MIN, Math.round(DRAW_UNTIL_SECONDS - elapsedSeconds()));
  const seconds = String(Math.min(leftSeconds, check.secondsShare ?? leftSeconds));
  const timed = check.isTimed ? { ...check, args: [...check.args, '--seconds', seconds] } : check;
  const answer = await runPlanned(timed, own, join(directory, `${check.number}-${round}`));
  answers.push({ ...answer, check: name });
  const found = answer.findings.length;
  process.stdout.write(
    `${stamp()} ${name}: ${found === 0 ? 'nothing found' : `${found} FOUND`} in ${answer.seconds} s\n`,
  );
  for (const { what, command } of answer.findings) {
    process.stdout.write(`  ${what.split('\n', 1)[0]?.slice(0, 400)}\n    ${command}\n`);
  }
}

function stamp(): string {
  return `${elapsedSeconds().toFixed(0).padStart(5)} s`;
}

/** The lanes take what is next; what runs beside them takes its own. */
async function runAll(round: number): Promise<void> {
  const plan = planOf({ isLong: hours !== undefined, isQuick: values.quick === true }).filter(
    ({ title }) => values.only === undefined || title.includes(values.only),
  );
  const queue = plan.filter(({ lane }) => lane === 'queue');
  const lane = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      await runOne(next, round);
    }
  };
  const beside = plan.filter(({ lane: where }) => where === 'beside');
  await Promise.all([
    ...Array.from({ length: LANES }, lane),
    ...beside.map((check) => runOne(check, round)),
  ]);
  for (const check of plan.filter(({ lane: where }) => where === 'alone')) {
    await runOne(check, round);
  }
}

for (let round = 0; ; round++) {
  await runAll(round);
  if (hours === undefined || elapsedSeconds() >= hours * 3600) break;
}

const findings = answers.reduce((sum, answer) => sum + answer.findings.length, 0);
const report = { seed, seconds: Math.round(elapsedSeconds()), findings, answers };
writeFileSync(join(directory, 'report.json'), JSON.stringify(report, undefined, 2));
writeFileSync(join(directory, 'report.md'), page(report));
process.stdout.write(
  `${stamp()} ${findings === 0 ? 'nothing found' : `${findings} FOUND`}: dist/verify/report.md, dist/verify/report.json\n`,
);
process.exit(findings === 0 ? 0 : 1);
