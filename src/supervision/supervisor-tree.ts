/**
 * The supervisor: starts the actors, watches them, drives epochs, and ends them in order.
 *
 *   start   processing group -> ingest (one per exchange) -> gateway
 *   stop    ingest -> drain -> last epoch -> gateway -> processing group
 *
 * The processing group restarts as one from the last epoch; ingest actors and the gateway restart
 * alone. More restarts than the intensity allows, or a failure that only a person can mend, ends the
 * process with one reason and its exit code.
 */

import { type Exchange, exchangeCode, exchangeKey } from '#schemas/exchange';
import type { SystemStatus } from '#src/api/health';
import type { Clock } from '#src/base/clock';
import { EXIT, type ExitCode } from '#src/base/errors';
import { mark } from '#src/base/marks';
import { every, type Timer, type Timers } from '#src/base/timers';
import { allocateLiveCandles } from '#src/candles/live-candles';
import type { Config } from '#src/config/schema';
import { LogHead } from '#src/log/log-head';
import type { GatewayControl, IngestControl, Stoppable } from '#src/runtime/control';
import { allocateDoorbells } from '#src/runtime/group-memory';
import type { Failure } from '#src/runtime/supervisor-line';
import type { GatewaySpec, IngestSpec } from '#src/runtime/thread-spec';
import { ActorReports, waitingForDisk } from '#src/supervision/actor-reports';
import type { ActorThread } from '#src/supervision/actor-thread';
import { answered } from '#src/supervision/answered';
import { Board } from '#src/supervision/board';
import { Child } from '#src/supervision/child';
import { type DataDirectory, syncBronze } from '#src/supervision/data-directory';
import { commitSteps } from '#src/supervision/epoch-commit';
import { failureOf, messageOf } from '#src/supervision/failure';
import { groupUp } from '#src/supervision/group-up';
import { HeartbeatWatch } from '#src/supervision/heartbeats';
import { ingestStart } from '#src/supervision/ingest-start';
import { lastEpoch } from '#src/supervision/last-epoch';
import type { Layout } from '#src/supervision/layout';
import { ledgerGaps } from '#src/supervision/ledger-gaps';
import {
  groupShape,
  type Log,
  ProcessingGroup,
  validationShardOf,
} from '#src/supervision/processing-group';
import { addRestart, type RestartIntensity } from '#src/supervision/restart-intensity';
import { ScheduledMaintenance } from '#src/supervision/scheduled-maintenance';
import { epochStatus, exchangeStatus } from '#src/supervision/status';
import type { Workers } from '#src/supervision/workers';
import { allocateLiveTrades } from '#src/trades/live-trades';

const TICK_MS = 250;
/** Frames that may wait to be judged before bronze tables have to wait: a tenth of a second's work. */
const FRAMES_BEHIND_MAX = 100_000;

export interface SupervisorOptions {
  readonly config: Config;
  readonly data: DataDirectory;
  readonly exchanges: readonly Exchange[];
  readonly layout: Layout;
  readonly clock: Clock;
  readonly runName: string;
  readonly timers: Timers;
  readonly workers: Workers;
  readonly log: Log;
  readonly gateway: Pick<GatewaySpec, 'access' | 'cursorSecret'>;
  /** The process cannot go on; called once. */
  readonly giveUp: (exitCode: ExitCode, reason: string) => void;
}

export class SupervisorTree {
  readonly #options: SupervisorOptions;
  readonly #intensity: RestartIntensity;
  readonly #board: Board;
  readonly #heads: ReadonlyMap<Exchange, SharedArrayBuffer>;
  readonly #doorbells: SharedArrayBuffer;
  readonly #live: SharedArrayBuffer;
  readonly #liveTrades: SharedArrayBuffer;
  readonly #ingest: readonly Child<IngestControl>[];
  readonly #gateway: Child<GatewayControl>;
  readonly #heartbeats: HeartbeatWatch;
  readonly #reports: ActorReports;
  readonly #maintenance: ScheduledMaintenance;

  readonly #answered = <T>(call: Promise<T> | undefined) => answered(this.#options.timers, call);

  #group: ProcessingGroup | undefined;
  /** The generation being ended; until the next one is made it is the group. */
  #failed: ProcessingGroup | undefined;
  #generation = 0;
  #groupRestarts = 0;
  #recentGroupRestarts: readonly number[] = [];
  #epochDueMs = 0;
  #rowsAtEpoch = 0;
  #ticker: Timer | undefined;
  #reporting = false;
  #starting: Promise<unknown> = Promise.resolve();
  /** The restart of the processing group under way. */
  #restarting: Promise<void> = Promise.resolve();
  #stopping = false;
  #gaveUp = false;

  constructor(options: SupervisorOptions) {
    const { config, data, exchanges, clock, log } = options;
    this.#options = options;
    const { restart_intensity, restart_period_ms, hang_limit_ms } = config.supervision;
    this.#intensity = { restartsMax: restart_intensity, periodMs: restart_period_ms };
    this.#heartbeats = new HeartbeatWatch(hang_limit_ms);
    this.#reports = new ActorReports(options.layout, this.#heartbeats, clock);
    const shape = groupShape(config);
    this.#board = new Board([...options.layout.coresOf.keys()]);
    this.#heads = new Map(
      exchanges.map((exchange) => [exchange, new SharedArrayBuffer(LogHead.byteSize)]),
    );
    this.#doorbells = allocateDoorbells(shape);
    this.#live = allocateLiveCandles(data.instruments.length, config.candles.live_depth);
    this.#liveTrades = allocateLiveTrades(data.instruments.length);
    const giveUp = (failure: Failure): void => this.#giveUp(failure);
    this.#maintenance = new ScheduledMaintenance({
      ...options,
      jobThread: options.workers.maintenance,
      isInFlight: (path) => path.includes(`/${options.runName}-`),
      onFailure: (error) => giveUp(failureOf(error)),
    });
    const child = { intensity: this.#intensity, clock, log, giveUp };
    this.#ingest = exchanges.map((exchange) => {
      const id = `ingest-${exchangeKey(exchange)}`;
      return new Child<IngestControl>({
        ...child,
        id,
        start: () => this.#thread(this.#ingestSpec(id, exchange)),
      });
    });
    this.#gateway = new Child<GatewayControl>({
      ...child,
      id: 'gateway',
      start: () => this.#thread(this.#gatewaySpec('gateway')),
    });
  }

  /** Resolves when every actor is up, with the port the gateway listens on; without one when a stop came first. */
  start(): Promise<{ port: number } | undefined> {
    const started = this.#start();
    this.#starting = started.catch(() => {}); // told to whoever called start
    return started;
  }

  async #start(): Promise<{ port: number } | undefined> {
    this.#startGroup();
    await groupUp({
      group: () => this.#group as ProcessingGroup,
      restarted: () => this.#restarting,
      isStopping: () => this.#stopping,
    });
    if (this.#stopping) return undefined;
    await Promise.all(this.#ingest.map((ingest) => ingest.start()));
    if (this.#stopping) return undefined;
    await this.#gateway.start();
    if (this.#stopping) return undefined;
    this.#scheduleEpoch();
    this.#ticker = every(this.#options.timers, TICK_MS, () => this.#tick());
    const port = await (this.#gateway.thread as ActorThread<GatewayControl>).control.port();
    return { port };
  }

  /** The live candles, for readers on other threads (src/candles/live-candles.ts). */
  get live(): SharedArrayBuffer {
    return this.#live;
  }

  /** Ends everything in order, with a last epoch over all that was received. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#ticker?.cancel();
    await this.#maintenance.halt();
    const { config, exchanges, log } = this.#options;
    const timeoutMs = config.supervision.stop_timeout_ms / 4;
    await this.#starting; // what is half up cannot be ended in order
    await Promise.all(this.#ingest.map((ingest) => ingest.stop(timeoutMs)));
    await this.#restarting;
    const group = this.#group;
    if (group !== undefined) {
      const failed = group.failed.then(({ message }) => {
        throw new Error(message);
      });
      try {
        const ends = new Map(exchanges.map((exchange) => [exchange, this.#logEnd(exchange)]));
        await Promise.race([lastEpoch(group, ends, this.#options), failed]);
      } catch (error) {
        // The epoch before this one stands; the frames behind it are in bronze for the next start.
        log('warn', 'stopped without a last epoch', { reason: messageOf(error) });
      }
    }
    await this.#maintenance.suspend('the server stopped');
    await this.#gateway.stop(timeoutMs);
    await group?.stop();
  }

  async status(): Promise<SystemStatus> {
    const { data, clock, exchanges } = this.#options;
    const progress = await this.#answered(this.#group?.progress());
    const ingest = await Promise.all(
      this.#ingest.map(({ thread }) =>
        this.#answered(thread?.answer((control) => control.status())),
      ),
    );
    const nowUs = clock.nowUs();
    const reports = this.#reports;
    const group = this.#group;
    const status = exchanges.map((exchange, i) => {
      const judged = progress?.positions.get(exchange);
      return exchangeStatus(exchange, ingest[i], this.#logEnd(exchange), judged, nowUs);
    });
    return {
      exchanges: status,
      actors: [
        ...this.#ingest.map(({ id, thread, restarts }) =>
          reports.of(id, thread, restarts, waitingForDisk(thread)),
        ),
        ...(group?.members ?? []).map((member) =>
          reports.of(member.id, member, this.#groupRestarts, group?.waitingFor(member, status)),
        ),
        reports.of('gateway', this.#gateway.thread, this.#gateway.restarts),
      ],
      last_epoch: epochStatus(data.store.epoch(), nowUs),
      problems: [...this.#maintenance.findings],
    };
  }

  /** Sequence after the newest frame of an exchange's log. */
  #logEnd(exchange: Exchange): number {
    const head = new LogHead(this.#heads.get(exchange) as SharedArrayBuffer, 0);
    head.refresh();
    return head.nextSequence;
  }

  /** Frames received and not yet judged. */
  async #framesBehind(): Promise<number> {
    const positions = (await this.#group?.progress())?.positions;
    const behind = (exchange: Exchange): number =>
      this.#logEnd(exchange) - (positions?.get(exchange)?.nextSequence ?? 0);
    return this.#options.exchanges.reduce((sum, exchange) => sum + behind(exchange), 0);
  }

  #startGroup(): ProcessingGroup {
    const { config, data, layout, clock, runName, workers, log } = this.#options;
    const group = new ProcessingGroup({
      config,
      paths: data.paths,
      instruments: data.instruments,
      store: data.store,
      disk: data.disk,
      generation: this.#generation,
      runName,
      heads: this.#heads,
      doorbells: this.#doorbells,
      live: this.#live,
      liveTrades: this.#liveTrades,
      board: this.#board.memory,
      boardRow: this.#board.row,
      layout,
      workers,
      log,
      isBehind: async () => (await this.#framesBehind()) > FRAMES_BEHIND_MAX,
      epochSteps: {
        syncBronze: (progress) => syncBronze(data, this.#heads, progress),
        ...commitSteps(data, clock, this.#maintenance.queue),
      },
    });
    this.#group = group;
    this.#generation++;
    void group.failed.then((failure) => this.#groupFailed(group, failure));
    return group;
  }

  /** The first thing that fails in a generation ends it; what fails with it changes nothing. */
  #groupFailed(group: ProcessingGroup, failure: Failure): void {
    if (this.#stopping || this.#gaveUp || group !== this.#group || group === this.#failed) return;
    this.#failed = group;
    const { clock, log } = this.#options;
    if (failure.exitCode !== undefined) {
      this.#giveUp(failure); // a person has to mend it; restarting cannot
      return;
    }
    const recent = addRestart(this.#recentGroupRestarts, clock.monotonicMs(), this.#intensity);
    if (recent === undefined) {
      const { restartsMax, periodMs } = this.#intensity;
      this.#giveUp({
        ...failure,
        message: `the processing group failed more than ${restartsMax} times in ${periodMs / 1000} s, last with: ${failure.message}`,
      });
      return;
    }
    this.#recentGroupRestarts = recent;
    this.#groupRestarts++;
    mark('supervision: the processing group restarted');
    log('warn', 'restarting the processing group from the last epoch', {
      reason: failure.message,
      epoch: group.epochs.last,
      restarts: this.#groupRestarts,
    });
    this.#restarting = this.#restartGroup(group).catch((error: unknown) =>
      this.#giveUp(failureOf(error)),
    );
  }

  async #restartGroup(failed: ProcessingGroup): Promise<void> {
    await failed.kill();
    // Recovery deletes what a job has staged.
    await this.#maintenance.suspend('the processing group restarted');
    await this.#options.data.recover();
    const group = this.#startGroup();
    if (!this.#stopping) this.#maintenance.resume();
    this.#scheduleEpoch();
    await group.ready().catch(() => {}); // comes back through its own `failed`
  }

  #tick(): void {
    this.#terminateHung();
    this.#runEpochIfDue();
    this.#maintenance.tick();
    void this.#report();
  }

  /** Gives the gateway the newest status; a gateway or an actor that is slow to answer is not asked twice. */
  async #report(): Promise<void> {
    if (this.#reporting) return;
    this.#reporting = true;
    try {
      const status = await this.status();
      const gateway = this.#gateway.thread;
      await this.#answered(gateway?.answer((control) => control.status(status)));
    } finally {
      this.#reporting = false;
    }
  }

  #terminateHung(): void {
    const { clock, config } = this.#options;
    const threads = [
      ...this.#ingest.map((child) => child.thread),
      this.#gateway.thread,
      ...(this.#group?.members ?? []),
    ].flatMap((thread) => (thread?.state === 'running' ? [thread] : [])); // a start has its own limit
    for (const hung of this.#heartbeats.look(threads, clock.monotonicMs())) {
      const limit = config.supervision.hang_limit_ms;
      mark('supervision: an actor hung');
      void (hung as ActorThread<Stoppable>).terminate(`no heartbeat for ${limit} ms`);
    }
  }

  #runEpochIfDue(): void {
    const group = this.#group;
    if (group === undefined || group === this.#failed || group.epochs.running) return;
    const { clock, config, log } = this.#options;
    const rows = group.validation.reduce((sum, { counters }) => sum + counters.get('trades'), 0);
    const due = clock.monotonicMs() >= this.#epochDueMs;
    if (!due && rows - this.#rowsAtEpoch < config.epochs.rows_max) return;
    this.#rowsAtEpoch = rows;
    this.#scheduleEpoch();
    group.epochs.run().then(
      (epoch) => {
        log('info', 'epoch committed', { epoch });
        this.#passOnGaps();
      },
      (error: unknown) => this.#epochFailed(group, error),
    );
  }

  /** The logs of earlier lives have been judged up to here: what they miss can be fetched now. */
  #passOnGaps(): void {
    const { data, exchanges } = this.#options;
    this.#ingest.forEach((child, i) => {
      const gaps = ledgerGaps(data.store, data.instruments, exchanges[i] as Exchange);
      // An actor that does not answer is told after the next epoch.
      void this.#answered(child.thread?.answer((control) => control.fillGaps(gaps)));
    });
  }

  #epochFailed(group: ProcessingGroup, error: unknown): void {
    if (this.#stopping || group !== this.#group) return;
    this.#groupFailed(group, failureOf(error));
  }

  #scheduleEpoch(): void {
    const { clock, config } = this.#options;
    this.#epochDueMs = clock.monotonicMs() + config.epochs.interval_ms;
  }

  #common(id: string) {
    const { config, data, layout } = this.#options;
    return {
      id,
      cores: layout.coresOf.get(id) ?? [],
      board: this.#board.memory,
      boardRow: this.#board.row(id),
      paths: data.paths,
      instruments: data.instruments,
      config,
    };
  }

  #ingestSpec(id: string, exchange: Exchange): IngestSpec {
    const { config, clock, data } = this.#options;
    return {
      ...this.#common(id),
      role: 'ingest',
      ...ingestStart(data, exchange),
      exchange,
      key: exchangeKey(exchange),
      head: this.#heads.get(exchange) as SharedArrayBuffer,
      doorbells: this.#doorbells,
      validationShard: validationShardOf(exchange, config.layout.validation_shards),
      seed: (clock.nowUs() + exchangeCode(exchange)) >>> 0,
    };
  }

  #gatewaySpec(id: string): GatewaySpec {
    return {
      ...this.#common(id),
      role: 'gateway',
      live: this.#live,
      liveTrades: this.#liveTrades,
      doorbells: this.#doorbells,
      ...this.#options.gateway,
    };
  }

  #thread<C extends Stoppable>(spec: IngestSpec | GatewaySpec): ActorThread<C> {
    const { workers, log } = this.#options;
    return workers.actor<C>(spec, {
      lake: () => Promise.reject(new Error(`${spec.id} writes no tables`)),
      report: () => {},
      log,
    });
  }

  #giveUp(failure: Failure): void {
    if (this.#gaveUp || this.#stopping) return;
    this.#gaveUp = true;
    mark('supervision: given up');
    // What a person has to mend is one sentence; a bug comes with where it happened.
    if (failure.exitCode === undefined)
      this.#options.log('error', failure.message, { stack: failure.stack });
    const exitCode = (failure.exitCode ?? EXIT.internal) as ExitCode;
    this.#options.giveUp(exitCode, failure.message);
  }
}
