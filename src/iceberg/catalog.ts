/**
 * The catalog port: who says which metadata of a table is the newest, and takes a newer one in its place.
 * There is the file catalog (the files themselves) and the external REST catalog.
 */
import type { CommitStep } from '#src/iceberg/commit-steps';
import { parseMetadata } from '#src/iceberg/metadata-text';
import type { TableDefinition } from '#src/iceberg/table-definition';
import type { TableMetadata } from '#src/iceberg/table-metadata';
import type { Warehouse } from '#src/warehouse/warehouse';

/** The newest metadata of a table as text, and where it is. */
export interface MetadataText {
  /** Grows with every commit; 0 where the catalog does not count. */
  readonly version: number;
  /** URI of its file. */
  readonly location: string;
  readonly text: string;
}

export interface TableVersion extends Omit<MetadataText, 'text'> {
  readonly metadata: TableMetadata;
}

/** The table a catalog is asked about, and who is told of the steps of a commit to it. */
export interface CatalogTable {
  readonly warehouse: Warehouse;
  readonly definition: TableDefinition;
  readonly step: (step: CommitStep) => void;
}

export interface Catalog {
  /** Undefined when there is no such table. */
  read(warehouse: Warehouse, table: string): Promise<MetadataText | undefined>;
  /** Metadata in the place of whatever there may be; undefined when somebody else was first. */
  create(table: CatalogTable, metadata: TableMetadata): Promise<TableVersion | undefined>;
  /**
   * Makes `metadata` the version after `base` and deletes metadata files that no version names any
   * more; undefined when somebody else has committed since. Where the answer was lost the
   * outcome is looked up: nothing is committed twice.
   */
  commit(
    table: CatalogTable,
    base: TableVersion,
    metadata: TableMetadata,
  ): Promise<TableVersion | undefined>;
  /** Puts right what commits that were cut short have left of the catalog's own files. */
  tidy(table: CatalogTable, current: TableVersion): Promise<void>;
}

/** A table's newest version; undefined when there is none, or none this program can have written. */
export async function loadTable(
  catalog: Catalog,
  warehouse: Warehouse,
  table: string,
): Promise<TableVersion | undefined> {
  const found = await catalog.read(warehouse, table);
  if (found === undefined) return undefined;
  const metadata = parseMetadata(found.text);
  return metadata && { version: found.version, location: found.location, metadata };
}
