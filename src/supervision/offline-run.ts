/**
 * The pipeline without exchanges: what `import`, `rebuild` and `dlq replay` run.
 *
 * Takes the data directory like the supervisor does, lets the caller append frames to bronze, and
 * processes every log to its end with the same actors on the same threads, one epoch whenever enough
 * rows have gathered and one at the end. There are no restarts: what is in bronze is safe, and the
 * same command run again goes on from the last epoch.
 */
import { join } from 'node:path';
import { EXCHANGES, type Exchange, exchangeKey } from '#schemas/exchange';
import type { Clock } from '#src/base/clock';
import { UserError } from '#src/base/errors';
import { pause, type Timers } from '#src/base/timers';
import { allocateLiveCandles } from '#src/candles/live-candles';
import type { Config } from '#src/config/schema';
import { describeLog } from '#src/log/describe';
import { LogHead } from '#src/log/log-head';
import { LogWriter } from '#src/log/log-writer';
import type { Doorbell } from '#src/ring/doorbell';
import { coresAllowed } from '#src/runtime/affinity';
import { allocateDoorbells, validationDoorbell } from '#src/runtime/group-memory';
import { Board } from '#src/supervision/board';
import type { DataDirectory } from '#src/supervision/data-directory';
import { commitSteps } from '#src/supervision/epoch-commit';
import { planLayout } from '#src/supervision/layout';
import {
  type GroupProgress,
  groupShape,
  type Log,
  ProcessingGroup,
  validationShardOf,
} from '#src/supervision/processing-group';
import type { Workers } from '#src/supervision/workers';

const POLL_MS = 20;

export interface OfflineOptions {
  readonly config: Config;
  readonly data: DataDirectory;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly workers: Workers;
  readonly log: Log;
  /** The exchange frames are appended for, if any. */
  readonly appendTo: Exchange | undefined;
  /** Whether the last epoch makes bronze tables of sealed segments; what it leaves, later epochs take. */
  readonly bronzeTables?: boolean;
}

export class OfflineRun {
  /** The configuration the run judges by. */
  readonly config: Config;
  /** The log of `appendTo`. */
  readonly writer: LogWriter | undefined;
  readonly #options: OfflineOptions;
  readonly #group: ProcessingGroup;
  readonly #bell: Doorbell | undefined;
  /** Whether every frame is judged. */
  #caughtUp = false;
  #epochs = 0;
  #rowsAtEpoch = 0;
  #epoch: Promise<void> | undefined;
  #failure: unknown;

  constructor(options: OfflineOptions) {
    const { config, data, clock, workers, log, appendTo, bronzeTables = true } = options;
    this.#options = options;
    this.config = config;
    const heads = new Map<Exchange, SharedArrayBuffer>();
    const doorbells = allocateDoorbells(groupShape(config));
    if (appendTo !== undefined) {
      const head = new SharedArrayBuffer(LogHead.byteSize);
      heads.set(appendTo, head);
      this.writer = LogWriter.open({
        disk: data.disk,
        dir: join(data.paths.bronze, exchangeKey(appendTo)),
        exchange: appendTo,
        head: new LogHead(head, 0),
        durableNextSequence:
          data.store.epoch().progress.find((p) => p.exchange === appendTo)?.nextSequence ?? 0,
        segmentBytesMax: config.bronze.segment_mb * 1024 * 1024,
        segmentAgeUsMax: config.bronze.segment_minutes * 60_000_000,
      });
      const shard = validationShardOf(appendTo, config.layout.validation_shards);
      this.#bell = validationDoorbell(doorbells, shard);
    }
    const layout = planLayout(
      {
        exchanges: [],
        validationShards: config.layout.validation_shards,
        goldShards: config.layout.gold_shards,
      },
      coresAllowed(),
    );
    const board = new Board([...layout.coresOf.keys()]);
    this.#group = new ProcessingGroup({
      config,
      paths: data.paths,
      instruments: data.instruments,
      store: data.store,
      disk: data.disk,
      generation: 0,
      runName: `o${clock.nowUs().toString(36)}`,
      heads,
      doorbells,
      live: allocateLiveCandles(data.instruments.length, config.candles.live_depth),
      liveTrades: undefined,
      board: board.memory,
      boardRow: board.row,
      layout,
      workers,
      log,
      isBehind: async () => !(this.#caughtUp && bronzeTables),
      epochSteps: {
        syncBronze: async () => this.writer?.sync(),
        ...commitSteps(data, clock),
      },
    });
    void this.#group.failed.then((failure) => {
      const exitCode = failure.exitCode;
      this.#failure =
        exitCode === undefined
          ? new Error(failure.message + failure.stack)
          : new UserError(exitCode as 70, failure.message);
      // An epoch that waits for a report of the dead would wait for ever.
      void this.#group.epochs.stop(new Error(failure.message));
    });
  }

  ready(): Promise<void> {
    return this.#group.ready();
  }

  /** Frames appended since the last call become readable by the pipeline. */
  appended(): void {
    this.writer?.flush();
    this.#bell?.ring();
    this.#runEpochIfDue();
  }

  /**
   * Processes every log to its end and commits a last epoch; answers the number of epochs of the
   * run. `onProgress` hears how many frames are judged and how many there are.
   */
  async finish(onProgress: (judged: number, frames: number) => void): Promise<number> {
    this.appended();
    await this.writer?.sync();
    const { data } = this.#options;
    const ends = EXCHANGES.map((exchange) => ({
      exchange,
      next: logEnd(data, exchange),
    }));
    const before = data.store.epoch().progress;
    const total = ends.reduce((sum, { next }) => sum + next, 0);
    const unread = ends.some(({ exchange, next }) => {
      const seen = before.find((progress) => progress.exchange === exchange);
      return next > (seen?.nextSequence ?? 0);
    });
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const { positions } = await this.#progress();
      const judged = [...positions.values()].reduce(
        (sum, { nextSequence }) => sum + nextSequence,
        0,
      );
      onProgress(Math.min(judged, total), total);
      if (ends.every(({ exchange, next }) => (positions.get(exchange)?.nextSequence ?? 0) >= next))
        break;
      this.#runEpochIfDue();
      await pause(this.#options.timers, POLL_MS);
    }
    await this.#epoch;
    this.#caughtUp = true;
    if (unread) await this.#runEpoch();
    if (this.#failure !== undefined) throw this.#failure;
    return this.#epochs;
  }

  /** A member that has died does not answer: then what it died of is the reason to give. */
  async #progress(): Promise<GroupProgress> {
    try {
      return await this.#group.progress();
    } catch (error) {
      await pause(this.#options.timers, 0); // until its end has been noted
      throw this.#failure ?? error;
    }
  }

  async close(): Promise<void> {
    await this.#epoch?.catch(() => {});
    await this.#group.stop();
    await this.writer?.close();
  }

  #runEpochIfDue(): void {
    if (this.#epoch !== undefined || this.#failure !== undefined) return;
    const { validation } = this.#group;
    const rows = validation.reduce((sum, { counters }) => sum + counters.get('trades'), 0);
    if (rows - this.#rowsAtEpoch < this.#options.config.epochs.rows_max) return;
    this.#rowsAtEpoch = rows;
    void this.#runEpoch();
  }

  #runEpoch(): Promise<void> {
    this.#epoch = this.#group.epochs
      .run()
      .then(
        () => {
          this.#epochs++;
        },
        (error: unknown) => {
          this.#failure ??= error;
        },
      )
      .finally(() => {
        this.#epoch = undefined;
      });
    return this.#epoch;
  }
}

/** Sequence after the last whole frame of a log. */
function logEnd({ paths, disk }: DataDirectory, exchange: Exchange): number {
  const { segments } = describeLog(disk, join(paths.bronze, exchangeKey(exchange)));
  return segments.at(-1)?.nextSequence ?? 0;
}
