/**
 * The tables as a catalog for readers: their names and their newest metadata, from the files. Used by
 * threads and processes that do not own the data directory; every question looks at the disk anew.
 */
import { NAMESPACE } from '#schemas/tables';
import type { Disk } from '#src/base/disk';
import {
  metadataFileName,
  metadataFolder,
  newestVersion,
  readVersion,
} from '#src/iceberg/file-catalog';
import { TABLES } from '#src/iceberg/table-definition';
import { uriOf } from '#src/iceberg/table-place';

export interface LoadedTable {
  /** Where the metadata was read from. */
  readonly location: string;
  /** The metadata as JSON text. */
  readonly metadata: string;
}

export interface CatalogReader {
  readonly namespace: string;
  readonly tables: readonly string[];
  /** Undefined when there is no such table. */
  load(table: string): LoadedTable | undefined;
}

/** `lakeDir` is absolute. */
export function catalogReader(disk: Disk, lakeDir: string): CatalogReader {
  return {
    namespace: NAMESPACE,
    tables: [...TABLES.keys()].sort(),
    load(table) {
      if (!TABLES.has(table)) return undefined;
      const directory = `${lakeDir}/${table}`;
      const version = newestVersion(disk, directory);
      if (version === undefined) return undefined;
      return {
        location: uriOf(`${metadataFolder(directory)}/${metadataFileName(version)}`),
        metadata: readVersion(disk, directory, version),
      };
    },
  };
}
