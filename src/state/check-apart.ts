/** Has a state directory read by a process of its own (check-process.ts) before it is opened here. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { EXIT, type ExitCode, UserError } from '#src/base/errors';
import { StateCorruptError } from '#src/state/state-errors';

export interface StateCheck {
  /** Resolves when everything a start reads has been read, and a write rehearsed. */
  readonly core: Promise<void>;
  /** Resolves when all of it has; rejects with what is wrong. */
  readonly whole: Promise<void>;
  /** Gives up the rest. */
  stop(): void;
}

/**
 * An owner is about to open it and waits; has opened it, perhaps; or somebody only looks, perhaps at
 * candles.
 */
export type CheckPurpose = 'awaited' | 'beside' | 'look' | 'look at candles';

/** What the process says when what it is waited for is sound. */
export const SOUND = 'sound so far';

/** What it says of anything else, before it ends. */
export interface Refusal {
  readonly exitCode: ExitCode;
  readonly said: string;
}

/** What a start reads is read in well under a second; a reader lost in a damaged tree never ends. */
const CORE_MS_MAX = 60_000;
/** What bad pages do to whoever reads them. */
const CRASHES: ReadonlySet<string> = new Set(['SIGSEGV', 'SIGBUS', 'SIGABRT', 'SIGILL', 'SIGFPE']);

/** `isAwaited`: somebody is waiting for the core; otherwise it goes on in what time is left over. */
export function checkStateApart(directory: string, isAwaited = true): StateCheck {
  return checkApart(directory, isAwaited ? 'awaited' : 'beside');
}

/**
 * For whoever only looks, beside an owner or without one: resolves when everything but candles has
 * been read, and with `candles` these, too.
 */
export async function checkBeforeLooking(directory: string, candles: boolean): Promise<void> {
  await checkApart(directory, candles ? 'look at candles' : 'look').core;
}

function checkApart(directory: string, purpose: CheckPurpose): StateCheck {
  const program = fileURLToPath(new URL('./check-process.js', import.meta.url));
  const child = fork(program, [directory, purpose], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: {},
    execArgv: [],
  });
  let isStopped = false;
  let isLate = false;
  let refusal: Refusal | undefined;
  const whole = ended(child).then(({ code, signal }) => {
    if (code === EXIT.ok || isStopped) return;
    if (isLate) throw new StateCorruptError(directory, 'reading it does not come to an end');
    if (signal !== null) {
      if (!CRASHES.has(signal)) return; // somebody ended it: nothing is known
      throw new StateCorruptError(directory, `reading it ended a process with ${signal}`);
    }
    const { exitCode, said } = refusal ?? { exitCode: code, said: `it ended with ${code}` };
    throw exitCode === EXIT.io || exitCode === EXIT.config
      ? new UserError(exitCode, said)
      : new StateCorruptError(directory, `reading it failed: ${said.split('\n', 1)[0]}`);
  });
  const giveUp = (): void => {
    isLate = true;
    child.kill('SIGKILL');
  };
  // Beside a busy owner it may take as long as it takes.
  const timer = purpose === 'beside' ? undefined : setTimeout(giveUp, CORE_MS_MAX);
  const sound = new Promise<void>((resolve) => {
    child.on('message', (said: typeof SOUND | Refusal) => {
      if (said === SOUND) resolve();
      else refusal = said;
    });
  });
  const core = Promise.race([sound, whole]).finally(() => clearTimeout(timer));
  core.catch(() => {}); // told to whoever awaits either
  whole.catch(() => {});
  return {
    core,
    whole,
    stop: () => {
      isStopped = true;
      child.kill('SIGKILL');
    },
  };
}

function ended(
  child: ChildProcess,
): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
}
