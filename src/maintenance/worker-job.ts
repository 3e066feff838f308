/**
 * Work for the maintenance thread: what reads or writes whole data files, or walks the whole lake. It
 * opens the state read-only for as long as a job takes, and commits nothing.
 */
import type { Disk } from '#src/base/disk';
import type { Databases } from '#src/base/key-value';
import { NO_STEPS } from '#src/iceberg/commit-steps';
import { type CatalogSpec, openCatalog } from '#src/iceberg/open-catalog';
import { RETENTION } from '#src/iceberg/table-metadata';
import { type CompactionJob, type CompactionResult, compact } from '#src/lake/compaction';
import { type AuditCursor, type AuditReport, audit } from '#src/maintenance/audit';
import { findOrphans } from '#src/state/recovery';
import { StateStore } from '#src/state/store';
import { deliver, openWarehouse, type WarehouseSpec } from '#src/warehouse/open-warehouse';

export interface WorkerPlace {
  readonly disk: Disk;
  readonly warehouse: WarehouseSpec;
  readonly catalog: CatalogSpec;
  readonly stateDir: string;
  /** LMDB unless said otherwise. */
  readonly databases?: Databases;
}

export type WorkerJob =
  | { readonly kind: 'compact'; readonly job: CompactionJob }
  | { readonly kind: 'orphans' }
  | { readonly kind: 'audit'; readonly cursor: AuditCursor; readonly filesMax: number };

export type AnswerOf<J extends WorkerJob> = J extends { readonly kind: 'compact' }
  ? CompactionResult
  : J extends { readonly kind: 'orphans' }
    ? string[]
    : AuditReport;

export async function runWorkerJob(
  place: WorkerPlace,
  job: WorkerJob,
): Promise<AnswerOf<WorkerJob>> {
  const { disk, warehouse: spec, catalog, stateDir, databases } = place;
  const warehouse = openWarehouse(disk, spec);
  if (job.kind === 'compact') {
    const files = {
      read: (path: string) => warehouse.get(path),
      deliver: (path: string) => deliver(disk, warehouse, spec, [path]),
    };
    return compact({ disk, lakeDir: spec.dir }, files, job.job);
  }
  const store = await StateStore.open(stateDir, {
    readOnly: true,
    ...(databases !== undefined && { databases }),
  });
  try {
    if (job.kind === 'orphans') return await findOrphans({ warehouse, store });
    const tables = {
      warehouse,
      catalog: openCatalog(catalog),
      step: NO_STEPS,
      retention: RETENTION,
    };
    return await audit({ store, tables }, job.cursor, job.filesMax);
  } finally {
    await store.close();
  }
}
