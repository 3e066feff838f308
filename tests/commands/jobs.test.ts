/** `bullion jobs` over recorded trades: what a compaction of real gold takes, and what is remembered. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { recordedData } from '#bench/captures';
import { GOLD_TRADES } from '#schemas/trade';
import { JOBS } from '#src/maintenance/job-names';
import type { DataFile } from '#src/state/file-catalog';
import { StateStore } from '#src/state/store';
import { bullion, type Ended } from '#tests/commands/cli';
import { duckdbBytes } from '#tests/lake/duckdb';
import { temporaryDirectory } from '#tests/support/temporary-directory';

test('every job runs offline; real gold takes at most 14 bytes a trade after compaction', async (t) => {
  const csv = recordedData('binance-trxusdt-2025-03-04/trades.csv');
  if (csv === undefined) {
    t.skip('the recorded trades are not at hand');
    return;
  }
  const folder = temporaryDirectory(t, 'jobs');
  const dataDir = join(folder, 'data');
  const [header = '', ...trades] = readFileSync(csv, 'utf8').trimEnd().split('\n');
  const parts = 4;
  for (let part = 0; part < parts; part++) {
    const path = join(folder, `${part}.csv`);
    const from = (part * trades.length) / parts;
    const lines = trades.slice(from, from + trades.length / parts);
    writeFileSync(path, `${[header, ...lines].join('\n')}\n`);
    const format = ['--format', 'binance-trades-csv', '--symbol', 'TRXUSDT', path];
    assert.equal(bullion(dataDir, 'import', '--exchange', 'binance', ...format).status, 0);
  }
  const gold = async (): Promise<DataFile[]> => {
    const store = await StateStore.open(join(dataDir, 'state'), { readOnly: true });
    const files = [...store.files(GOLD_TRADES)];
    await store.close();
    return files;
  };
  const perTrade = (files: readonly DataFile[]): number =>
    files.reduce((sum, { bytes }) => sum + bytes, 0) / files.reduce((sum, f) => sum + f.rows, 0);
  const before = await gold();
  const rowOf = ({ status, stdout, stderr }: Ended): Record<string, unknown> => {
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout);
  };
  const run = (name: string) => rowOf(bullion(dataDir, 'jobs', 'run', name, '--json'));
  const compaction = run('compaction');
  assert.equal(compaction.outcome, 'done');
  assert.equal(compaction.rows_in, compaction.rows_out);
  const after = await gold();
  assert.equal(after.length, 1);
  assert.equal(after[0]?.rows, trades.length);
  const [{ path, rows: tradesIn }] = after as [DataFile];
  const theirs = (await duckdbBytes(join(dataDir, 'lake', path))) / tradesIn;
  t.diagnostic(
    `${tradesIn} recorded trades, 17 columns: ${before.length} files of ${perTrade(before).toFixed(2)} B/trade -> 1 of ${perTrade(after).toFixed(2)} B/trade; DuckDB's writer, same rows: ${theirs.toFixed(2)} B/trade`,
  );
  assert.ok(perTrade(after) <= 14, `${perTrade(after)} bytes a trade`);
  assert.ok(perTrade(after) < theirs, `${perTrade(after)} bytes a trade, DuckDB's ${theirs}`);

  for (const { name } of JOBS) assert.notEqual(run(name).outcome, 'failed', name);
  assert.equal(run('audit').outcome, 'done'); // after retention, which has taken the old silver
  const listed = bullion(dataDir, 'jobs', '--json');
  assert.equal(listed.status, 0, listed.stderr);
  const rows = listed.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    rows.slice(0, JOBS.length).map(({ job }) => job),
    JOBS.map(({ name }) => name),
  );
  assert.equal(rows.length, JOBS.length + JOBS.length + 2); // the schedule, then every run
  assert.match(bullion(dataDir, 'jobs').stdout, /^job +every_minutes/);
  assert.equal(bullion(dataDir, 'jobs', 'run', 'tidying').status, 64);
  assert.equal(bullion(dataDir, 'jobs', 'run').status, 64);
});
