/**
 * Puts a finished data file into the lake so that it is either there whole and durable, or not at
 * all (base/disk.ts). It belongs to a table
 * only once an epoch names it; one written again by a replayed epoch takes the same name.
 */
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { type Disk, makeDirectoryDurably, writeFileDurably } from '#src/base/disk';
import { EXIT, errorCode, UserError } from '#src/base/errors';
import { type FileMetrics, fileMetrics } from '#src/lake/file-metrics';
import type { StagedFile } from '#src/lake/staged-file';

export interface FileSink {
  readonly lakeDir: string;
  readonly disk: Disk;
}

export interface NewFile {
  readonly table: string;
  readonly partition: string;
  /** File name without its extension. */
  readonly name: string;
  readonly rows: number;
  readonly bytes: Uint8Array;
}

/** `metrics`: of a file that is no Parquet and cannot tell them itself. */
export function stageFile(sink: FileSink, file: NewFile, metrics?: FileMetrics): StagedFile {
  const { table, partition, name, rows, bytes } = file;
  const path = `${table}/data/${partition}/${name}.parquet`;
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
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return {
    table,
    path,
    partition,
    rows,
    bytes: bytes.length,
    sha256,
    metrics: metrics ?? fileMetrics(bytes),
  };
}

/** ENOSPC, EIO, ...: the operating system's own codes, unlike Node's ERR_*. */
export function isDiskError(error: unknown): boolean {
  return /^E[A-Z0-9]+$/.test(errorCode(error));
}
