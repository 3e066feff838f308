/**
 * A lake at rest, checked from outside: every table shows what the state store names, every data file
 * on the disk is in a snapshot that is kept, every file of a kept snapshot is on the disk.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { nodeDisk } from '#src/base/node-disk';
import { TABLES } from '#src/iceberg/table-definition';
import type { StateStore } from '#src/state/store';
import { seeTable } from '#tests/iceberg/independent-reader';

/** `lake` is absolute. */
export async function assertLakeInLine(lake: string, store: StateStore): Promise<void> {
  const disk = nodeDisk();
  const shown = new Set<string>();
  for (const table of TABLES.keys()) {
    const current = await seeTable(disk, lake, table);
    const live = Array.from(store.files(table), ({ path }) => path);
    assert.deepEqual([...current.files.keys()].sort(), live.sort(), `current files of ${table}`);
    for (const { id } of current.snapshots) {
      for (const path of (await seeTable(disk, lake, table, id)).files.keys()) shown.add(path);
    }
  }
  const files = readdirSync(lake, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(lake.length + 1));
  const metadata =
    /^\w+\/metadata\/(v\d+\.metadata\.json|(snap|manifest)-[\d-]+\.avro|version-hint\.text)$/;
  const data = files.filter((path) => !metadata.test(path));
  assertSame(data, shown, 'data files');
  const named = [...store.allLivePaths(), ...store.removedFiles().map(({ path }) => path)];
  assertSame(named, shown, 'what the state names');
}

function assertSame(found: readonly string[], shown: ReadonlySet<string>, what: string): void {
  const more = found.filter((path) => !shown.has(path));
  const less = [...shown].filter((path) => !found.includes(path));
  assert.deepEqual({ more, less }, { more: [], less: [] }, `${what}, and what snapshots show`);
  assert.equal(found.length, shown.size, `${what}, each once`);
}
