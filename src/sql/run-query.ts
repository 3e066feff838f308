/** Runs a query in a process of its own, which is killed when it takes longer than it may. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { QueryOutcome, QueryRequest } from '#src/sql/query-request';

/** What became of the query process: its answer, or how it ended without one. */
export type QueryEnd =
  | QueryOutcome
  | { readonly kind: 'timed out' }
  | { readonly kind: 'crashed'; readonly how: string };

/** A longer timer would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export async function runQuery(request: QueryRequest, timeoutMs: number): Promise<QueryEnd> {
  const child = fork(fileURLToPath(new URL('./query-process.js', import.meta.url)), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // Nothing of this process's environment is the query's; times are written in UTC.
    env: { TZ: 'UTC' },
    execArgv: [],
    timeout: Math.min(timeoutMs, TIMER_MS_MAX),
    killSignal: 'SIGKILL',
  });
  let outcome: QueryOutcome | undefined;
  child.once('message', (message) => {
    outcome = message as QueryOutcome;
  });
  child.send(request, () => {}); // one that has died already is told of by its exit
  const { code, signal } = await ended(child);
  if (outcome !== undefined) return outcome;
  if (signal !== null && child.killed) return { kind: 'timed out' };
  if (code === 0) return { kind: 'done', rows: 0 }; // nobody wanted to read on
  return { kind: 'crashed', how: signal ?? `exit code ${code}` };
}

/** Resolves when the process has ended and everything it sent is here. */
function ended(
  child: ChildProcess,
): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  const disconnected = new Promise<void>((resolve) => child.once('disconnect', resolve));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      void disconnected.then(() => resolve({ code, signal }));
    });
  });
}
