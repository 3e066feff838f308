/**
 * The processing group: validation shards, gold shards, the candle aggregator and the lake pool.
 *
 * They share rings, slots and an epoch, so they live and die together: when one of them fails, all
 * are ended, files no epoch names are deleted, and a new generation starts from the last epoch with
 * new memory and replays bronze from its positions. This class is one generation; the supervisor
 * (or an offline run) decides whether there is another.
 */
import { EXCHANGES, type Exchange } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import type { Disk } from '#src/base/disk';
import { UserError } from '#src/base/errors';
import type { Config } from '#src/config/schema';
import type { LakeJob } from '#src/lake/job';
import type { StagedFile } from '#src/lake/staged-file';
import type { CandlesControl, Stoppable, ValidationControl } from '#src/runtime/control';
import type { ExchangeProgress } from '#src/runtime/epoch-report';
import {
  allocateGroupMemory,
  type GroupMemory,
  type GroupShape,
  ringToCandles,
  ringToGold,
} from '#src/runtime/group-memory';
import type { Failure, SupervisorLine } from '#src/runtime/supervisor-line';
import type { DataPaths, ThreadSpec } from '#src/runtime/thread-spec';
import type { StateStore } from '#src/state/store';
import type { Waiting } from '#src/supervision/actor-reports';
import type { ActorThread } from '#src/supervision/actor-thread';
import { tableBronze } from '#src/supervision/bronze-tables';
import { EpochCoordinator, type EpochSteps } from '#src/supervision/epochs';
import type { Layout } from '#src/supervision/layout';
import type { ExchangeStatus } from '#src/supervision/status';
import type { LakeThreads, Workers } from '#src/supervision/workers';
import { warehouseSpec } from '#src/warehouse/open-warehouse';

/**
 * How many hang limits a job of the lake pool may take, its wait included: it has no heartbeat, and a
 * slow disk is not a hang.
 */
const HANG_LIMITS_PER_JOB = 12;

export interface GroupProgress {
  readonly positions: ReadonlyMap<Exchange, ExchangeProgress>;
}

export type Log = SupervisorLine['log'];

export interface GroupOptions {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly instruments: readonly Instrument[];
  readonly store: StateStore;
  readonly disk: Disk;
  /** Counts the starts in this process: names the generation's files. */
  readonly generation: number;
  /** Prefix of file names, new for every process. */
  readonly runName: string;
  /** The heads of the logs somebody appends to in this process. */
  readonly heads: ReadonlyMap<Exchange, SharedArrayBuffer>;
  readonly doorbells: SharedArrayBuffer;
  readonly live: SharedArrayBuffer;
  readonly liveTrades: SharedArrayBuffer | undefined;
  readonly board: SharedArrayBuffer;
  /** Row of an actor on the board. */
  readonly boardRow: (id: string) => number;
  readonly layout: Layout;
  readonly workers: Workers;
  readonly log: Log;
  /** Whether frames wait to be judged that matter more than bronze tables. */
  readonly isBehind: () => Promise<boolean>;
  readonly epochSteps: Omit<EpochSteps, 'barrier' | 'tableBronze'>;
}

export function groupShape(config: Config): GroupShape {
  return {
    validationShards: config.layout.validation_shards,
    goldShards: config.layout.gold_shards,
    slotsPerShard: config.batches.slots_per_shard,
    rowsPerSlot: config.batches.rows,
  };
}

/** The validation shard that owns an exchange. */
export function validationShardOf(exchange: Exchange, shards: number): number {
  return EXCHANGES.indexOf(exchange) % shards;
}

export class ProcessingGroup {
  readonly validation: readonly ActorThread<ValidationControl>[];
  readonly gold: readonly ActorThread<Stoppable>[];
  readonly candles: ActorThread<CandlesControl>;
  readonly epochs: EpochCoordinator;
  /** Resolves with the reason when a member has failed; never when the group is stopped. */
  readonly failed: Promise<Failure>;

  readonly #options: GroupOptions;
  readonly #pool: LakeThreads;
  readonly #memory: GroupMemory;
  #fail: (failure: Failure) => void = () => {};
  #stopping = false;

  constructor(options: GroupOptions) {
    this.#options = options;
    const { config, paths, instruments, store, doorbells, board, boardRow, layout } = options;
    const { live, liveTrades } = options;
    const shape = groupShape(config);
    const last = store.epoch();
    const sets = store.intervalSets();
    const memory = allocateGroupMemory(shape, doorbells);
    this.#memory = memory;
    this.#pool = options.workers.lake({
      warehouse: warehouseSpec(config, config.data_dir),
      instruments,
      threads: config.layout.lake_threads,
      jobMsMax: HANG_LIMITS_PER_JOB * config.supervision.hang_limit_ms,
    });
    const filePrefix = `${options.runName}-${options.generation}`;
    const common = (id: string) => ({
      id,
      cores: layout.coresOf.get(id) ?? [],
      board,
      boardRow: boardRow(id),
      paths,
      instruments,
      config,
      memory,
      filePrefix: `${filePrefix}-${id}`,
    });
    const line = {
      lake: (job: LakeJob) => this.#runLakeJob(job),
      report: (report: Parameters<EpochCoordinator['report']>[0]) => this.epochs.report(report),
      log: options.log,
    };
    const start = <C extends Stoppable>(spec: ThreadSpec) => options.workers.actor<C>(spec, line);
    this.candles = start({ ...common('candles'), role: 'candles', live });
    this.gold = Array.from({ length: shape.goldShards }, (_, shard) => {
      const intervals = new Map(
        sets
          .filter(({ instrument }) => instrument % shape.goldShards === shard)
          .map(({ instrument, intervals }) => [instrument, intervals]),
      );
      return start({ ...common(`gold-${shard}`), role: 'gold', shard, intervals, liveTrades });
    });
    this.validation = Array.from({ length: shape.validationShards }, (_, shard) => {
      const sources = EXCHANGES.filter(
        (exchange) => validationShardOf(exchange, shape.validationShards) === shard,
      ).map((exchange) => ({
        exchange,
        head: options.heads.get(exchange),
        progress: last.progress.find((p) => p.exchange === exchange),
      }));
      return start({ ...common(`validation-${shard}`), role: 'validation', shard, sources });
    });
    const bronzeTables = {
      disk: options.disk,
      bronzeDir: paths.bronze,
      lake: line.lake,
      filePrefix,
      isBehind: options.isBehind,
    };
    this.epochs = new EpochCoordinator(
      {
        ...options.epochSteps,
        barrier: (epoch) => {
          for (const shard of this.validation) void shard.control.barrier(epoch).catch(() => {});
        },
        tableBronze: (progress) => tableBronze(bronzeTables, store.epoch().bronze, progress),
        commit: async (share) => {
          await options.epochSteps.commit(share);
          void this.candles.control.committed().catch(() => {});
        },
      },
      shape,
      last.epoch,
      last.gold,
    );
    this.failed = new Promise((resolve) => {
      this.#fail = (failure) => {
        if (!this.#stopping) resolve(failure);
      };
    });
    for (const member of this.members) void this.#watch(member);
  }

  get members(): readonly ActorThread<Stoppable>[] {
    return [...this.validation, ...this.gold, this.candles];
  }

  /** Resolves when every member is up. */
  async ready(): Promise<void> {
    const failed = this.failed.then((failure) => {
      throw failure.exitCode === undefined
        ? new Error(failure.message)
        : new UserError(failure.exitCode as 70, failure.message);
    });
    await Promise.race([Promise.all(this.members.map((member) => member.ready)), failed]);
  }

  /** How far each exchange's log has been judged. */
  async progress(): Promise<GroupProgress> {
    const shards = await Promise.all(
      this.validation.map((shard) => shard.answer((control) => control.progress())),
    );
    return { positions: new Map(shards.flat().map((progress) => [progress.exchange, progress])) };
  }

  /** What lies in front of a member: frames of its logs, or messages in its rings. */
  waitingFor(
    member: ActorThread<Stoppable>,
    exchanges: readonly Pick<ExchangeStatus, 'exchange' | 'lag_frames'>[],
  ): Waiting {
    const memory = this.#memory;
    const shards = this.validation.length;
    const validation = (this.validation as readonly ActorThread<Stoppable>[]).indexOf(member);
    if (validation >= 0) {
      const mine = exchanges.filter((e) => validationShardOf(e.exchange, shards) === validation);
      return { count: mine.reduce((sum, e) => sum + e.lag_frames, 0), unit: 'frames' };
    }
    const gold = this.gold.indexOf(member);
    const rings =
      gold >= 0
        ? this.validation.map((_, shard) => ringToGold(memory, shard, gold))
        : this.gold.map((_, shard) => ringToCandles(memory, shard));
    return { count: rings.reduce((sum, ring) => sum + ring.size, 0), unit: 'batches' };
  }

  /** Ends every member in flow order, then the pool. Nothing is committed any more. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.epochs.stop(new Error('the processing group is stopping'));
    const timeoutMs = this.#options.config.supervision.stop_timeout_ms / 2;
    await Promise.all(this.members.map((member) => member.stop(timeoutMs)));
    await this.#pool.destroy();
  }

  /** Ends every member wherever it is; an epoch already being committed comes to its end first. */
  async kill(): Promise<void> {
    this.#stopping = true;
    await this.epochs.stop(new Error('the processing group failed'));
    await Promise.all(this.members.map((member) => member.terminate()));
    await this.#pool.destroy();
  }

  async #watch(member: ActorThread<Stoppable>): Promise<void> {
    await member.ready.catch(() => {}); // its failure is told by `ended`
    const { failure } = await member.ended;
    if (failure !== undefined) {
      this.#fail({ ...failure, message: `${member.id}: ${failure.message}` });
    }
  }

  /** What only a person can mend is told from here: an error loses its exit code between threads. */
  async #runLakeJob(job: LakeJob): Promise<readonly StagedFile[]> {
    try {
      return await this.#pool.run(job);
    } catch (error) {
      if (error instanceof UserError) {
        const { message, stack = '', exitCode } = error;
        this.#fail({ message, stack, exitCode });
      }
      throw error;
    }
  }
}
