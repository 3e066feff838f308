/**
 * The file catalog: the metadata of one table as numbered files in its `metadata` folder.
 *
 *   v<N>.metadata.json   version N, never changed once it has this name
 *   version-hint.text    the number of a version close to the newest
 *
 * A version is written under a temporary name, synced, and given its name by link(2), which fails
 * when the name is taken; a rename would silently replace the version somebody else has committed.
 * The hint is best effort: a reader starts there and walks up. Every function takes the folder of
 * the table.
 */
import {
  type Disk,
  makeDirectoryDurably,
  readFile,
  writeFileDurably,
  writeFully,
} from '#src/base/disk';
import { errorCode } from '#src/base/errors';
import type { CommitStep } from '#src/iceberg/commit-steps';
import { parseMetadata, type TableMetadata } from '#src/iceberg/table-metadata';

export interface TableVersion {
  readonly version: number;
  readonly metadata: TableMetadata;
}

const METADATA_FILE = /^v([1-9]\d*)\.metadata\.json$/;

export function metadataFolder(directory: string): string {
  return `${directory}/metadata`;
}

export function metadataFileName(version: number): string {
  return `v${version}.metadata.json`;
}

/** The version a file name stands for; undefined for any other file. */
export function versionOf(name: string): number | undefined {
  const [, digits] = METADATA_FILE.exec(name) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** The newest version; undefined when the table has none. */
export function newestVersion(disk: Disk, directory: string): number | undefined {
  const folder = metadataFolder(directory);
  const exists = (version: number): boolean =>
    disk.stat(`${folder}/${metadataFileName(version)}`) !== undefined;
  let version = readHint(disk, folder) ?? 0;
  if (version === 0 || !exists(version)) {
    if (disk.stat(folder) === undefined) return undefined;
    const versions = disk.readdir(folder).map((name) => versionOf(name) ?? 0);
    version = versions.reduce((a, b) => Math.max(a, b), 0);
    if (version === 0) return undefined;
  }
  while (exists(version + 1)) version++;
  return version;
}

/** The JSON text of a version. */
export function readVersion(disk: Disk, directory: string, version: number): string {
  return readFile(disk, `${metadataFolder(directory)}/${metadataFileName(version)}`).toString();
}

/** The newest version; undefined when there is none, or none this program can have written. */
export function loadTable(disk: Disk, directory: string): TableVersion | undefined {
  const version = newestVersion(disk, directory);
  if (version === undefined) return undefined;
  const metadata = parseMetadata(readVersion(disk, directory, version));
  return metadata && { version, metadata };
}

/** Commits a version; false when somebody else was first with that number. */
export function commitVersion(
  disk: Disk,
  directory: string,
  { version, metadata }: TableVersion,
  step: (step: CommitStep) => void,
): boolean {
  const folder = metadataFolder(directory);
  const final = `${folder}/${metadataFileName(version)}`;
  const temporary = `${final}.tmp`;
  writeNewFile(disk, temporary, Buffer.from(JSON.stringify(metadata)));
  // What the metadata names, and the temporary file, are there before the metadata has its name.
  disk.syncDirectory(folder);
  step('after-metadata-tmp');
  try {
    disk.link(temporary, final);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    disk.unlink(temporary);
    return false;
  }
  step('after-metadata-link');
  disk.unlink(temporary);
  disk.syncDirectory(folder);
  step('after-metadata-sync');
  writeHint(disk, directory, version);
  step('after-version-hint');
  return true;
}

/** Makes the hint name this version; some readers take it at its word and do not walk up. */
export function writeHint(disk: Disk, directory: string, version: number): void {
  const folder = metadataFolder(directory);
  if (readHint(disk, folder) === version) return;
  writeFileDurably(disk, `${folder}/version-hint.text`, Buffer.from(String(version)));
}

/** Makes the folder metadata files go into. */
export function makeMetadataFolder(disk: Disk, directory: string): void {
  makeDirectoryDurably(disk, metadataFolder(directory));
}

/** Writes and syncs a file that nothing names yet; its directory entry is synced by who names it. */
export function writeNewFile(disk: Disk, path: string, bytes: Uint8Array): void {
  const fd = disk.open(path, 'create');
  try {
    writeFully(disk, fd, bytes, 0);
    disk.fsync(fd);
  } finally {
    disk.close(fd);
  }
}

function readHint(disk: Disk, folder: string): number | undefined {
  const path = `${folder}/version-hint.text`;
  if (disk.stat(path) === undefined) return undefined;
  const text = readFile(disk, path).toString().trim();
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}
