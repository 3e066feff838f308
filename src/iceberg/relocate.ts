/**
 * A table that was moved with its data directory, or into another warehouse: Iceberg's paths are
 * absolute, so all of its metadata names files where they no longer are. The history is worth keeping;
 * every manifest and list is written anew beside the old one, under a name that says which place it is
 * of, and one new version of the metadata names them. Until that is there the table is as it was; cut
 * short and done again, the same bytes get the same names.
 */
import { createHash } from 'node:crypto';
import type { TableVersion } from '#src/iceberg/catalog';
import {
  decodeManifest,
  decodeManifestList,
  encodeManifest,
  encodeManifestList,
  type ManifestFile,
  sealedSummary,
  sha256Of,
} from '#src/iceberg/manifest';
import { metadataFolder, nameOf } from '#src/iceberg/metadata-files';
import { currentSchema, type Snapshot, type TableMetadata } from '#src/iceberg/table-metadata';
import { type TablePlace, tableUri, undamaged } from '#src/iceberg/table-place';
import { pathIn, uriOf } from '#src/warehouse/warehouse';

/** The metadata of the table where it is now; throws DamagedTableError where a part of it is missing. */
export async function relocated(place: TablePlace, moved: TableVersion): Promise<TableMetadata> {
  const { metadata } = moved;
  const move = new Move(place, metadata);
  const snapshots: Snapshot[] = [];
  for (const snapshot of metadata.snapshots) snapshots.push(await move.snapshot(snapshot));
  return { ...metadata, location: tableUri(place), snapshots, 'metadata-log': [] };
}

class Move {
  readonly #place: TablePlace;
  readonly #metadata: TableMetadata;
  /** The warehouse the table was in. */
  readonly #from: string;
  /** Part of the new names: which place this is. */
  readonly #mark: string;
  /** A manifest is in many snapshots. */
  readonly #manifests = new Map<string, ManifestFile>();

  constructor(place: TablePlace, metadata: TableMetadata) {
    const { warehouse, definition } = place;
    this.#place = place;
    this.#metadata = metadata;
    this.#from = metadata.location.slice(0, -definition.name.length - 1);
    this.#mark = createHash('sha256').update(warehouse.uri).digest('hex').slice(0, 8);
  }

  async snapshot(snapshot: Snapshot): Promise<Snapshot> {
    const uri = snapshot['manifest-list'];
    const rows = await undamaged(uri, async () =>
      decodeManifestList(snapshot, await this.#read(uri)),
    );
    const moved: ManifestFile[] = [];
    for (const row of rows) moved.push(await this.#manifest(row));
    const bytes = encodeManifestList(snapshot, moved);
    const summary = sealedSummary(snapshot.summary, bytes);
    return { ...snapshot, 'manifest-list': await this.#write(uri, bytes), summary };
  }

  async #manifest(row: ManifestFile): Promise<ManifestFile> {
    const uri = row.manifest_path;
    const known = this.#manifests.get(uri);
    if (known !== undefined) return known;
    const entries = await undamaged(uri, async () => decodeManifest(row, await this.#read(uri)));
    const moved = entries.map((entry) => ({
      ...entry,
      data_file: { ...entry.data_file, file_path: this.#uri(entry.data_file.file_path) },
    }));
    const { definition } = this.#place;
    const bytes = encodeManifest(definition, currentSchema(this.#metadata), moved);
    const path = await this.#write(uri, bytes);
    const result = {
      ...row,
      manifest_path: path,
      manifest_length: bytes.length,
      sha256: sha256Of(bytes),
    };
    this.#manifests.set(uri, result);
    return result;
  }

  /** Where a file is now; one that was never in the warehouse is where it was. */
  #uri(before: string): string {
    const path = pathIn({ uri: this.#from }, before);
    return path === undefined ? before : uriOf(this.#place.warehouse, path);
  }

  #read(uri: string): Promise<Buffer> {
    const { warehouse } = this.#place;
    return warehouse.get(pathIn({ uri: this.#from }, uri) ?? uri);
  }

  async #write(uri: string, bytes: Buffer): Promise<string> {
    const { warehouse, definition } = this.#place;
    // Of one that was moved before, the mark of the place before is replaced.
    const name = nameOf(uri).replace(/(-at-[0-9a-f]{8})?\.avro$/, `-at-${this.#mark}.avro`);
    const path = `${metadataFolder(definition.name)}/${name}`;
    await warehouse.put(path, bytes);
    return uriOf(warehouse, path);
  }
}
