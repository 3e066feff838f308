/**
 * The query process: takes one request over its channel, prints the rows to standard output, answers
 * with the outcome and ends. It is a process of its own because DuckDB can neither be interrupted
 * for sure nor be kept from crashing on damaged files; whoever started it may kill it at any time.
 */
import { setPriority } from 'node:os';
import { print, printed } from '#src/output/standard-output';
import type { QueryOutcome, QueryRequest } from '#src/sql/query-request';

/** A heavy query takes what a server on the same machine leaves. */
const NICENESS = 10;

async function answer(request: QueryRequest): Promise<QueryOutcome> {
  let statement: typeof import('#src/sql/statement');
  try {
    statement = await import('#src/sql/statement');
  } catch (error) {
    // The package itself, or its binary for this platform.
    const code = (error as { code?: unknown }).code;
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw error;
    return { kind: 'unavailable', message: String((error as Error).message), printed: false };
  }
  const outcome = await statement.runStatement(request, print);
  await printed();
  return outcome;
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A reader that has seen enough is no error; whoever waits takes a plain end for one.
  process.exit(error.code === 'EPIPE' ? 0 : 74);
});
// The one who asked is gone: nobody will end a query that runs on.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

process.once('message', async (request: QueryRequest) => {
  setPriority(NICENESS);
  const outcome = await answer(request);
  process.send?.(outcome, () => process.exit(0));
});
