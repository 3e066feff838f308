/**
 * The catalog of data files: which files each table is made of, and since which epoch. A file that
 * leaves its table stays listed as removed until it is published without and gone from the disk.
 */
import { candleTable } from '#schemas/candle';
import { TIMEFRAMES } from '#schemas/timeframe';
import { assert } from '#src/base/errors';
import { NO_METRICS, type StagedFile } from '#src/lake/staged-file';
import type { Edits } from '#src/state/edits';
import type { Environment } from '#src/state/environment';
import type { EpochCommit } from '#src/state/epoch-record';
import { AREA, afterPrefix, keyText, textKey } from '#src/state/keys';

export interface DataFile extends StagedFile {
  /** The epoch that added it, and when that was committed. */
  readonly epoch: number;
  readonly addedUs: number;
}

/** Its metrics and its age are not kept: it only waits for the last snapshot that shows it to expire. */
export interface RemovedFile extends Omit<DataFile, 'metrics' | 'addedUs'> {
  /** The epoch that took it out of its table. */
  readonly removedEpoch: number;
}

const CANDLE_TABLES: ReadonlySet<string> = new Set(TIMEFRAMES.map(candleTable));

function folder(table: string, partition: string | undefined): string {
  return partition === undefined ? `${table}/data/` : `${table}/data/${partition}/`;
}

/** Live files of a table, or of one of its partitions, by path. */
export function* scanFiles(
  environment: Environment,
  table: string,
  partition?: string,
): Generator<DataFile> {
  const start = textKey(AREA.file, folder(table, partition));
  for (const { key, payload } of environment.scan(start, afterPrefix(start))) {
    yield parseLive(key, payload);
  }
}

/** Whether a file is part of its table. */
export function liveFile(environment: Environment, path: string): DataFile | undefined {
  const key = textKey(AREA.file, path);
  const payload = environment.get(key);
  return payload && parseLive(key, payload);
}

/** Every live file of every table, by path: proven to be all of them. */
export function* scanAllFiles(environment: Environment): Generator<DataFile> {
  for (const { key, payload } of environment.scanArea(AREA.file)) yield parseLive(key, payload);
}

/** Files out of their table and not yet forgotten. */
export function* scanRemoved(environment: Environment): Generator<RemovedFile> {
  for (const { key, payload } of environment.scanArea(AREA.removed)) {
    yield parseFile<RemovedFile>(key, payload);
  }
}

/** Adds `files` in `epoch`, each candle file in place of its partition's earlier one. */
export function putFiles(
  environment: Environment,
  edits: Edits,
  { epoch, committedUs }: Pick<EpochCommit, 'epoch' | 'committedUs'>,
  files: readonly StagedFile[],
  retired: readonly string[],
): void {
  const added = new Set<string>();
  const replaced = new Set<string>();
  for (const file of files) {
    const { table, partition, path } = file;
    assert(path.startsWith(folder(table, partition)), `${path} is outside ${table}/${partition}`);
    const key = textKey(AREA.file, path);
    assert(!added.has(path) && !environment.get(key), `${path} is in the catalog already`);
    assert(!environment.get(textKey(AREA.removed, path)), `${path} was removed and comes back`);
    added.add(path);
    if (CANDLE_TABLES.has(table)) {
      assert(!replaced.has(`${table} ${partition}`), `two files for ${table} ${partition}`);
      replaced.add(`${table} ${partition}`);
      for (const earlier of scanFiles(environment, table, partition)) retire(edits, earlier, epoch);
    }
    edits.put(key, fileJson({ ...file, epoch, addedUs: committedUs }));
  }
  for (const path of retired) {
    const key = textKey(AREA.file, path);
    const payload = environment.get(key);
    assert(payload !== undefined && !added.has(path), `${path} is not live and cannot be retired`);
    retire(edits, parseLive(key, payload), epoch);
  }
}

/** Forgets removed files that are gone from the disk. */
export function forgetFiles(edits: Edits, paths: readonly string[]): void {
  for (const path of paths) edits.remove(textKey(AREA.removed, path));
}

function retire(edits: Edits, file: DataFile, removedEpoch: number): void {
  const { metrics: _, addedUs: __, ...rest } = file;
  edits.remove(textKey(AREA.file, file.path));
  edits.put(textKey(AREA.removed, file.path), fileJson({ ...rest, removedEpoch }));
}

/** The path is the key and not repeated in the value. */
function fileJson(file: DataFile | RemovedFile): Buffer {
  const { path: _, ...rest } = file;
  return Buffer.from(JSON.stringify(rest));
}

/** A state from before there were metrics has files without: nothing is known of their columns,
 * nor when they were added. */
function parseLive(key: Uint8Array, payload: Uint8Array): DataFile {
  const early = { metrics: NO_METRICS, addedUs: 0 };
  return { ...early, ...parseFile<Omit<DataFile, 'metrics' | 'addedUs'>>(key, payload) };
}

function parseFile<T extends Omit<DataFile, 'metrics' | 'addedUs'>>(
  key: Uint8Array,
  payload: Uint8Array,
): T {
  const { buffer, byteOffset, length } = payload;
  const rest = JSON.parse(Buffer.from(buffer, byteOffset, length).toString()) as Omit<T, 'path'>;
  return { ...rest, path: keyText(key) } as T;
}
