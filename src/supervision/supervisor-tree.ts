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
import { EXIT, type ExitCode, UserError } from '#src/base/errors';
import { allocateLiveCandles } from '#src/candles/live-candles';
import type { Config } from '#src/config/schema';
import { LogHead } from '#src/log/log-head';
import type { GatewayControl, IngestControl, IngestStatus, Stoppable } from '#src/runtime/control';
import { allocateDoorbells } from '#src/runtime/group-memory';
import type { Failure } from '#src/runtime/supervisor-line';
import type { GatewaySpec, IngestSpec } from '#src/runtime/thread-spec';
import { ActorThread } from '#src/supervision/actor-thread';
import { Board } from '#src/supervision/board';
import { Child } from '#src/supervision/child';
import { type DataDirectory, publishEpoch, syncBronze } from '#src/supervision/data-directory';
import { HeartbeatWatch } from '#src/supervision/heartbeats';
import type { Layout } from '#src/supervision/layout';
import {
  type GroupProgress,
  groupShape,
  type Log,
  ProcessingGroup,
  validationShardOf,
} from '#src/supervision/processing-group';
import { addRestart, type RestartIntensity } from '#src/supervision/restart-intensity';

const TICK_MS = 250;
/** How long a stop may wait for the logs to be processed to their ends. */
const DRAIN_MS_MAX = 4_000;

export interface SupervisorOptions {
  readonly config: Config;
  readonly data: DataDirectory;
  readonly exchanges: readonly Exchange[];
  readonly layout: Layout;
  readonly clock: Clock;
  readonly runName: string;
  readonly entry: URL;
  readonly lakeWorker: URL;
  readonly log: Log;
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
  readonly #ingest: readonly Child<IngestControl>[];
  readonly #gateway: Child<GatewayControl>;
  readonly #heartbeats: HeartbeatWatch;

  #group: ProcessingGroup | undefined;
  /** The last generation that failed: its end and its epoch's both tell of the same failure. */
  #fallen: ProcessingGroup | undefined;
  #generation = 0;
  #groupRestarts = 0;
  #recentGroupRestarts: readonly number[] = [];
  #epochDueMs = 0;
  #rowsAtEpoch = 0;
  #ticker: NodeJS.Timeout | undefined;
  #tellingStatus = false;
  #stopping = false;
  #gaveUp = false;

  constructor(options: SupervisorOptions) {
    const { config, data, exchanges, clock, log } = options;
    this.#options = options;
    const { restart_intensity, restart_period_ms, hang_limit_ms } = config.supervision;
    this.#intensity = { restartsMax: restart_intensity, periodMs: restart_period_ms };
    this.#heartbeats = new HeartbeatWatch(hang_limit_ms);
    const shape = groupShape(config);
    this.#board = new Board([...options.layout.coresOf.keys()]);
    this.#heads = new Map(
      exchanges.map((exchange) => [exchange, new SharedArrayBuffer(LogHead.byteSize)]),
    );
    this.#doorbells = allocateDoorbells(shape);
    this.#live = allocateLiveCandles(data.instruments.length, config.candles.live_depth);
    const giveUp = (failure: Failure): void => this.#giveUp(failure);
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
      start: () => this.#thread({ ...this.#common('gateway'), role: 'gateway', live: this.#live }),
    });
  }

  /** Resolves when every actor is up, with the port the gateway listens on. */
  async start(): Promise<{ port: number }> {
    await this.#startGroup();
    await Promise.all(this.#ingest.map((ingest) => ingest.start()));
    await this.#gateway.start();
    this.#scheduleEpoch();
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    const port = await (this.#gateway.thread as ActorThread<GatewayControl>).control.port();
    return { port };
  }

  /** Ends everything in order, with a last epoch over all that was received. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#ticker);
    const { config, clock, log } = this.#options;
    const timeoutMs = config.supervision.stop_timeout_ms / 4;
    await Promise.all(this.#ingest.map((ingest) => ingest.stop(timeoutMs)));
    const group = this.#group;
    if (group !== undefined) {
      try {
        await this.#drain(group, clock.monotonicMs() + DRAIN_MS_MAX);
        while (group.epochs.running) await pause(10);
        await group.epochs.run();
      } catch (error) {
        // The epoch before this one stands; the frames behind it are in bronze for the next start.
        log('warn', 'stopped without a last epoch', { reason: messageOf(error) });
      }
    }
    await this.#gateway.stop(timeoutMs);
    await group?.stop();
  }

  async status(): Promise<SystemStatus> {
    const { data, clock } = this.#options;
    const nowUs = clock.nowUs();
    const epoch = data.store.epoch();
    const positions = await this.#group?.progress().catch(() => undefined);
    const exchanges = await Promise.all(
      this.#options.exchanges.map((exchange, i) =>
        this.#exchangeStatus(exchange, this.#ingest[i] as Child<IngestControl>, positions, nowUs),
      ),
    );
    const actors = [
      ...this.#ingest.map((child) => this.#actorStatus(child.id, child.thread, child.restarts)),
      ...(this.#group?.members ?? []).map((member) =>
        this.#actorStatus(member.id, member, this.#groupRestarts),
      ),
      this.#actorStatus('gateway', this.#gateway.thread, this.#gateway.restarts),
    ];
    const last_epoch =
      epoch.epoch === 0
        ? null
        : {
            number: epoch.epoch,
            committed_at: new Date(epoch.committedUs / 1000).toISOString(),
            age_ms: Math.max(0, Math.round((nowUs - epoch.committedUs) / 1000)),
          };
    return { exchanges, actors, last_epoch };
  }

  async #exchangeStatus(
    exchange: Exchange,
    { thread }: Child<IngestControl>,
    judged: GroupProgress | undefined,
    nowUs: number,
  ): Promise<SystemStatus['exchanges'][number]> {
    const ingest = await thread?.answer(thread.control.status()).catch(() => undefined);
    const lanes = ingest?.connections ?? [];
    const live = lanes.filter(({ state }) => state === 'live' || state === 'rotating').length;
    const ages = lanes.map(({ lastFrameAgeMs }) => lastFrameAgeMs).filter((age) => age >= 0);
    const head = new LogHead(this.#heads.get(exchange) as SharedArrayBuffer, 0);
    head.refresh();
    const position = judged?.positions.get(exchange);
    const lagFrames = Math.max(0, head.nextSequence - (position?.nextSequence ?? 0));
    const lagUs = lagFrames === 0 ? 0 : nowUs - (position?.watermarkUs ?? nowUs);
    return {
      exchange,
      state: stateOf(ingest, live),
      connections: live,
      last_frame_age_ms: ages.length === 0 ? null : Math.round(Math.min(...ages)),
      lag_frames: lagFrames,
      lag_ms: Math.max(0, Math.round(lagUs / 1000)),
    };
  }

  #actorStatus(
    actor: string,
    thread: ActorThread<Stoppable> | undefined,
    restarts: number,
  ): SystemStatus['actors'][number] {
    return {
      actor,
      state: thread === undefined ? 'stopped' : thread.state,
      cores: [...(this.#options.layout.coresOf.get(actor) ?? [])],
      heartbeat_age_ms:
        thread === undefined
          ? 0
          : Math.round(this.#heartbeats.ageMs(thread, this.#options.clock.monotonicMs())),
      restarts,
      counters: thread?.counters.all() ?? {},
    };
  }

  async #startGroup(): Promise<void> {
    const { config, data, layout, clock, runName, entry, lakeWorker, log } = this.#options;
    const group = new ProcessingGroup({
      config,
      paths: data.paths,
      instruments: data.instruments,
      store: data.store,
      generation: this.#generation,
      runName,
      heads: this.#heads,
      doorbells: this.#doorbells,
      live: this.#live,
      board: this.#board.memory,
      boardRow: this.#board.row,
      layout,
      entry,
      lakeWorker,
      log,
      epochSteps: {
        syncBronze: (progress) => syncBronze(data, this.#heads, progress),
        commit: (share) => data.store.commitEpoch({ ...share, committedUs: clock.nowUs() }),
        publish: (epoch) => publishEpoch(data, epoch),
      },
    });
    this.#group = group;
    this.#generation++;
    void group.failed.then((failure) => this.#groupFailed(group, failure));
    await group.ready();
  }

  async #groupFailed(group: ProcessingGroup, failure: Failure): Promise<void> {
    if (this.#stopping || this.#gaveUp || group !== this.#group || group === this.#fallen) return;
    this.#fallen = group;
    const { clock, log, data } = this.#options;
    const recent = addRestart(this.#recentGroupRestarts, clock.monotonicMs(), this.#intensity);
    if (failure.exitCode !== undefined || recent === undefined) {
      this.#giveUp(failure);
      return;
    }
    this.#recentGroupRestarts = recent;
    this.#groupRestarts++;
    log('warn', 'restarting the processing group from the last epoch', {
      reason: failure.message,
      epoch: group.epochs.last,
      restarts: this.#groupRestarts,
    });
    try {
      await group.kill();
      await data.recover();
      if (this.#stopping) return;
      await this.#startGroup();
      this.#scheduleEpoch();
    } catch (error) {
      // A generation that fails while starting comes back here through its own `failed`.
      if (error instanceof UserError)
        this.#giveUp({ ...failureOf(error), exitCode: error.exitCode });
    }
  }

  #tick(): void {
    // Watching never waits for an answer: a hung actor gives none.
    this.#terminateHung();
    this.#runEpochIfDue();
    if (!this.#tellingStatus) void this.#tellStatus();
  }

  async #tellStatus(): Promise<void> {
    this.#tellingStatus = true;
    try {
      const status = await this.status();
      const gateway = this.#gateway.thread;
      await gateway?.answer(gateway.control.status(status)).catch(() => {}); // restarting
    } finally {
      this.#tellingStatus = false;
    }
  }

  #terminateHung(): void {
    const { clock, config } = this.#options;
    const threads = [
      ...this.#ingest.map((child) => child.thread),
      this.#gateway.thread,
      ...(this.#group?.members ?? []),
    ].filter((thread) => thread?.state === 'running') as ActorThread<Stoppable>[];
    for (const hung of this.#heartbeats.look(threads, clock.monotonicMs())) {
      const limit = config.supervision.hang_limit_ms;
      void (hung as ActorThread<Stoppable>).terminate(`no heartbeat for ${limit} ms`);
    }
  }

  #runEpochIfDue(): void {
    const group = this.#group;
    if (group === undefined || group.epochs.running) return;
    const { clock, config, log } = this.#options;
    const rows = group.validation.reduce((sum, { counters }) => sum + counters.get('trades'), 0);
    const due = clock.monotonicMs() >= this.#epochDueMs;
    if (!due && rows - this.#rowsAtEpoch < config.epochs.rows_max) return;
    this.#rowsAtEpoch = rows;
    this.#scheduleEpoch();
    group.epochs.run().then(
      (epoch) => log('info', 'epoch committed', { epoch }),
      (error: unknown) => this.#epochFailed(group, error),
    );
  }

  #epochFailed(group: ProcessingGroup, error: unknown): void {
    if (this.#stopping || group !== this.#group) return;
    void this.#groupFailed(group, failureOf(error));
  }

  #scheduleEpoch(): void {
    const { clock, config } = this.#options;
    this.#epochDueMs = clock.monotonicMs() + config.epochs.interval_ms;
  }

  /** Waits until the group has judged every frame of the logs, at most until `untilMs`. */
  async #drain(group: ProcessingGroup, untilMs: number): Promise<void> {
    const targets = [...this.#heads].map(([exchange, memory]) => {
      const head = new LogHead(memory, 0);
      head.refresh();
      return { exchange, next: head.nextSequence };
    });
    while (this.#options.clock.monotonicMs() < untilMs) {
      const { positions } = await group.progress();
      if (
        targets.every(({ exchange, next }) => (positions.get(exchange)?.nextSequence ?? 0) >= next)
      )
        return;
      await pause(10);
    }
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
      // A pair taken out of the list keeps its code and its history, but is not listened to.
      instruments: data.instruments.filter((i) => i.exchange === exchange && i.configured),
      exchange,
      key: exchangeKey(exchange),
      head: this.#heads.get(exchange) as SharedArrayBuffer,
      doorbells: this.#doorbells,
      validationShard: validationShardOf(exchange, config.layout.validation_shards),
      seed: (clock.nowUs() + exchangeCode(exchange)) >>> 0,
    };
  }

  #thread<C extends Stoppable>(spec: IngestSpec | GatewaySpec): ActorThread<C> {
    const { entry, log } = this.#options;
    return new ActorThread<C>(entry, spec, {
      lake: () => Promise.reject(new Error(`${spec.id} writes no tables`)),
      report: () => {},
      log,
    });
  }

  #giveUp(failure: Failure): void {
    if (this.#gaveUp || this.#stopping) return;
    this.#gaveUp = true;
    // What a person has to mend is one sentence; a bug comes with where it happened.
    if (failure.exitCode === undefined)
      this.#options.log('error', failure.message, { stack: failure.stack });
    const exitCode = (failure.exitCode ?? EXIT.internal) as ExitCode;
    this.#options.giveUp(exitCode, failure.message);
  }
}

/** `waiting` until the next attempt, unless the actor itself is down or has stopped taking frames. */
function stateOf(
  ingest: IngestStatus | undefined,
  live: number,
): SystemStatus['exchanges'][number]['state'] {
  if (live > 0) return 'connected';
  if (ingest === undefined) return 'connecting';
  if (ingest.state === 'running') {
    const waits = ingest.connections.some(({ state }) => state === 'backing_off');
    return waits ? 'waiting' : 'connecting';
  }
  return ingest.state === 'idle' ? 'connecting' : 'stopped';
}

function failureOf(error: unknown): Failure {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const exitCode = error instanceof UserError ? error.exitCode : undefined;
  return { message: messageOf(error), stack, exitCode };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
