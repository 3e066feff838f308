/**
 * A data directory in the hands of its one owner.
 *
 *   <dir>/bronze/<exchange>/   the log: the only thing that cannot be made again
 *   <dir>/state/               LMDB: the last epoch
 *   <dir>/lake/<table>/data/   Parquet files
 *   <dir>/lake/<table>/metadata/  the Iceberg table over them
 *   <dir>/staging/             files on their way, where the warehouse is an object store and not lake/
 *   <dir>/cursor.key           what cursors of the API are signed with
 *   <dir>/lock                 who owns it
 *   <dir>/closed               there when the last owner closed it in order
 *
 * Opening it takes the lock, opens the state (after an unclean end a process of its own has read it
 * before), adds configured instruments to the registry, finishes what the last process left undone
 * and deletes files no epoch names; only then may actors start.
 */
import { join } from 'node:path';
import { EXCHANGES, type Exchange, exchangeKey } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import type { Clock } from '#src/base/clock';
import { type Disk, makeDirectoryDurably, writeFileDurably } from '#src/base/disk';
import { EXIT, UserError } from '#src/base/errors';
import type { Databases } from '#src/base/key-value';
import { nodeDisk } from '#src/base/node-disk';
import { Turns } from '#src/base/turns';
import type { Config } from '#src/config/schema';
import { NO_STEPS } from '#src/iceberg/commit-steps';
import { openCatalog } from '#src/iceberg/open-catalog';
import { icebergTables, type Tables } from '#src/iceberg/publication';
import type { Lake } from '#src/iceberg/table-place';
import type { StagedFile } from '#src/lake/staged-file';
import { LogHead } from '#src/log/log-head';
import { listSegments, segmentPath } from '#src/log/segment-files';
import { snapshotRetention } from '#src/maintenance/jobs';
import type { UpkeepChange } from '#src/maintenance/upkeep-queue';
import type { Steps } from '#src/maintenance/upkeep-steps';
import type { ExchangeProgress } from '#src/runtime/epoch-report';
import type { DataPaths } from '#src/runtime/thread-spec';
import { checkStateApart } from '#src/state/check-apart';
import type { BinanceStream } from '#src/state/identity';
import type { RegisteredInstrument } from '#src/state/instrument-registry';
import { lmdbDatabases } from '#src/state/open-environment';
import { deleteRemoved, recoverLake } from '#src/state/recovery';
import { type DerivationRules, rulesOf } from '#src/state/rules';
import { StateStore } from '#src/state/store';
import { acquireDataDirectory } from '#src/supervision/data-directory-lock';
import {
  clearStaging,
  openWarehouse,
  type WarehouseSpec,
  warehouseSpec,
} from '#src/warehouse/open-warehouse';

/** The file that says a directory was closed in order. */
const CLOSED = 'closed';

export interface DataDirectory {
  readonly dir: string;
  readonly paths: DataPaths;
  readonly store: StateStore;
  readonly disk: Disk;
  /** Where the tables are, and as other threads are told of it. */
  readonly tables: Lake;
  readonly warehouse: WarehouseSpec;
  readonly step: Steps;
  /** Brings them in line with the state. */
  readonly publication: Tables;
  /** Commits to the tables and deletions of their files, one after the other. */
  readonly turns: Turns;
  /** Every instrument the directory has ever had, by code. */
  readonly instruments: readonly RegisteredInstrument[];
  /** The kind of Binance stream whose trade ids the directory holds. */
  readonly binanceStream: BinanceStream;
  /** The rules to derive by. */
  readonly rules: DerivationRules;
  /** Brings the tables in line with the last epoch and deletes files no epoch names. */
  recover(): Promise<void>;
  /** The whole state is being read by a process of its own; rejects when it is damaged. */
  readonly stateChecked: Promise<void>;
  close(): Promise<void>;
}

export function dataPaths(dir: string): DataPaths {
  return { bronze: join(dir, 'bronze'), state: join(dir, 'state'), lake: join(dir, 'lake') };
}

export interface OpenOptions {
  readonly config: Config;
  readonly instruments: readonly Omit<Instrument, 'code'>[];
  readonly clock: Clock;
  /**
   * The kind of Binance stream about to be stored; a directory that holds the other kind refuses.
   * `as stored` takes the directory's own kind, or the configuration's where it has none yet;
   * undefined when nothing of Binance's will be stored.
   */
  readonly binanceStream: BinanceStream | 'as stored' | undefined;
  /** Derive by the directory's own rules where it has any, not by those of the configuration. */
  readonly keepRules?: boolean;
  /** The bronze of another directory, to derive this one from it (`bullion rebuild`). */
  readonly bronze?: string;
  /** The state may be damaged: nothing is opened here before all of it has been read elsewhere. */
  readonly distrustState?: boolean;
  /** What the owner does, for the message a second one gets: `supervisor`, `import`, ... */
  readonly purpose: string;
  /** The machine's, unless said otherwise. */
  readonly ground?: Ground;
  /** Told of every named point of commits and maintenance: for tests that crash there. */
  readonly step?: Steps;
}

/** What a data directory stands on. */
export interface Ground {
  readonly disk: Disk;
  readonly databases: Databases;
  readonly acquire: (
    dir: string,
    owner: { readonly clock: Clock; readonly purpose: string },
  ) => Promise<{ release(): Promise<void> }>;
  readonly publication: (tables: Lake) => Tables;
  /** Reads a state elsewhere, where reading it could end the process. */
  readonly checkState?: typeof checkStateApart;
}

const machineGround = (): Ground => ({
  disk: nodeDisk(),
  databases: lmdbDatabases,
  acquire: acquireDataDirectory,
  publication: icebergTables,
  checkState: checkStateApart,
});

export async function openDataDirectory(options: OpenOptions): Promise<DataDirectory> {
  const { config, clock, purpose } = options;
  const dir = config.data_dir;
  const ground = options.ground ?? machineGround();
  const { disk, databases, acquire, checkState, publication: tablesOver } = ground;
  const lock = await acquire(dir, { clock, purpose });
  try {
    const paths = { ...dataPaths(dir), ...(options.bronze && { bronze: options.bronze }) };
    const warehouse = warehouseSpec(config, dir);
    makeDirectoryDurably(disk, warehouse.dir);
    await clearStaging(disk, warehouse);
    makeDirectoryDurably(disk, paths.bronze);
    for (const exchange of EXCHANGES) {
      makeDirectoryDurably(disk, join(paths.bronze, exchangeKey(exchange)));
    }
    const wasClosed = takeClosedMark(disk, dir);
    const isThere = disk.stat(paths.state) !== undefined;
    const isAwaited = !wasClosed || options.distrustState === true;
    const check = isThere ? checkState?.(paths.state, isAwaited) : undefined;
    if (isAwaited) await check?.core;
    if (options.distrustState) await check?.whole;
    const store = await StateStore.open(paths.state, { createdUs: clock.nowUs(), databases });
    try {
      const stored = store.identity.binanceStream ?? config.exchanges.binance.channel;
      const asked = options.binanceStream;
      const binanceStream = asked === undefined || asked === 'as stored' ? stored : asked;
      if (asked !== undefined) await store.fixBinanceStream(binanceStream);
      const configured = rulesOf(config);
      const rules = (options.keepRules === true && store.identity.rules) || configured;
      const known = store.instruments().length;
      const instruments = await store.registerInstruments(options.instruments);
      await store.setRules(rules, known > 0 && instruments.length > known);
      const step = options.step ?? NO_STEPS;
      const tables: Lake = {
        warehouse: openWarehouse(disk, warehouse),
        catalog: openCatalog(config.catalog),
        step,
        retention: snapshotRetention(config.maintenance),
      };
      const publication = tablesOver(tables);
      const turns = new Turns();
      const data: DataDirectory = {
        dir,
        paths,
        store,
        disk,
        tables,
        warehouse,
        step,
        publication,
        turns,
        instruments,
        binanceStream,
        rules,
        recover: () =>
          turns.take(() =>
            recoverLake({
              warehouse: tables.warehouse,
              store,
              tables: {
                reconcile: (record) => publication.reconcile(record, (table) => store.files(table)),
                shownEpochs: (names) => publication.shownEpochs(names),
              },
            }),
          ),
        stateChecked: check?.whole ?? Promise.resolve(),
        close: async () => {
          check?.stop();
          await store.close();
          writeFileDurably(disk, join(dir, CLOSED), new Uint8Array(0));
          await lock.release();
        },
      };
      await data.recover();
      return data;
    } catch (error) {
      check?.stop();
      await store.close();
      throw error;
    }
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Whether the last owner closed the directory in order; from now on it counts as not closed. */
function takeClosedMark(disk: Disk, dir: string): boolean {
  const path = join(dir, CLOSED);
  if (disk.stat(path) === undefined) return false;
  disk.unlink(path);
  disk.syncDirectory(dir);
  return true;
}

/**
 * Resolves once bronze is on disk up to `progress`. It does not ask the ingest actors, which may be
 * restarting: syncing a file through any descriptor syncs what every other one has written to it.
 */
export async function syncBronze(
  { paths, disk }: DataDirectory,
  heads: ReadonlyMap<Exchange, SharedArrayBuffer>,
  progress: readonly ExchangeProgress[],
): Promise<void> {
  await Promise.all(
    progress.map(async ({ exchange, nextSequence }) => {
      const memory = heads.get(exchange);
      if (memory !== undefined) {
        const head = new LogHead(memory, 0);
        if (head.refresh() && head.durableNextSequence >= nextSequence) return;
      }
      const dir = join(paths.bronze, exchangeKey(exchange));
      // Segments below the newest one were synced when they were sealed.
      const newest = listSegments(disk, dir).at(-1);
      if (newest === undefined) return;
      const fd = disk.open(segmentPath(dir, newest), 'update');
      try {
        await disk.datasync(fd);
      } catch (error) {
        throw new UserError(
          EXIT.io,
          `${segmentPath(dir, newest)} cannot be synced; check the disk, then start again`,
          { cause: error },
        );
      } finally {
        disk.close(fd);
      }
    }),
  );
}

/**
 * Makes the last committed epoch, which added these files and took this maintenance along, the
 * visible one, and deletes the replaced files that no snapshot shows any more. Repeatable.
 */
export function publishEpoch(
  { store, tables, publication, turns, step }: DataDirectory,
  epoch: number,
  added: readonly StagedFile[],
  upkeep?: UpkeepChange,
): Promise<void> {
  return turns.take(async () => {
    const { committedUs } = store.epoch();
    const left = new Set([...(upkeep?.retired ?? []), ...(upkeep?.expired ?? [])]);
    const removed = store.removedFiles().filter(({ removedEpoch }) => removedEpoch === epoch);
    await publication.publish({
      epoch,
      committedUs,
      added,
      removed: removed.filter(({ path }) => !left.has(path)),
      upkeep: {
        added: upkeep?.added ?? [],
        removed: removed.filter(({ path }) => left.has(path)),
      },
    });
    if (upkeep !== undefined) step('upkeep-published', '');
    await store.markPublished(epoch);
    const { warehouse } = tables;
    await deleteRemoved({ warehouse, store }, (names) => publication.shownEpochs(names));
    if (upkeep !== undefined) step('upkeep-deleted', '');
  });
}
