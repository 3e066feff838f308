/** The query process seen from outside: without DuckDB, and when the one who asked goes away. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import test from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { QueryRequest } from '#src/sql/query-request';
import { runQuery } from '#src/sql/run-query';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const request: QueryRequest = {
  sql: 'SELECT 1 WHERE false',
  namespace: 'n',
  tables: [],
  to: { format: 'jsonl' },
  memoryMb: 100,
  threads: 1,
};

test('an answer comes back, however long it may take', async () => {
  for (const timeoutMs of [60_000, 1e12]) {
    assert.deepEqual(await runQuery(request, timeoutMs), { kind: 'done', rows: 0 });
  }
});

test('where DuckDB is not installed, the answer says so', async (t) => {
  const root = temporaryDirectory(t, 'without');
  const dist = fileURLToPath(new URL('../..', import.meta.url));
  for (const folder of ['sql', 'output', 'base']) {
    cpSync(join(dist, folder), join(root, 'dist', folder), { recursive: true });
  }
  cpSync(join(dist, '../package.json'), join(root, 'package.json'));
  const copy = pathToFileURL(join(root, 'dist/sql/run-query.js')).href;
  const without = (await import(copy)) as { runQuery: typeof runQuery };
  const { kind } = await without.runQuery(request, 60_000);
  assert.equal(kind, 'unavailable');
});

test('a query whose asker has gone does not run on', async () => {
  const child = fork(fileURLToPath(import.meta.resolve('#src/sql/query-process')), {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit');
  child.send({ ...request, sql: 'SELECT * FROM range(100000000000)' });
  await once(child.stdout as Readable, 'data');
  child.disconnect();
  assert.deepEqual(await ended, [null, 'SIGKILL']);
});
