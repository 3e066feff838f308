/**
 * `bullion sql`: one SELECT over the tables, by DuckDB in a process of its own.
 *
 * It sees the data files of the last committed epoch, or of `--at`, through one view a table, and can
 * change nothing; with --out the rows go to a Parquet file, which is there whole or not at all.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import { NAMESPACE } from '#schemas/tables';
import { EXIT, type ExitCode, errorCode, UserError } from '#src/base/errors';
import { nodeDisk } from '#src/base/node-disk';
import { configOf, countArgument, formatArgument, textArgument } from '#src/commands/arguments';
import { type Arguments, defineCommand, printFigures } from '#src/commands/command';
import { queryTables } from '#src/commands/sql-tables';
import type { Config } from '#src/config/schema';
import type { QueryRequest } from '#src/sql/query-request';
import { type QueryEnd, runQuery } from '#src/sql/run-query';

const TIMEOUT_SECONDS = 60;
const MEMORY_MB = 1024;
/** A live server may delete a replaced candle file between our look and DuckDB's: look again. */
const ATTEMPTS_MAX = 3;

async function run(args: Arguments): Promise<void> {
  const [sql = '', ...rest] = args.positionals;
  if (sql.trim() === '') throw args.wrong('no query is given');
  if (rest.length > 0) throw args.wrong('the query must be one argument: put it in quotes');
  const out = outArgument(args);
  const timeoutSeconds = countArgument(args, 'timeout') ?? TIMEOUT_SECONDS;
  const temporary = `${out}.${process.pid}.tmp`;
  const config = configOf(args);
  const request = {
    sql,
    namespace: NAMESPACE,
    to: out === undefined ? { format: formatArgument(args) } : { parquet: temporary },
    memoryMb: countArgument(args, 'memory-mb') ?? MEMORY_MB,
    // Half of the machine: the other half may be somebody's server.
    threads: countArgument(args, 'threads') ?? Math.ceil(availableParallelism() / 2),
  };
  try {
    const rows = rowsOf(await ask(args, config, request, 1000 * timeoutSeconds), timeoutSeconds);
    if (out === undefined) return;
    publish(temporary, out);
    await printFigures(args, { rows });
  } finally {
    if (out !== undefined && existsSync(temporary)) nodeDisk().unlink(temporary);
  }
}

function outArgument(args: Arguments): string | undefined {
  const out = textArgument(args, 'out');
  if (out === undefined) return undefined;
  if (!out.endsWith('.parquet')) {
    throw args.wrong(`--out ${out} does not end in .parquet; csv and json go to standard output`);
  }
  if (args.values.format !== undefined) throw args.wrong('--format and --out exclude each other');
  const path = resolve(out);
  if (nodeDisk().stat(dirname(path))?.directory !== true) {
    throw args.wrong(`--out ${out} is not in a directory that exists`);
  }
  return path;
}

async function ask(
  args: Arguments,
  config: Config,
  request: Omit<QueryRequest, 'tables'>,
  timeoutMs: number,
): Promise<QueryEnd> {
  for (let attempt = 1; ; attempt++) {
    const isLast = attempt === ATTEMPTS_MAX;
    try {
      const { tables, remove } = await queryTables(args, config);
      try {
        const end = await runQuery({ ...request, tables }, timeoutMs);
        const again = end.kind === 'unreadable' && !end.printed && !isLast;
        const isGone = (path: string): boolean => !existsSync(path);
        if (!again || !tables.some(({ paths = [] }) => paths.some(isGone))) return end;
      } finally {
        remove();
      }
    } catch (error) {
      // The same, of a bucket: a file left its table and was deleted before it was fetched.
      if (errorCode(error) !== 'ENOENT' || isLast) throw error;
    }
  }
}

/** The number of rows, or the error as one sentence. */
function rowsOf(end: QueryEnd, timeoutSeconds: number): number {
  const fail = (exitCode: ExitCode, message: string): never => {
    throw new UserError(exitCode, message);
  };
  switch (end.kind) {
    case 'done':
      return end.rows;
    case 'refused':
      return fail(EXIT.usage, `the query is refused: ${end.message}`);
    case 'failed':
      return fail(EXIT.data, `the query failed: ${end.message}${hint(end.message)}`);
    case 'unreadable':
      return fail(EXIT.io, `a data file cannot be read: ${end.message}`);
    case 'unavailable':
      return fail(
        EXIT.config,
        'bullion sql needs DuckDB, which is not installed; run npm install @duckdb/node-api where bullion is installed',
      );
    case 'timed out':
      return fail(
        EXIT.data,
        `the query was ended after ${timeoutSeconds} s; ask for less, or allow more with --timeout`,
      );
    case 'crashed':
      return fail(
        EXIT.internal,
        `the query process died (${end.how}); a data file may be damaged: check with bullion rebuild`,
      );
  }
}

function hint(message: string): string {
  return message.startsWith('Out of Memory')
    ? '; ask for less, or allow more with --memory-mb'
    : '';
}

/** Gives the finished file its name once its bytes are on the disk. */
function publish(temporary: string, out: string): void {
  const disk = nodeDisk();
  const fd = disk.open(temporary, 'update');
  try {
    disk.fsync(fd);
  } finally {
    disk.close(fd);
  }
  disk.rename(temporary, out);
  disk.syncDirectory(dirname(out));
}

export const sqlCommand = defineCommand({
  summary: 'one SELECT over all tables, by DuckDB',
  usage:
    'bullion sql "SELECT ..." [--at SNAPSHOT|TIME] [--format table|csv|json|jsonl | --out FILE.parquet] [--timeout SECONDS] [--memory-mb MB] [--threads N]',
  wordsMax: Number.POSITIVE_INFINITY,
  options: ['at', 'format', 'out', 'timeout', 'memory-mb', 'threads'],
  run,
});
