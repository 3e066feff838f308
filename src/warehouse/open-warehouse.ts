/**
 * Which warehouse there is, as plain data that goes to every thread, and the warehouse of that
 * description. The encoders write whole files into a folder of this machine, the staging folder; in a
 * local warehouse that is their place already, and otherwise they are sent on from there.
 */
import { join } from 'node:path';
import { systemClock } from '#src/base/clock';
import { type Disk, readFile } from '#src/base/disk';
import { pause, systemTimers } from '#src/base/timers';
import type { Config } from '#src/config/schema';
import { DiskWarehouse } from '#src/warehouse/disk-warehouse';
import { type S3Location, S3Warehouse } from '#src/warehouse/s3-warehouse';
import { forEachOf, type Warehouse } from '#src/warehouse/warehouse';

export type WarehouseSpec =
  | { readonly kind: 'disk'; readonly dir: string }
  | ({
      readonly kind: 's3';
      /** Staging folder. */
      readonly dir: string;
      readonly timeoutMs: number;
      readonly outageMs: number;
    } & S3Location);

const MINUTE_MS = 60_000;

/** The warehouse of a data directory. */
export function warehouseSpec(
  { warehouse, s3 }: Pick<Config, 'warehouse' | 's3'>,
  dataDir: string,
): WarehouseSpec {
  if (warehouse === 'lake') return { kind: 'disk', dir: join(dataDir, 'lake') };
  const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(warehouse) ?? [];
  return {
    kind: 's3',
    dir: join(dataDir, 'staging'),
    bucket,
    prefix,
    endpoint: s3.endpoint === 'aws' ? undefined : s3.endpoint,
    region: s3.region,
    pathStyle: s3.path_style,
    timeoutMs: s3.timeout_ms,
    outageMs: s3.outage_minutes * MINUTE_MS,
  };
}

export function openWarehouse(disk: Disk, spec: WarehouseSpec): Warehouse {
  if (spec.kind === 'disk') return new DiskWarehouse(disk, spec.dir);
  const { timeoutMs, outageMs } = spec;
  return new S3Warehouse(spec, {
    clock: systemClock(),
    pause: (ms) => pause(systemTimers, ms),
    timeoutMs,
    outageMs,
  });
}

/** Sends staged files on to where they belong; they are gone from the staging folder then. */
export async function deliver(
  disk: Disk,
  warehouse: Warehouse,
  spec: WarehouseSpec,
  paths: readonly string[],
): Promise<void> {
  if (spec.kind === 'disk') return;
  await forEachOf(warehouse, paths, async (path) => {
    const staged = join(spec.dir, path);
    await warehouse.put(path, readFile(disk, staged));
    disk.unlink(staged);
  });
}

/** Deletes what a process that was killed had staged: it is made again from bronze. */
export async function clearStaging(disk: Disk, spec: WarehouseSpec): Promise<void> {
  if (spec.kind === 'disk') return;
  const staging = new DiskWarehouse(disk, spec.dir);
  await staging.delete((await staging.list('')).map(({ path }) => path));
}
