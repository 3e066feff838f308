/**
 * Puts a finished data file into the lake so that it is either there whole and durable, or not at
 * all: `<path>.tmp` is written and fsynced, renamed, and its folder fsynced. It belongs to a table
 * only once an epoch names it; one written again by a replayed epoch takes the same name.
 */
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { EXIT, errorCode, UserError } from '../base/errors.js';
import type { StagedFile } from './staged-file.js';

/** What staging needs of the disk; each call blocks (a lake worker has nothing else to do). */
export interface LakeDisk {
  /** Makes the folder and its missing parents, durably. */
  makeDirectory(path: string): void;
  /** Creates or replaces the file, writes every byte, fsyncs. */
  writeDurably(path: string, bytes: Uint8Array): void;
  rename(from: string, to: string): void;
  syncDirectory(path: string): void;
}

export interface FileSink {
  readonly lakeDir: string;
  readonly disk: LakeDisk;
}

export interface NewFile {
  readonly table: string;
  readonly partition: string;
  /** File name without its extension. */
  readonly name: string;
  readonly rows: number;
  readonly bytes: Uint8Array;
}

export function stageFile(sink: FileSink, file: NewFile): StagedFile {
  const { table, partition, name, rows, bytes } = file;
  const path = `${table}/data/${partition}/${name}.parquet`;
  const target = join(sink.lakeDir, path);
  try {
    sink.disk.makeDirectory(dirname(target));
    sink.disk.writeDurably(`${target}.tmp`, bytes);
    sink.disk.rename(`${target}.tmp`, target);
    sink.disk.syncDirectory(dirname(target));
  } catch (error) {
    if (!isDiskError(error)) throw error;
    throw new UserError(
      EXIT.io,
      `Cannot write ${bytes.length} bytes to ${target} (${errorCode(error)}): check the disk's free space and health.`,
      { cause: error },
    );
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { table, path, partition, rows, bytes: bytes.length, sha256 };
}

/** ENOSPC, EIO, ...: the operating system's own codes, unlike Node's ERR_*. */
export function isDiskError(error: unknown): boolean {
  return /^E[A-Z0-9]+$/.test(errorCode(error));
}
