/** Where a table's metadata files are in the warehouse, what they are called, and how they go. */
import { pathIn, type Warehouse } from '#src/warehouse/warehouse';

const METADATA_FILE = /^v([1-9]\d*)\.metadata\.json$/;

export function metadataFolder(table: string): string {
  return `${table}/metadata`;
}

export function metadataFile(table: string, version: number): string {
  return `${metadataFolder(table)}/v${version}.metadata.json`;
}

export function hintFile(table: string): string {
  return `${metadataFolder(table)}/version-hint.text`;
}

export function manifestFile(table: string, snapshotId: number, number: number): string {
  return `${metadataFolder(table)}/manifest-${snapshotId}-${number}.avro`;
}

export function manifestListFile(table: string, snapshotId: number): string {
  return `${metadataFolder(table)}/snap-${snapshotId}.avro`;
}

/** The version a file name stands for; undefined for any other file. */
export function versionOf(name: string): number | undefined {
  const [, digits] = METADATA_FILE.exec(name) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** The snapshot a manifest or a manifest list was written for; undefined for any other file. */
export function snapshotOf(name: string): { list: boolean; snapshotId: string } | undefined {
  const [, kind, snapshotId] =
    /^(snap|manifest)-(\d+)(?:-\d+)?(?:-at-[0-9a-f]{8})?\.avro$/.exec(name) ?? [];
  return snapshotId === undefined ? undefined : { list: kind === 'snap', snapshotId };
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Only what lies in the table's own folder: a log may name files of whoever had the table before. */
export async function deleteMetadata(
  warehouse: Warehouse,
  table: string,
  uris: readonly string[],
): Promise<void> {
  const paths = uris.flatMap((uri) => pathIn(warehouse, uri) ?? []);
  await warehouse.delete(
    paths.filter((path) => path === `${metadataFolder(table)}/${nameOf(path)}`),
  );
}
