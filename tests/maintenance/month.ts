/**
 * A month of a server that never stops, in memory: an epoch every five minutes with one new file per
 * table of trades and a new file for the day's candles, and the maintenance that the configuration
 * schedules, planned by the product's own code and committed to real tables. Data files exist in name only.
 */

import { GOLD_TRADES } from '#schemas/trade';
import { makeDirectoryDurably } from '#src/base/disk';
import type { Config } from '#src/config/schema';
import { loadTable, type TableVersion } from '#src/iceberg/catalog';
import { NO_STEPS } from '#src/iceberg/commit-steps';
import { FILE_CATALOG } from '#src/iceberg/file-catalog';
import { mayHold } from '#src/iceberg/manifest';
import { STATUS } from '#src/iceberg/manifest-entry';
import {
  expireTables,
  mergeTableManifests,
  publishChange,
  reconcileTables,
  shownEpochs,
} from '#src/iceberg/publication';
import { partitionTuple, TABLES, tableDefinition } from '#src/iceberg/table-definition';
import { currentSnapshot, type Snapshot } from '#src/iceberg/table-metadata';
import { type Lake, readManifest, readManifestList } from '#src/iceberg/table-place';
import { COMPACTED_TABLES } from '#src/lake/compaction-tables';
import { DAY_US, dayOf, dayPartition, HOUR_US, hourPartition } from '#src/lake/partition';
import type { StagedFile } from '#src/lake/staged-file';
import { compactionRules, snapshotRetention } from '#src/maintenance/jobs';
import { planCompaction } from '#src/maintenance/plan-compaction';
import { planRetention } from '#src/maintenance/plan-retention';
import type { DataFile, RemovedFile } from '#src/state/file-catalog';
import { DiskWarehouse } from '#src/warehouse/disk-warehouse';
import { dataFile } from '#tests/iceberg/lake-model';
import { MemoryDisk } from '#tests/support/memory-disk';

export const START_US = Date.UTC(2026, 10, 1) * 1000;
const EPOCH_US = 300_000_000;
const MINUTE_US = 60_000_000;
const LAKE = '/lake';

export interface TableCounts {
  live: number;
  /** Out of the table, still on the disk because a snapshot shows them. */
  removed: number;
  rows: number;
  snapshots: number;
  manifests: number;
  metadataFiles: number;
}

type PerEpoch = (timeUs: number, name: string) => StagedFile[];

/** What an epoch adds to each table. */
const ADDS: Readonly<Record<string, PerEpoch>> = {
  gold_crypto_trades: (timeUs, name) => [
    dataFile('gold_crypto_trades', hourPartition(Math.floor(timeUs / HOUR_US)), name, 1000),
  ],
  silver_binance_trades: (timeUs, name) => [
    dataFile('silver_binance_trades', hourPartition(Math.floor(timeUs / HOUR_US)), name, 1000),
  ],
  silver_dlq_trades: (timeUs, name) => [
    dataFile('silver_dlq_trades', dayPartition('dlq_date', dayOf(timeUs)), name, 1),
  ],
  gold_ohlcv_1m: (timeUs, name) => [
    dataFile('gold_ohlcv_1m', dayPartition('window_date', dayOf(timeUs)), name, 1440),
  ],
  // A segment is sealed once an hour.
  bronze_binance_trades: (timeUs, name) =>
    timeUs % HOUR_US < EPOCH_US
      ? [dataFile('bronze_binance_trades', dayPartition('receive_date', dayOf(timeUs)), name, 9)]
      : [],
};

export class Month {
  readonly disk = new MemoryDisk();
  readonly #config: Config['maintenance'];
  readonly #lake: Lake;
  readonly #tables: readonly string[];
  #live = new Map<string, Map<string, DataFile>>();
  #removed: RemovedFile[] = [];
  #candlesFromUs: readonly number[] = [0, 0, 0, 0, 0, 0];
  #epoch = 0;
  #names = 0;

  constructor(config: Config['maintenance'], tables: readonly string[]) {
    this.#config = config;
    this.#tables = tables;
    makeDirectoryDurably(this.disk, LAKE);
    const retention = snapshotRetention(config);
    const warehouse = new DiskWarehouse(this.disk, LAKE);
    this.#lake = { warehouse, catalog: FILE_CATALOG, step: NO_STEPS, retention };
    for (const table of TABLES.keys()) this.#live.set(table, new Map());
  }

  async start(): Promise<void> {
    const stamp = { epoch: 0, committedUs: START_US };
    await reconcileTables(this.#lake, stamp, () => []);
  }

  async day(day: number): Promise<void> {
    for (let us = 0; us < DAY_US; us += EPOCH_US) await this.#step(START_US + day * DAY_US + us);
  }

  async #step(nowUs: number): Promise<void> {
    const isDue = (minutes: number): boolean => nowUs % (minutes * MINUTE_US) < EPOCH_US;
    const every = this.#config.every_minutes;
    const added = this.#tables.flatMap((table) =>
      (ADDS[table] as PerEpoch)(nowUs, `e${this.#names++}`),
    );
    const upkeep = { added: [] as StagedFile[], gone: [] as DataFile[] };
    const files = (table: string): Iterable<DataFile> => this.#files(table).values();
    if (isDue(every.compaction)) {
      for (const table of COMPACTED_TABLES.keys()) {
        const rules = compactionRules(this.#config, false);
        for (const task of planCompaction(files(table), nowUs, rules)) {
          const rows = task.inputs.reduce((sum, input) => sum + input.rows, 0);
          upkeep.added.push(dataFile(table, task.partition, `c${this.#names++}`, rows));
          for (const { path } of task.inputs) {
            upkeep.gone.push(this.#files(table).get(path) as DataFile);
          }
        }
      }
    }
    if (isDue(every.retention) && upkeep.gone.length === 0) {
      const days = this.#config.retention_days;
      const plan = planRetention(files, this.#candlesFromUs, nowUs, days);
      upkeep.gone.push(...plan.expired);
      this.#candlesFromUs = plan.candlesFromUs;
    }
    const replaced = added.flatMap((file) =>
      file.table.startsWith('gold_ohlcv')
        ? [...files(file.table)].filter(({ partition }) => partition === file.partition)
        : [],
    );
    this.#epoch++;
    const stamp = { epoch: this.#epoch, committedUs: nowUs };
    for (const file of [...replaced, ...upkeep.gone]) {
      this.#files(file.table).delete(file.path);
      this.#removed.push({ ...file, removedEpoch: this.#epoch });
    }
    for (const file of [...added, ...upkeep.added]) {
      this.#files(file.table).set(file.path, { ...file, epoch: this.#epoch, addedUs: nowUs });
    }
    await publishChange(this.#lake, {
      ...stamp,
      added,
      removed: replaced,
      upkeep: { added: upkeep.added, removed: upkeep.gone },
    });
    const nowMs = Math.floor(nowUs / 1000);
    if (isDue(every.snapshots)) await expireTables(this.#lake, nowMs);
    if (isDue(every.manifests)) {
      await mergeTableManifests(this.#lake, nowMs, this.#config.manifests_max);
    }
    const shown = await shownEpochs(
      this.#lake,
      this.#removed.map(({ table }) => table),
    );
    this.#removed = this.#removed.filter(({ table, epoch, removedEpoch }) =>
      shown(table).some((e) => epoch <= e && e < removedEpoch),
    );
  }

  counts(table: string): TableCounts {
    const names = this.disk.readdir(`${LAKE}/${table}/metadata`);
    const count = (pattern: RegExp): number => names.filter((name) => pattern.test(name)).length;
    const files = [...this.#files(table).values()];
    return {
      live: files.length,
      removed: this.#removed.filter((file) => file.table === table).length,
      rows: files.reduce((sum, { rows }) => sum + rows, 0),
      snapshots: count(/^snap-/),
      manifests: count(/^manifest-/),
      metadataFiles: count(/^v\d+\.metadata\.json$/),
    };
  }

  /** What planning a query of one hour of gold reads: of the manifests, those whose bounds allow it. */
  async planHour(timeUs: number): Promise<{ manifests: number; read: number; files: number }> {
    const { warehouse, catalog } = this.#lake;
    const { metadata } = (await loadTable(catalog, warehouse, GOLD_TRADES)) as TableVersion;
    const rows = await readManifestList({ warehouse }, currentSnapshot(metadata) as Snapshot);
    const folder = hourPartition(Math.floor(timeUs / HOUR_US));
    const tuple = partitionTuple(tableDefinition(GOLD_TRADES).partition, folder);
    const read = rows.filter((row) => mayHold(row, tuple));
    let files = 0;
    for (const row of read) {
      for (const { data_file, status } of await readManifest({ warehouse }, row)) {
        if (status !== STATUS.deleted && data_file.file_path.includes(`/${folder}/`)) files++;
      }
    }
    return { manifests: rows.length, read: read.length, files };
  }

  livePaths(table: string): string[] {
    return [...this.#files(table).keys()].sort();
  }

  #files(table: string): Map<string, DataFile> {
    return this.#live.get(table) as Map<string, DataFile>;
  }
}
