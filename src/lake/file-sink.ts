/**
 * Puts a finished data file into the lake so that it is either there whole and durable, or not at
 * all (base/disk.ts). It belongs to a table
 * only once an epoch names it; one written again by a replayed epoch takes the same name.
 */
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { type Disk, makeDirectoryDurably, writeFileDurably } from '#src/base/disk';
import { EXIT, errorCode, UserError } from '#src/base/errors';
import { type FileMetrics, fileMetrics, type TextRange } from '#src/lake/file-metrics';
import type { StagedFile } from '#src/lake/staged-file';

export interface FileSink {
  readonly lakeDir: string;
  readonly disk: Disk;
}

export interface NewFile {
  readonly partition: string;
  /** File name without its extension. */
  readonly name: string;
  readonly rows: number;
  readonly bytes: Uint8Array;
  /** Bounds of columns that the file's own footer has none of. */
  readonly ranges?: readonly TextRange[];
}

/** `metrics`: of a file that is no Parquet and cannot tell them itself. */
export function stageFile(
  sink: FileSink,
  file: NewFile & { readonly table: string },
  metrics?: FileMetrics,
): StagedFile {
  return stageFiles(sink, [file.table], file, metrics)[0] as StagedFile;
}

/** The same file for each of the tables. */
export function stageFiles(
  sink: FileSink,
  tables: readonly string[],
  { partition, name, rows, bytes, ranges }: NewFile,
  metrics: FileMetrics = fileMetrics(bytes, ranges),
): StagedFile[] {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return tables.map((table) => {
    const path = `${table}/data/${partition}/${name}.parquet`;
    write(sink, path, bytes);
    return { table, path, partition, rows, bytes: bytes.length, sha256, metrics };
  });
}

function write(sink: FileSink, path: string, bytes: Uint8Array): void {
  const target = join(sink.lakeDir, path);
  try {
    makeDirectoryDurably(sink.disk, dirname(target));
    writeFileDurably(sink.disk, target, bytes);
  } catch (error) {
    if (!isDiskError(error)) throw error;
    throw new UserError(
      EXIT.io,
      `Cannot write ${bytes.length} bytes to ${target} (${errorCode(error)}): check the disk's free space and health.`,
      { cause: error },
    );
  }
}

/** ENOSPC, EIO, ...: the operating system's own codes, unlike Node's ERR_*. */
export function isDiskError(error: unknown): boolean {
  return /^E[A-Z0-9]+$/.test(errorCode(error));
}
