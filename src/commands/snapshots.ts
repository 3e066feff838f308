/**
 * `bullion snapshots TABLE`: the snapshots a table still has, oldest first. Each can be named by
 * `--at` of `bullion trades` and `bullion candles`, and opened by any Iceberg reader.
 */
import { configOf, formatArgument } from '#src/commands/arguments';
import { type Arguments, defineCommand } from '#src/commands/command';
import { openState } from '#src/commands/open-state';
import { loadTable } from '#src/iceberg/catalog';
import { openCatalog } from '#src/iceberg/open-catalog';
import { TABLES } from '#src/iceberg/table-definition';
import { snapshotRows } from '#src/iceberg/time-travel';
import type { OutputColumn } from '#src/output/rows';
import { printRows } from '#src/output/standard-output';
import { isoMicros } from '#src/output/text';

const COLUMNS = [
  { name: 'snapshot_id', kind: 'integer' },
  { name: 'committed_at', kind: 'time' },
  { name: 'operation', kind: 'text' },
  { name: 'epoch', kind: 'integer' },
  { name: 'added_files', kind: 'integer' },
  { name: 'deleted_files', kind: 'integer' },
  { name: 'added_rows', kind: 'integer' },
  { name: 'total_files', kind: 'integer' },
  { name: 'total_rows', kind: 'integer' },
  { name: 'is_current', kind: 'boolean' },
] as const satisfies readonly OutputColumn[];

async function run(args: Arguments): Promise<void> {
  const [table] = args.positionals;
  if (table === undefined || !TABLES.has(table)) {
    const names = [...TABLES.keys()].sort().join(', ');
    throw args.wrong(`${table ?? 'a table is missing: it'} must be one of ${names}`);
  }
  const format = formatArgument(args);
  const config = configOf(args);
  const { warehouse, close } = await openState(config);
  const metadata = (await loadTable(openCatalog(config.catalog), warehouse, table))?.metadata;
  const snapshots = metadata === undefined ? [] : snapshotRows(metadata);
  const rows = snapshots.map((row) => ({ ...row, committed_at: isoMicros(row.committed_at) }));
  await printRows(format, COLUMNS, rows);
  await close();
}

export const snapshotsCommand = defineCommand({
  summary: 'the snapshots a table still has, for --at',
  usage: 'bullion snapshots TABLE [--format table|csv|json|jsonl]',
  options: ['format'],
  wordsMax: 1,
  run,
});
