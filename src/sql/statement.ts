/**
 * One SELECT statement in a DuckDB of its own that can read the live data files and nothing else.
 *
 * The lock-down, inside out: the only files that exist for DuckDB are those in allowed_paths; no
 * extension, network, setting or temporary file; and before anything runs, DuckDB's own parser has
 * to say that the text is exactly one SELECT, because COPY and ATTACH may write to allowed paths.
 * A query that needs more memory than it is given fails; nothing spills to disk.
 */
import {
  type DuckDBConnection,
  DuckDBInstance,
  type DuckDBPreparedStatement,
  StatementType,
} from '@duckdb/node-api';
import { type OutputColumn, type OutputFormat, rowFormatter } from '#src/output/rows';
import { cell, kindOf } from '#src/sql/cell';
import type { QueryOutcome, QueryRequest } from '#src/sql/query-request';
import { createView, identifier, text, textList } from '#src/sql/table-views';

type Failure = Exclude<QueryOutcome, { kind: 'done' }>['kind'];

/** Longest message passed on: DuckDB repeats names from the query in its own. */
const MESSAGE_CHARACTERS_MAX = 600;

export async function runStatement(
  request: QueryRequest,
  print: (text: string) => Promise<void>,
): Promise<QueryOutcome> {
  let printed = false;
  const failure = (kind: Failure, error: unknown): QueryOutcome => {
    const message = sentence(error);
    const readFailed = /^(IO|HTTP) Error: /.test(message);
    return { kind: readFailed ? 'unreadable' : kind, message, printed };
  };

  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${request.memoryMb}MB`,
    threads: String(request.threads),
    temp_directory: '',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
  });
  const connection = await instance.connect();
  try {
    await openTables(connection, request);
  } catch (error) {
    return failure('unreadable', error);
  }

  let statement: DuckDBPreparedStatement;
  try {
    const statements = await connection.extractStatements(request.sql);
    if (statements.count !== 1) {
      return { kind: 'refused', message: 'more than one statement is given', printed };
    }
    statement = await statements.prepare(0);
  } catch (error) {
    return failure('refused', error);
  }
  if (statement.statementType !== StatementType.SELECT) {
    const type = StatementType[statement.statementType];
    return { kind: 'refused', message: `${type} is not allowed, only SELECT is`, printed };
  }

  try {
    const { to, sql } = request;
    const rows =
      'parquet' in to
        ? await writeParquet(connection, sql, to.parquet)
        : await printRows(statement, to.format, (piece) => {
            printed = true;
            return print(piece);
          });
    return { kind: 'done', rows };
  } catch (error) {
    return failure('failed', error);
  }
}

async function openTables(connection: DuckDBConnection, request: QueryRequest): Promise<void> {
  const { tables, namespace, to } = request;
  const paths = tables.flatMap((table) => table.paths ?? []);
  if ('parquet' in to) paths.push(to.parquet);
  await connection.run("SET TimeZone = 'UTC'");
  await connection.run(`SET allowed_paths = ${textList(paths)}`);
  await connection.run('SET enable_external_access = false');
  await connection.run(`CREATE SCHEMA ${identifier(namespace)}`);
  for (const table of tables) await connection.run(createView(namespace, table));
  await connection.run(`USE ${identifier(namespace)}`);
  await connection.run('SET lock_configuration = true');
}

async function printRows(
  statement: DuckDBPreparedStatement,
  format: OutputFormat,
  print: (text: string) => Promise<void>,
): Promise<number> {
  const result = await statement.stream();
  const columns: OutputColumn[] = result.deduplicatedColumnNames().map((name, i) => ({
    name,
    kind: kindOf(result.columnTypeId(i)),
  }));
  const formatter = rowFormatter(format, columns);
  let rows = 0;
  let pieces = formatter.begin();
  for (let chunk = await result.fetchChunk(); chunk !== null; chunk = await result.fetchChunk()) {
    if (chunk.rowCount === 0) break;
    for (const values of chunk.getRows()) {
      const cells = columns.map(({ name, kind }, i) => [name, cell(values[i] ?? null, kind)]);
      pieces += formatter.row(Object.fromEntries(cells));
    }
    rows += chunk.rowCount;
    if (pieces !== '') await print(pieces);
    pieces = '';
  }
  if (pieces !== '') await print(pieces);
  for (const piece of formatter.end()) await print(piece);
  return rows;
}

/** `query` takes the checked text as a value, so that nothing in it can end the COPY around it. */
async function writeParquet(
  connection: DuckDBConnection,
  sql: string,
  path: string,
): Promise<number> {
  const options = 'FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false';
  const copy = `COPY (FROM query(${text(sql)})) TO ${text(path)} (${options})`;
  return (await connection.run(copy)).rowsChanged;
}

/** Lines of DuckDB's that name what was probably meant; the others advise on its settings. */
const HELPFUL = /^(Did you mean|Candidate bindings)/;

/** DuckDB's message on one line, without the piece of the query it points into. */
function sentence(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const [said = '', ...more] = message
    .replace(/^Failed to extract statements: /, '')
    .split('\n')
    .filter((line, i) => i === 0 || HELPFUL.test(line));
  if (!/^[A-Z][A-Za-z ]* Error: /.test(said)) return 'there is no statement in it';
  const lines = [said, ...more].map((line) => line.trim().replace(/[!.]+$/, ''));
  return lines.join('; ').slice(0, MESSAGE_CHARACTERS_MAX);
}
