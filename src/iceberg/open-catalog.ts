/** Which catalog there is, as plain data that goes to every thread, and the catalog of that description. */
import { systemClock } from '#src/base/clock';
import { pause, systemTimers } from '#src/base/timers';
import type { Config } from '#src/config/schema';
import type { Catalog } from '#src/iceberg/catalog';
import { FILE_CATALOG } from '#src/iceberg/file-catalog';
import { RestCatalog } from '#src/iceberg/rest-catalog';

export type CatalogSpec = Config['catalog'];

const MINUTE_MS = 60_000;

/** The token of a REST catalog is taken from the environment here, and kept nowhere else. */
export function openCatalog(spec: CatalogSpec): Catalog {
  if (spec.type === 'file') return FILE_CATALOG;
  const { uri, warehouse, timeout_ms: timeoutMs, outage_minutes: minutes } = spec;
  return new RestCatalog({
    uri,
    warehouse,
    token: process.env.BULLION_CATALOG_TOKEN,
    patience: {
      clock: systemClock(),
      pause: (ms) => pause(systemTimers, ms),
      timeoutMs,
      outageMs: minutes * MINUTE_MS,
    },
  });
}
