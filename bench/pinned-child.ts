/**
 * A benchmark's work in a process of its own, on given cores only: Bullion and its peers each get a
 * fresh process, the same cores and nothing else.
 *
 * The child is a compiled module that calls `answerParent` with what it does; arguments and answer
 * travel over Node's own channel.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { coresAllowed } from '#src/runtime/affinity';

export interface ChildOptions {
  /** How many of the allowed cores it may use; all when left out. */
  readonly cores?: number;
  readonly nodeArguments?: readonly string[];
}

/** What a process took, as it saw it itself. */
export interface Usage {
  readonly wallMs: number;
  readonly cpuMs: number;
  /** Largest resident set. */
  readonly rssMiB: number;
}

const canPin = spawnSync('taskset', ['--version']).status === 0;

export function startChild(module: URL, options: ChildOptions = {}): ChildProcess {
  const command = [process.execPath, ...(options.nodeArguments ?? []), fileURLToPath(module)];
  if (options.cores !== undefined && canPin) {
    command.unshift('taskset', '-c', coresAllowed().slice(0, options.cores).join(','));
  }
  const [program, ...rest] = command as [string, ...string[]];
  return spawn(program, rest, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

/** Runs the module's work once and resolves with its answer. */
export function askChild<Answer>(
  module: URL,
  request: unknown,
  options: ChildOptions = {},
): Promise<Answer> {
  const child = startChild(module, options);
  return new Promise((resolve, reject) => {
    let answered = false;
    child.once('message', (message: { answer: Answer } | { failure: string }) => {
      answered = true;
      if ('failure' in message) reject(new Error(message.failure));
      else resolve(message.answer);
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (!answered) reject(new Error(`${module.pathname} ended with ${signal ?? code}`));
    });
    child.send(request as object);
  });
}

/** In the child: does the work for the one request there is, answers and ends, whatever it left running. */
export function answerParent<Request>(work: (request: Request) => Promise<unknown>): void {
  process.once('message', (request: Request) => {
    work(request)
      .then(
        (answer) => ({ answer }),
        (error: unknown) => ({
          failure: error instanceof Error ? String(error.stack) : String(error),
        }),
      )
      .then((message) => process.send?.(message, () => process.exit('failure' in message ? 1 : 0)));
  });
}

/** Measures this process from the call on: `taken` answers what it took so far. */
export function measureProcess(): () => Usage {
  const started = performance.now();
  const cpu = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    return {
      wallMs: performance.now() - started,
      cpuMs: (user + system) / 1_000,
      rssMiB: process.resourceUsage().maxRSS / 1_024,
    };
  };
}
