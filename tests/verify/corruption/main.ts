/**
 * Damage on the disk: bits, pages and files of bronze, state, data files and table metadata are
 * changed at random; everything the directory can then be asked is compared with what it said
 * before. Detected (a refusal with one sentence, damage reported), harmless, or a finding: wrong
 * rows served, a bug thrown. Some of the damaged directories are mended: by the next start, by
 * `bullion rebuild`.
 *
 * `--count` is the number of injuries (1,000 unless given), `--only AREA` one area of the four.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Random } from '#src/base/random';
import { pause, runFile } from '#tests/support/process/bullion-process';
import { type CheckRun, runCheck } from '#tests/verify/check-program';
import { type Injured, injure } from '#tests/verify/corruption/injuries';
import type { Answer, Answers, Area } from '#tests/verify/corruption/questions';
import { GuardedDirectory } from '#tests/verify/crash/guarded-directory';

const INJURIES = 1_000;
/** Of the injuries of an area that mattered one in so many is also mended. Bronze is the origin. */
const MENDED_EVERY = { state: 40, tables: 40, metadata: 12, bronze: 0 };
const ANSWER_MS_MAX = 30_000;
/** A reader lost in a damaged tree is given up after a minute, and a rebuild has two of them. */
const REBUILD_MS_MAX = 240_000;
/**
 * How long the directory lives: ten milliseconds an injury, within these bounds. A second and a half
 * are some 350 files of all areas; more of them make every answer dearer and say nothing new.
 */
const LIVE_MS = [1_000, 1_500] as const;

const READER = fileURLToPath(new URL('./reader-process.js', import.meta.url));

/** Files of an area that hold something. */
function filesOf(dataDir: string, area: Area): string[] {
  const below = (folder: string, pattern: RegExp): string[] =>
    readdirSync(join(dataDir, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => pattern.test(path));
  switch (area) {
    case 'bronze':
      return below('bronze', /\.(log|seal)$/);
    case 'state':
      return below('state', /data\.mdb$/);
    case 'tables':
      return below('lake', /\.parquet$/);
    case 'metadata':
      return below('lake', /\.(avro|json|text)$/);
  }
}

/** The log or table a file belongs to. */
function partOf(area: Area, path: string): string | undefined {
  const [, folder] = path.split('/');
  return area === 'state' || /^bronze_/.test(folder ?? '') ? undefined : folder;
}

class Reader {
  #child: ChildProcess | undefined;
  ends = 0;

  /** The answers; or how the process ended of the question. */
  async ask(dataDir: string, areas: readonly Area[], part?: string): Promise<Answers | string> {
    this.#child ??= fork(READER, { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    const child = this.#child;
    const controller = new AbortController();
    const { signal } = controller;
    const answer = once(child, 'message', { signal }).then(([said]) => said as Answers);
    const exit = once(child, 'exit', { signal }).then(([code, by]) => `ended with ${by ?? code}`);
    const timer = setTimeout(() => child.kill('SIGKILL'), ANSWER_MS_MAX);
    answer.catch(() => {});
    exit.catch(() => {});
    child.send({ dataDir, areas, ...(part !== undefined && { part }) });
    const said = await Promise.race([answer, exit]);
    clearTimeout(timer);
    controller.abort();
    if (typeof said === 'string') {
      this.#child = undefined;
      this.ends++;
    }
    return said;
  }

  stop(): void {
    this.#child?.disconnect();
    this.#child = undefined;
  }
}

/** What an injury did, judged question by question. */
function judge(
  area: Area,
  before: Answers,
  after: Answers | string,
  part: string | undefined,
): string {
  if (typeof after === 'string') {
    // Only LMDB maps its file into memory; everything else is read with care.
    if (area !== 'state') throw new Error(`the reading process ${after}`);
    return `detected: the reading process ${after}`;
  }
  let outcome = 'harmless';
  for (const [question, truth] of Object.entries(before)) {
    const answer: Answer | undefined = after[question] ?? after.state ?? after.reader;
    if (answer === undefined) {
      if (part !== undefined) continue; // of another log or table
      throw new Error(`${question} was not answered`);
    }
    if ('thrown' in answer) {
      // Somebody else's reader may throw as it likes.
      if (!question.startsWith('icebird')) throw new Error(`${question}: ${answer.thrown}`);
      outcome = 'detected';
    } else if ('refused' in answer) {
      outcome = 'detected';
    } else if (!('digest' in truth) || answer.digest !== truth.digest) {
      if (question === 'audit') outcome = 'detected';
      else if (area === 'bronze' && isHonest(truth, answer)) outcome = 'detected';
      else if (area === 'metadata') return 'changed';
      else throw new Error(`${question} is answered otherwise, without a word`);
    }
  }
  return outcome;
}

interface Frames {
  readonly frames: readonly string[];
  readonly reported: boolean;
}

/** Every frame given is one that was written, and what is gone is reported. */
function isHonest(truth: Answer, answer: { readonly digest: string }): boolean {
  if (!('digest' in truth)) return false;
  const written = JSON.parse(truth.digest) as Frames;
  const given = JSON.parse(answer.digest) as Frames;
  const known = new Set(written.frames);
  if (!given.frames.every((frame) => known.has(frame))) return false;
  // What lies at the very end of an open segment is a torn tail: nobody was told it is durable.
  const last = given.frames.at(-1);
  const isTail = last !== undefined && written.frames.indexOf(last) === given.frames.length - 1;
  return given.reported || isTail || given.frames.length === 0;
}

class Corruption {
  readonly #run: CheckRun;
  readonly #directory: GuardedDirectory;
  readonly #reader = new Reader();
  /** Apart: what LMDB makes of damaged pages can harm a process that dies of it much later. */
  readonly #stateReader = new Reader();
  readonly #truth = new Map<Area, Answers>();
  readonly #mattered = { bronze: 0, state: 0, tables: 0, metadata: 0 };
  mended = 0;

  constructor(run: CheckRun, directory: GuardedDirectory) {
    this.#run = run;
    this.#directory = directory;
  }

  get readerEnds(): number {
    return this.#reader.ends + this.#stateReader.ends;
  }

  #ask(area: Area, part?: string): Promise<Answers | string> {
    const reader = area === 'state' ? this.#stateReader : this.#reader;
    return reader.ask(this.#dataDir, [area], part);
  }

  get #dataDir(): string {
    return this.#directory.world.dataDir;
  }

  async injure(area: Area, random: Random): Promise<void> {
    const truth = this.#truth.get(area) ?? (await this.#ask(area));
    if (typeof truth === 'string') throw new Error(`the whole directory: ${truth}`);
    this.#truth.set(area, truth);
    const files = filesOf(this.#dataDir, area);
    const path = random.pick(files);
    const injured = injure(path, files, random);
    const fault = `${area}: ${injured.kind}`;
    try {
      const part = partOf(area, path.slice(this.#dataDir.length + 1));
      const after = await this.#ask(area, part);
      const outcome = judge(area, truth, after, part);
      const every = MENDED_EVERY[area];
      const isMended = outcome !== 'harmless' && every > 0 && ++this.#mattered[area] % every === 1;
      if (isMended || outcome === 'changed') await this.#mend(area, truth);
      this.#run.outcome(
        fault,
        outcome === 'changed' ? 'detected: mended by the next start' : outcome,
      );
    } catch (error) {
      this.#run.outcome(fault, 'a finding');
      const what = error instanceof Error ? error.message : String(error);
      const where = path.slice(this.#dataDir.length + 1);
      this.#run.found(`${where}, ${injured.what}: ${what}`, `--only ${area}`);
    } finally {
      this.#undo(injured);
    }
  }

  stop(): void {
    this.#reader.stop();
    this.#stateReader.stop();
  }

  #undo(injured: Injured): void {
    injured.undo();
  }

  /** A start, or a rebuild where a start refuses; then everything is as the injury left it. */
  async #mend(area: Area, truth: Answers): Promise<void> {
    const dir = this.#dataDir;
    const aside = `${dir}.injured`;
    rmSync(aside, { recursive: true, force: true });
    cpSync(dir, aside, { recursive: true });
    try {
      const { cwd, env } = this.#directory.world;
      if (area === 'metadata') {
        const job = await runFile('cli.js', ['jobs', 'run', 'audit', '--json'], { cwd, env });
        if (job.code !== 0) throw new Error(`the next start: ${job.code} ${job.stderr}`);
      } else {
        const rebuilt = await runFile(
          'cli.js',
          ['rebuild', '--json'],
          { cwd, env },
          REBUILD_MS_MAX,
        );
        const { code, signal, stderr, ms } = rebuilt;
        if (code !== 74) {
          throw new Error(`rebuild: ${code ?? signal} after ${Math.round(ms)} ms ${stderr}`);
        }
        for (const part of ['state', 'lake']) {
          rmSync(join(dir, part), { recursive: true, force: true });
          renameSync(join(`${dir}.rebuilt`, part), join(dir, part));
        }
      }
      await this.#compare(area, truth);
      this.mended++;
    } finally {
      rmSync(`${dir}.rebuilt`, { recursive: true, force: true });
      rmSync(dir, { recursive: true });
      renameSync(aside, dir);
    }
  }

  async #compare(area: Area, truth: Answers): Promise<void> {
    if (area === 'state') this.#stateReader.stop(); // another one, that has seen no damage
    const after = await this.#ask(area);
    if (typeof after === 'string') throw new Error(`mended, and then: ${after}`);
    for (const [question, before] of Object.entries(truth)) {
      // Names of files and the number of epochs are those of another life.
      if (/^(epoch|data files|catalog|audit)/.test(question)) continue;
      if (question.startsWith('icebird')) {
        const live = (answer: Answer | undefined): string =>
          answer !== undefined && 'digest' in answer
            ? JSON.stringify((JSON.parse(answer.digest) as unknown[])[0])
            : JSON.stringify(answer);
        if (live(after[question]) !== live(before)) {
          throw new Error(`after the next start ${question} still shows other files`);
        }
        continue;
      }
      if (JSON.stringify(after[question]) !== JSON.stringify(before)) {
        throw new Error(`mended, and ${question} is not as before`);
      }
    }
  }
}

/** A directory with some past, closed in order. */
async function prepare(directory: GuardedDirectory, injuries: number): Promise<void> {
  const bullion = await directory.whole();
  await pause(Math.min(LIVE_MS[1], Math.max(LIVE_MS[0], 10 * injuries)));
  const { code } = await bullion.end('SIGTERM');
  if (code !== 0) throw new Error(`ended with ${code}: ${bullion.text}`);
  directory.ended();
}

await runCheck('corruption', async (run, scope) => {
  const { seed, only, count = INJURIES } = run.options;
  const directory = await GuardedDirectory.make(scope, seed);
  await prepare(directory, count);
  const corruption = new Corruption(run, directory);
  scope.after(() => corruption.stop());
  const areas = (['bronze', 'state', 'tables', 'metadata'] as const).filter(
    (area) => only === undefined || area === only,
  );
  let injuries = 0;
  for (let number = 0; number < count && !run.isLate; number++) {
    const area = areas[number % areas.length] as Area;
    await corruption.injure(area, new Random(seed).fork(number));
    injuries++;
  }
  if (injuries < count) run.missed.push(`${count - injuries} of ${count} injuries: no time`);
  Object.assign(run.figures, {
    injuries,
    'of them mended and compared': corruption.mended,
    'reading processes that ended of it': corruption.readerEnds,
    'wrong rows served': run.findings.length === 0 ? 0 : 'see the findings',
  });
});
