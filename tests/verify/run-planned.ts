/** Runs one planned check as a program and reads its answer, whatever becomes of it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '#src/config/package-root';
import { describeViolation, type SimReport } from '#tests/sim/run';
import type { CheckAnswer } from '#tests/verify/check-program';
import type { PlannedCheck } from '#tests/verify/plan';

const SEED_MAX = 1_000_000;
const TAIL_CHARACTERS = 4_000;

/** `path` is where its JSON goes, without the extension. */
export async function runPlanned(
  check: PlannedCheck,
  seed: number,
  path: string,
): Promise<CheckAnswer> {
  const json = `${path}.json`;
  const program = join('dist/tests', check.program);
  const given = String(check.seedOption === '--first-seed' ? seed % SEED_MAX : seed);
  const args = [program, check.seedOption, given, ...check.args];
  const startedMs = performance.now();
  const { code, signal, tail } = await runProgram(
    [...args, '--json', json],
    check.secondsMax * 1000,
  );
  const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
  const command = `node ${args.join(' ')}`;
  const answer = existsSync(json)
    ? answerIn(readFileSync(json, 'utf8'), check, seed, seconds)
    : undefined;
  const known = answer ?? nothing(check, seed, seconds);
  if (code === 0 || known.findings.length > 0) return known;
  return { ...known, findings: [{ what: `ended with ${signal ?? code}: ${tail}`, command }] };
}

export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: string | null;
  /** The last of what it printed. */
  readonly tail: string;
}

/** Runs node with these arguments at the root of the package. */
export async function runProgram(args: readonly string[], msMax: number): Promise<ProgramEnd> {
  const child = spawn(process.execPath, args, {
    cwd: PACKAGE_ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: msMax,
    killSignal: 'SIGKILL',
    // A test runner inside a test runner would otherwise report to the outer one.
    env: Object.fromEntries(
      Object.entries(process.env).filter(([name]) => name !== 'NODE_TEST_CONTEXT'),
    ),
  });
  let tail = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      tail = (tail + text).slice(-TAIL_CHARACTERS);
    });
  }
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { code, signal, tail };
}

function nothing({ title }: PlannedCheck, seed: number, seconds: number): CheckAnswer {
  return {
    check: title,
    seed,
    seconds,
    figures: {},
    outcomes: {},
    slowest: [],
    missed: [],
    findings: [],
  };
}

/** A check answers as check-program.ts has it; the simulator with a report of its own. */
function answerIn(
  text: string,
  check: PlannedCheck,
  seed: number,
  seconds: number,
): CheckAnswer | undefined {
  const given = JSON.parse(text) as CheckAnswer | SimReport;
  if ('findings' in given) return given;
  const { violations, modes, faults, exits, marks, marksMissed, ...figures } = given;
  const outcomes: Record<string, Record<string, number>> = { 'ends of processes': { ...exits } };
  for (const [fault, times] of Object.entries(faults)) outcomes[fault] = { happened: times };
  return {
    ...nothing(check, seed, seconds),
    figures: {
      ...figures,
      violations: violations.length,
      modes: Object.keys(modes).length,
      'marks reached': Object.keys(marks).length,
    },
    outcomes,
    missed: [...marksMissed],
    findings: violations.map((violation) => ({
      what: describeViolation(violation),
      command: `npm run sim -- --seed ${violation.seed} --steps ${given.stepsPerSeed}`,
    })),
  };
}
