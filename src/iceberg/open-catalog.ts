/** Which catalog there is, as plain data that goes to every thread, and the catalog of that description. */
import type { Config } from '#src/config/schema';
import type { Catalog } from '#src/iceberg/catalog';
import { FILE_CATALOG } from '#src/iceberg/file-catalog';

export type CatalogSpec = Config['catalog'];

export function openCatalog(_spec: CatalogSpec): Catalog {
  return FILE_CATALOG;
}
