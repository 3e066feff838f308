/**
 * Whether a table's manifests say of a file what the file catalog says. Digests (manifest.ts) tell
 * that a manifest is what was written; that it was right, and one without a digest, only the catalog
 * can tell: a wrong bound or count makes other engines skip rows or count wrong.
 */
import { addedEntry, type ManifestEntry } from '#src/iceberg/manifest-entry';
import { DamagedTableError, dataFileUri, type TablePlace } from '#src/iceberg/table-place';
import type { StagedFile } from '#src/lake/staged-file';

/** Throws where an entry is not the one that was written for its file. */
export function proveEntries(
  place: TablePlace,
  shown: readonly ManifestEntry[],
  files: readonly StagedFile[],
): void {
  const byUri = new Map(files.map((file) => [dataFileUri(place, file.path), file]));
  for (const { data_file: said } of shown) {
    const file = byUri.get(said.file_path);
    if (file === undefined) continue; // leaves the table anyway
    const { data_file: written } = addedEntry(place.definition, file, said.file_path, 0);
    const different = Object.keys(written).find((name) => {
      const field = name as keyof typeof written;
      return JSON.stringify(said[field]) !== JSON.stringify(written[field]);
    });
    if (different !== undefined) {
      throw new DamagedTableError(said.file_path, { cause: `its ${different} is another` });
    }
  }
}
