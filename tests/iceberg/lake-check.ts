/**
 * A lake at rest, checked from outside: every table shows what the state store names, every data file
 * on the disk is in a snapshot that is kept, every file of a kept snapshot is on the disk.
 *
 * A snapshot of maintenance shows the epoch of the one before it, and the store tells snapshots by
 * their epochs: what maintenance replaced goes when that snapshot goes, not the one before.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { nodeDisk } from '#src/base/node-disk';
import { TABLES } from '#src/iceberg/table-definition';
import type { StateStore } from '#src/state/store';
import { type SeenTable, seeTable } from '#tests/iceberg/independent-reader';

/** `lake` is absolute. Answers the tables as they are shown now. */
export async function assertLakeInLine(
  lake: string,
  store: StateStore,
): Promise<ReadonlyMap<string, SeenTable>> {
  const disk = nodeDisk();
  const shown = new Set<string>();
  const removed = store.removedFiles();
  const due = new Set<string>();
  const tables = new Map<string, SeenTable>();
  for (const table of TABLES.keys()) {
    const current = await seeTable(disk, lake, table);
    tables.set(table, current);
    const live = Array.from(store.files(table), ({ path }) => path);
    assert.deepEqual([...current.files.keys()].sort(), live.sort(), `current files of ${table}`);
    for (const { id, epoch: of, operation } of current.snapshots) {
      for (const { table: its, path, epoch, removedEpoch } of operation === 'replace'
        ? removed
        : []) {
        if (its === table && epoch <= of && of < removedEpoch) due.add(path);
      }
      const seen = id === current.snapshot ? current : await seeTable(disk, lake, table, id);
      for (const path of seen.files.keys()) shown.add(path);
    }
  }
  const files = readdirSync(lake, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(lake.length + 1));
  const metadata =
    /^\w+\/metadata\/(v\d+\.metadata\.json|(snap|manifest)-[\d-]+\.avro|version-hint\.text)$/;
  const data = files.filter((path) => !metadata.test(path));
  const kept = new Set([...shown, ...due]);
  assertSame(data, kept, 'data files');
  const named = [...store.allLivePaths(), ...removed.map(({ path }) => path)];
  assertSame(named, kept, 'what the state names');
  return tables;
}

function assertSame(found: readonly string[], kept: ReadonlySet<string>, what: string): void {
  const more = found.filter((path) => !kept.has(path));
  const less = [...kept].filter((path) => !found.includes(path));
  assert.deepEqual({ more, less }, { more: [], less: [] }, `${what}, and what snapshots show`);
  assert.equal(found.length, kept.size, `${what}, each once`);
}
