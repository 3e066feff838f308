/**
 * Which files of a table should become one: pure.
 *
 * A partition is looked at once it is closed and quiet, or when it has too many files; in it only
 * small files are taken, so a row is written anew a few times at most: files with half the rows, or
 * half the bytes, that a file may have are left alone.
 */
import type { CompactionInput } from '#src/lake/compaction';
import { partitionSpan } from '#src/lake/partition';
import type { DataFile } from '#src/state/file-catalog';

export interface CompactionRules {
  /** Time after the end of a partition, and after its last new file, that it is left alone. */
  readonly settleUs: number;
  readonly rowsMax: number;
  readonly bytesMax: number;
  /** With more files than this a partition is compacted even if it is not closed and quiet. */
  readonly filesMax: number;
}

export interface CompactionTask {
  readonly table: string;
  readonly partition: string;
  /** At least two, smallest first. */
  readonly inputs: readonly PlannedInput[];
}

export type PlannedInput = CompactionInput & Pick<DataFile, 'table' | 'bytes'>;

/** Tasks for the files of one table, those with the most files first. */
export function planCompaction(
  files: Iterable<DataFile>,
  nowUs: number,
  rules: CompactionRules,
): CompactionTask[] {
  const partitions = new Map<string, DataFile[]>();
  for (const file of files) {
    const others = partitions.get(file.partition);
    if (others === undefined) partitions.set(file.partition, [file]);
    else others.push(file);
  }
  return [...partitions]
    .filter(([partition, all]) => isDue(partition, all, nowUs, rules))
    .flatMap(([partition, all]) =>
      groups(all.filter((file) => isSmall(file, rules)).sort(bySize), rules).map((inputs) => ({
        table: (inputs[0] as DataFile).table,
        partition,
        inputs: inputs.map(({ table, path, rows, bytes, sha256 }) => ({
          table,
          partition,
          path,
          rows,
          bytes,
          sha256,
        })),
      })),
    )
    .sort((a, b) => b.inputs.length - a.inputs.length);
}

function isDue(
  partition: string,
  files: readonly DataFile[],
  nowUs: number,
  { settleUs, filesMax }: CompactionRules,
): boolean {
  if (files.length < 2) return false;
  if (files.length > filesMax) return true;
  const isQuiet = files.every(({ addedUs }) => addedUs + settleUs <= nowUs);
  return isQuiet && partitionSpan(partition).endUs + settleUs <= nowUs;
}

function isSmall({ rows, bytes }: DataFile, { rowsMax, bytesMax }: CompactionRules): boolean {
  return rows <= rowsMax / 2 && bytes <= bytesMax / 2;
}

function bySize(a: DataFile, b: DataFile): number {
  return a.bytes - b.bytes || (a.path < b.path ? -1 : 1);
}

/** As many files as fit into one, again and again. */
function groups(files: readonly DataFile[], { rowsMax, bytesMax }: CompactionRules): DataFile[][] {
  const found: DataFile[][] = [];
  let group: DataFile[] = [];
  let rows = 0;
  let bytes = 0;
  for (const file of files) {
    if (rows + file.rows > rowsMax || bytes + file.bytes > bytesMax) {
      found.push(group);
      group = [];
      rows = 0;
      bytes = 0;
    }
    group.push(file);
    rows += file.rows;
    bytes += file.bytes;
  }
  found.push(group);
  return found.filter((inputs) => inputs.length > 1);
}
