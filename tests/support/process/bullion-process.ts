/**
 * Bullion as a real child process: started with an environment of its own, watched through its log
 * and /health, ended by a signal. Every child is killed when its test ends, however it ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Health } from '#src/api/health';

const DIST = new URL('../../../', import.meta.url);
const READY_MS_MAX = 30_000;
const JUDGED_MS_MAX = 60_000;

/** Where what has to be undone is left: node:test's context is one. */
export interface Scope {
  after(undo: () => unknown): void;
}

export interface ChildOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** For node itself, before the program. */
  readonly nodeArgs?: readonly string[];
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Finished extends Exit {
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

/** A line of the process log. */
export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** The environment without anything of Bullion's, and what the test asks for. */
function environment(env: ChildOptions['env']): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('BULLION_'));
  return { ...Object.fromEntries(inherited), ...env };
}

/** Runs a file of dist to its end; killed after `timeoutMs`, which shows as a signal. */
export async function runFile(
  file: 'cli.js' | 'supervisor.js',
  args: readonly string[],
  { cwd, env }: ChildOptions,
  timeoutMs = 60_000,
): Promise<Finished> {
  const startMs = performance.now();
  const child = spawn(process.execPath, [fileURLToPath(new URL(file, DIST)), ...args], {
    cwd,
    env: environment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code, signal] = (await once(child, 'close')) as [Exit['code'], Exit['signal']];
  return { code, signal, stdout, stderr, ms: performance.now() - startMs };
}

export class Bullion {
  readonly startedMs = performance.now();
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #watchers = new Set<() => void>();
  #log = '';
  #isOver = false;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text;
      this.#tell();
    });
    this.exited = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.#isOver = true;
        this.#tell();
        resolve({ code, signal });
      });
    });
  }

  static start(t: Scope, { cwd, env, nodeArgs = [] }: ChildOptions): Bullion {
    const program = fileURLToPath(new URL('supervisor.js', DIST));
    const child = spawn(process.execPath, [...nodeArgs, program], {
      cwd,
      env: environment(env),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const bullion = new Bullion(child);
    t.after(async () => {
      child.kill('SIGKILL');
      await bullion.exited;
    });
    return bullion;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Everything it has written to standard error. */
  get text(): string {
    return this.#log;
  }

  /** Its whole log lines so far; a sentence for the person at the terminal is none. */
  get log(): LogLine[] {
    return this.#log
      .split('\n')
      .slice(0, -1)
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as LogLine);
  }

  /** Resolves with the first log line with this message; rejects when the process ends before. */
  async said(msg: string, timeoutMs = READY_MS_MAX): Promise<LogLine> {
    const find = (): LogLine | undefined => this.log.find((line) => line.msg === msg);
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const line = find();
      if (line !== undefined) return line;
      if (this.#isOver) throw new Error(`ended before it said '${msg}':\n${this.#log}`);
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) throw new Error(`never said '${msg}':\n${this.#log}`);
      await new Promise<void>((resolve) => {
        const go = (): void => {
          clearTimeout(timer);
          this.#watchers.delete(go);
          resolve();
        };
        const timer = setTimeout(go, leftMs);
        this.#watchers.add(go);
      });
    }
  }

  /** The address it serves, once it is up. */
  async url(): Promise<string> {
    return (await this.said('ready')).url as string;
  }

  /** What /health says; undefined while nobody answers. */
  async health(): Promise<Health | undefined> {
    const url = this.log.find((line) => line.msg === 'ready')?.url;
    if (url === undefined) return undefined;
    try {
      const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) });
      return (await response.json()) as Health;
    } catch {
      return undefined;
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Every frame that was received is judged: an orderly end waits a few seconds for that, not longer. */
  async judged(): Promise<void> {
    const isJudged = async (): Promise<boolean | undefined> =>
      (await this.health())?.exchanges.every(({ lag_frames }) => lag_frames === 0);
    await until('every frame to be judged', isJudged, JUDGED_MS_MAX);
  }

  /** Sends the signal and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<Exit & { ms: number }> {
    const startMs = performance.now();
    this.#child.kill(signal);
    const exit = await this.exited;
    return { ...exit, ms: performance.now() - startMs };
  }

  #tell(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

/** Looks again and again until `look` finds something; fails with what it waited for. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 20_000,
  everyMs = 100,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() >= deadlineMs) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await pause(everyMs);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
