/**
 * Whether the checks can fail: plants bugs into a copy of the compiled program, one at a time, and
 * runs what has to notice. `--count` bugs drawn by the seed (5 unless given), `--only NAME` one of
 * them; `--count 0` all. A bug that nobody notices is a finding; so is one that no longer fits.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '#src/base/random';
import { PACKAGE_ROOT } from '#src/config/package-root';
import { runCheck } from '#tests/verify/check-program';
import { PLANTED_BUGS, type PlantedBug } from '#tests/verify/planted/bugs';

const BUGS = 5;
const SIMULATED_SEEDS = 24;
const RUN_MS_MAX = 180_000;
const SIMULATOR = 'dist/tests/sim/main.js';

/** The program as it is, where it may be changed. */
function copyOfProgram(): string {
  const root = mkdtempSync(join(tmpdir(), 'bullion-planted-'));
  for (const name of ['dist', 'package.json', 'configs', 'src', 'actors', 'schemas']) {
    const from = join(PACKAGE_ROOT, name);
    if (existsSync(from)) cpSync(from, join(root, name), { recursive: true });
  }
  symlinkSync(join(PACKAGE_ROOT, 'node_modules'), join(root, 'node_modules'));
  return root;
}

/** Whether the command ended with 0. */
async function passes(root: string, args: readonly string[]): Promise<boolean> {
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: 'ignore',
    timeout: RUN_MS_MAX,
    killSignal: 'SIGKILL',
    // A test runner inside a test runner would otherwise report to the outer one.
    env: Object.fromEntries(
      Object.entries(process.env).filter(([name]) => name !== 'NODE_TEST_CONTEXT'),
    ),
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code === 0;
}

/** What noticed, or undefined. */
async function noticed(root: string, bug: PlantedBug, seed: number): Promise<string | undefined> {
  if (bug.simulated && existsSync(join(root, SIMULATOR))) {
    const args = ['--seeds', String(SIMULATED_SEEDS), '--first-seed', String(seed % 100_000)];
    if (!(await passes(root, [SIMULATOR, ...args]))) return 'the simulator';
  }
  for (const name of bug.caughtBy) {
    if (!(await passes(root, ['--test', `dist/tests/${name}.test.js`]))) return name;
  }
  return undefined;
}

await runCheck('planted', async (run, scope) => {
  const { seed, only, count = BUGS } = run.options;
  const random = new Random(seed);
  const drawn = PLANTED_BUGS.map((bug) => ({ bug, at: random.unit() }))
    .sort((a, b) => a.at - b.at)
    .map(({ bug }) => bug);
  const wanted = only === undefined ? drawn : drawn.filter(({ name }) => name.includes(only));
  const root = copyOfProgram();
  scope.after(() => rmSync(root, { recursive: true, force: true }));
  let planted = 0;
  let caught = 0;
  // Every one has to fit, drawn or not.
  for (const { name, file, find } of PLANTED_BUGS) {
    const places = readFileSync(join(root, 'dist', file), 'utf8').split(find).length - 1;
    if (places !== 1) run.found(`stale: '${name}' fits ${places} places of ${file}`);
  }
  const bugs = wanted.slice(0, count === 0 || only !== undefined ? undefined : count);
  for (const bug of bugs) {
    if (run.isLate) break;
    const path = join(root, 'dist', bug.file);
    const before = readFileSync(path, 'utf8');
    const startedMs = performance.now();
    writeFileSync(
      path,
      before.replace(bug.find, () => bug.replace),
    );
    planted++;
    const by = await noticed(root, bug, seed);
    writeFileSync(path, before);
    run.took(bug.name, performance.now() - startedMs);
    run.outcome(bug.name, by === undefined ? 'NOT NOTICED' : `noticed by ${by}`);
    if (by === undefined) run.found(`nobody noticed: ${bug.name}`, `--only '${bug.name}'`);
    else caught++;
  }
  if (planted < bugs.length) run.missed.push(`${bugs.length - planted} bugs: no time`);
  Object.assign(run.figures, {
    'bugs known': PLANTED_BUGS.length,
    'bugs planted': planted,
    'bugs noticed': caught,
  });
});
