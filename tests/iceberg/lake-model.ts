/**
 * The state store's file catalog as a few lines of plain code, over a lake in memory: what the tables
 * must show, epoch by epoch. Candle files replace their partition's earlier one, others add up.
 */
import assert from 'node:assert/strict';
import { makeDirectoryDurably } from '#src/base/disk';
import type { Catalog } from '#src/iceberg/catalog';
import { COMMIT_STEPS, type CommitStep, NO_STEPS, type StepHook } from '#src/iceberg/commit-steps';
import { FILE_CATALOG } from '#src/iceberg/file-catalog';
import { publishChange, reconcileTables, shownEpochs } from '#src/iceberg/publication';
import { RETENTION, type Retention } from '#src/iceberg/table-metadata';
import type { Lake } from '#src/iceberg/table-place';
import type { StagedFile } from '#src/lake/staged-file';
import { DiskWarehouse } from '#src/warehouse/disk-warehouse';
import type { Warehouse } from '#src/warehouse/warehouse';
import { MemoryDisk } from '#tests/support/memory-disk';

export const LAKE = '/lake';
export const GOLD = 'gold_crypto_trades';
export const CANDLES = 'gold_ohlcv_1m';
export const MONTHS = 'gold_ohlcv_1d';
export const HOUR = 'exchange_date=2026-11-23/exchange_hour=07';
export const DAY = 'window_date=2026-11-23';

/** Two snapshots at most, so that every epoch forgets one. */
export const FEW_SNAPSHOTS: Retention = { snapshotsMin: 1, snapshotsMax: 2, ageMsMax: 86_400_000 };

export class Crash extends Error {}

const EPOCH_MS = 300_000;
const FIRST_US = Date.UTC(2026, 10, 23) * 1000;

export function dataFile(table: string, partition: string, name: string, rows: number): StagedFile {
  const metrics = {
    columnSizes: { 1: 100, 3: 20 },
    valueCounts: { 1: rows, 3: rows },
    nullCounts: { 1: 0, 3: 0 },
    lower: { 3: Buffer.from('BTCUSD').toString('hex') },
    upper: { 3: Buffer.from('XRPUSD').toString('hex') },
    splitOffsets: [4],
  };
  const path = `${table}/data/${partition}/${name}.parquet`;
  return { table, partition, path, rows, bytes: 1000 + rows, sha256: 'ab'.repeat(32), metrics };
}

export interface Change {
  readonly added: readonly StagedFile[];
  /** Paths of files that leave their table and are not replaced. */
  readonly retired?: readonly string[];
}

interface Live extends StagedFile {
  readonly epoch: number;
}

interface Removed extends Live {
  readonly removedEpoch: number;
}

export class LakeModel {
  disk = new MemoryDisk();
  step: StepHook = NO_STEPS;
  epoch = 0;
  published = 0;
  readonly retention: Retention;
  readonly live = new Map<string, Live>();
  removed: Removed[] = [];
  readonly #warehouse: Warehouse | undefined;
  readonly #catalog: Catalog;
  #lastAdded: readonly StagedFile[] = [];

  /** In memory, unless it is given where. */
  constructor(retention: Retention = RETENTION, warehouse?: Warehouse, catalog?: Catalog) {
    this.retention = retention;
    this.#warehouse = warehouse;
    this.#catalog = catalog ?? FILE_CATALOG;
    makeDirectoryDurably(this.disk, LAKE);
  }

  get lake(): Lake {
    const warehouse = this.#warehouse ?? new DiskWarehouse(this.disk, LAKE);
    return { warehouse, catalog: this.#catalog, step: this.step, retention: this.retention };
  }

  get stamp() {
    return { epoch: this.epoch, committedUs: FIRST_US + this.epoch * EPOCH_MS * 1000 };
  }

  /** What the state's one transaction does. */
  commit({ added, retired = [] }: Change): void {
    this.epoch++;
    const retire = (path: string): void => {
      const file = this.live.get(path) as Live;
      this.live.delete(path);
      this.removed.push({ ...file, removedEpoch: this.epoch });
    };
    for (const path of retired) retire(path);
    for (const file of added) {
      if (file.table.startsWith('gold_ohlcv')) {
        for (const earlier of this.filesOf(file.table)) {
          if (earlier.partition === file.partition) retire(earlier.path);
        }
      }
      this.live.set(file.path, { ...file, epoch: this.epoch });
    }
    this.#lastAdded = added;
  }

  async publish(): Promise<void> {
    const removed = this.removed.filter(({ removedEpoch }) => removedEpoch === this.epoch);
    await publishChange(this.lake, { ...this.stamp, added: this.#lastAdded, removed });
    this.published = this.epoch;
  }

  /** What a start does. */
  async recover(): Promise<void> {
    await reconcileTables(this.lake, this.stamp, (table) => this.filesOf(table));
    this.published = this.epoch;
  }

  /** Three epochs, and a fourth that is committed and not published. */
  async makeHistory(): Promise<void> {
    await this.recover();
    for (let i = 0; i < 3; i++) {
      const added = [dataFile(GOLD, HOUR, `g${i}`, 1 + i), dataFile(CANDLES, DAY, `c${i}`, 9)];
      this.commit({ added });
      await this.publish();
    }
    const added = [dataFile(GOLD, HOUR, 'g9', 7), dataFile(CANDLES, DAY, 'c9', 8)];
    this.commit({ added, retired: [this.filesOf(GOLD)[0]!.path] });
  }

  /** Publishes until a step of a table, having passed those before it. */
  async crashAt(step: CommitStep, table: string): Promise<void> {
    const reached: CommitStep[] = [];
    this.step = (name, of) => {
      if (of !== table) return;
      reached.push(name);
      if (name === step) throw new Crash();
    };
    await assert.rejects(this.publish(), Crash);
    assert.deepEqual(reached, COMMIT_STEPS.slice(0, COMMIT_STEPS.indexOf(step) + 1));
    this.step = NO_STEPS;
  }

  filesOf(table: string): Live[] {
    return [...this.live.values()].filter((file) => file.table === table);
  }

  /** Removed files that the tables say nobody can see any more. */
  async unseen(): Promise<Set<string>> {
    const shown = await shownEpochs(
      this.lake,
      this.removed.map(({ table }) => table),
    );
    const isSeen = ({ table, epoch, removedEpoch }: Removed): boolean =>
      shown(table).some((e) => epoch <= e && e < removedEpoch);
    return new Set(this.removed.filter((file) => !isSeen(file)).map(({ path }) => path));
  }
}
