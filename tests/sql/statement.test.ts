/** One statement in its locked-down DuckDB: what it may read, and what it may not do. */
import assert from 'node:assert/strict';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { QueryOutcome, QueryRequest, QueryTable } from '#src/sql/query-request';
import { runStatement } from '#src/sql/statement';
import { query } from '#tests/lake/duckdb';

const dir = mkdtempSync(join(tmpdir(), "bullion 'sql' "));
test.after(() => rmSync(dir, { recursive: true }));
const inSql = (path: string): string => path.replaceAll("'", "''");

const live = join(dir, 'live.parquet');
const other = join(dir, 'other.parquet');
for (const path of [live, other]) {
  await query(`COPY (SELECT 1 AS a, 'x' AS "strange ""name") TO '${inSql(path)}'`);
}
writeFileSync(join(dir, 'secret.csv'), 'secret\n1\n');
symlinkSync('/etc/passwd', join(dir, 'link.csv'));

const TABLE: QueryTable = {
  name: 't',
  columns: [
    { name: 'a', type: 'int' },
    { name: 'strange "name', type: 'string' },
  ],
  paths: [live],
};

async function ask(sql: string, to: QueryRequest['to'] = { format: 'jsonl' }) {
  let stdout = '';
  const outcome = await runStatement(
    { sql, namespace: 'n', tables: [TABLE], to, memoryMb: 200, threads: 2 },
    async (text) => {
      stdout += text;
    },
  );
  return { outcome, stdout };
}

const contents = () =>
  readdirSync(dir).map((name) => `${name} ${readFileSync(join(dir, name)).toString('base64')}`);

test('the live files are read, by a plain or a qualified name', async () => {
  for (const sql of ['FROM t', 'SELECT * FROM n.t;', 'WITH u AS (FROM t) FROM u -- end']) {
    assert.deepEqual(await ask(sql), {
      outcome: { kind: 'done', rows: 1 },
      stdout: '{"a":1,"strange \\"name":"x"}\n',
    });
  }
});

test('nothing else can be read, written, attached, loaded or set', async () => {
  const out = join(dir, 'out.parquet');
  const at = inSql(dir);
  const before = contents();
  for (const sql of [
    `COPY t TO '${at}/stolen.parquet'`,
    `COPY (SELECT 2 AS a) TO '${at}/live.parquet' (USE_TMP_FILE false)`,
    `EXPLAIN ANALYZE COPY (SELECT 2 AS a) TO '${at}/live.parquet' (USE_TMP_FILE false)`,
    `COPY t TO '${inSql(out)}'`,
    `ATTACH '${at}/new.db'`,
    `ATTACH '${inSql(live)}' AS other`,
    `ATTACH '${inSql(out)}' AS other`,
    'INSTALL httpfs',
    'LOAD httpfs',
    'SET threads = 1',
    'SET enable_external_access = true',
    'RESET memory_limit',
    "PRAGMA memory_limit='9GB'",
    'CREATE TABLE u AS SELECT 1',
    'CREATE OR REPLACE VIEW n.t AS SELECT 2',
    'CREATE MACRO f() AS 1',
    'CREATE SECRET (TYPE s3)',
    'DROP VIEW n.t',
    'INSERT INTO t SELECT * FROM t',
    'DELETE FROM t',
    `EXPORT DATABASE '${at}/all'`,
    `IMPORT DATABASE '${at}'`,
    'PREPARE later AS SELECT 1',
    'BEGIN',
    'CHECKPOINT',
    'USE memory.main',
    'SELECT 1; SELECT 2',
    `SELECT 1; COPY (SELECT 1) TO '${at}/x.csv'`,
    `FROM query('COPY (SELECT 1) TO ''${at.replaceAll("'", "''")}/x.csv''')`,
    `FROM read_parquet('${inSql(other)}')`,
    `FROM '${inSql(other)}'`,
    `FROM read_parquet('${at}/*.parquet')`,
    `FROM read_csv('${at}/secret.csv')`,
    `FROM read_csv('${at}/link.csv')`,
    `FROM read_text('${inSql(live)}/../secret.csv')`,
    "FROM read_csv('/etc/passwd')",
    "FROM read_blob('/proc/self/environ')",
    `FROM glob('${at}/**')`,
    "FROM read_parquet('https://example.com/x.parquet')",
    'SELEC 1',
    'SELECT nosuch FROM t',
    'FROM nosuch',
    '/* nothing */',
    '-- nothing',
    ';',
    ") TO 'x' --",
  ]) {
    for (const to of [{ format: 'csv' as const }, { parquet: out }]) {
      const { outcome, stdout } = await ask(sql, to);
      assert.equal(outcome.kind, 'refused', `${sql}: ${JSON.stringify(outcome)}`);
      assert.match(messageOf(outcome), /^[^\n]+[^\n.!]$/);
      assert.equal(stdout, '');
      assert.deepEqual(contents(), before, sql);
    }
  }
});

test('what reaches out only while it runs fails then', async () => {
  for (const sql of [`FROM sniff_csv('${inSql(dir)}/secret.csv')`, 'FROM duckdb_extensions()']) {
    const { outcome } = await ask(sql);
    assert.match(`${outcome.kind}: ${messageOf(outcome)}`, /^(failed|refused): Permission Error/);
  }
});

test('rows printed before a failure are told of', async () => {
  const { outcome, stdout } = await ask(
    "SELECT CASE WHEN i = 9000 THEN error('late') ELSE i END AS i FROM range(10000) t(i)",
  );
  assert.equal(outcome.kind, 'failed');
  assert.equal('printed' in outcome && outcome.printed, stdout !== '');
});

test('a Parquet file takes the place of printing', async () => {
  const path = join(dir, 'written.parquet');
  const { outcome, stdout } = await ask('SELECT i FROM range(5000) t(i); -- all', {
    parquet: path,
  });
  assert.deepEqual([outcome, stdout], [{ kind: 'done', rows: 5000 }, '']);
  const [stored] = await query(
    `SELECT count(*)::INT AS n, sum(i)::INT AS sum FROM '${inSql(path)}'`,
  );
  assert.deepEqual(stored, { n: 5000, sum: 12_497_500 });
  rmSync(path);
});

function messageOf(outcome: QueryOutcome): string {
  return outcome.kind === 'done' ? '' : outcome.message;
}
