/**
 * The tables as a catalog for readers: their names and their newest metadata, as the catalog has them
 * now. For threads and processes that do not own the data directory.
 */
import { NAMESPACE } from '#schemas/tables';
import type { Catalog, MetadataText } from '#src/iceberg/catalog';
import { TABLES } from '#src/iceberg/table-definition';
import type { Warehouse } from '#src/warehouse/warehouse';

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
  load(table: string): Promise<LoadedTable | undefined>;
}

export function catalogReader(catalog: Catalog, warehouse: Warehouse): CatalogReader {
  const loaded = ({ location, text }: MetadataText): LoadedTable => ({ location, metadata: text });
  return {
    namespace: NAMESPACE,
    tables: [...TABLES.keys()].sort(),
    async load(table) {
      if (!TABLES.has(table)) return undefined;
      const found = await catalog.read(warehouse, table);
      return found && loaded(found);
    },
  };
}
