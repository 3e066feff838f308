/**
 * One life of the process under test: production's data directory and supervisor tree over a
 * simulated machine, from the start to an exit of its own, an orderly stop or a sudden death.
 */
import { EXCHANGES, exchangeKey } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { THIS_MACHINE_ONLY } from '#src/api/access';
import type { Clock } from '#src/base/clock';
import { diskFailure, EXIT, UserError } from '#src/base/errors';
import type { Timers } from '#src/base/timers';
import type { Config } from '#src/config/schema';
import { icebergTables } from '#src/iceberg/publication';
import { type DataDirectory, openDataDirectory } from '#src/supervision/data-directory';
import { planLayout } from '#src/supervision/layout';
import { OfflineRun } from '#src/supervision/offline-run';
import { SupervisorTree } from '#src/supervision/supervisor-tree';
import { labelOf } from '#tests/sim/digest';
import { type DiskEvents, DiskHandle, type SimDisk } from '#tests/sim/disk';
import { type SimStores, type StoreEvents, StoreHands } from '#tests/sim/key-value';
import type { Owner, Scheduler } from '#tests/sim/scheduler';
import type { SimTables } from '#tests/sim/tables';
import { type Surroundings, simWorkers } from '#tests/sim/threads';

/** As in src/supervisor.ts: an orderly end that takes longer is cut short. */
const STOP_US_MAX = 9_500_000;

export interface Ending {
  /** Exit code, or undefined when it was killed. */
  readonly code: number | undefined;
  readonly reason: string;
}

export interface ProcessOptions {
  readonly config: Config;
  readonly instruments: readonly Omit<Instrument, 'code'>[];
  readonly scheduler: Scheduler;
  readonly disk: SimDisk;
  readonly stores: SimStores;
  readonly diskFault: DiskEvents['fault'];
  readonly storeFault: StoreEvents['fault'];
  /** Wall time now, us. */
  readonly wallUs: () => number;
  readonly around: Surroundings;
  /** How long an fsync off the thread takes at most, us. */
  readonly syncUsMax: number;
  /** How long a turn of a thread's event loop lasts at most, us. */
  readonly turnUsMax: number;
  readonly lock: ProcessLock;
  /** The tables over the data files: Iceberg, or a simple list. */
  readonly tables: SimTables | undefined;
  readonly log: (process: SimProcess, level: string, message: string, fields: object) => void;
  /** The process has ended by itself, or dies at this very operation. */
  readonly onEnd: (process: SimProcess, ending: Ending) => void;
  readonly onUp: (process: SimProcess) => void;
  /**
   * The server; one more start of it while it runs; or a replay of what bronze holds, which ends by
   * itself.
   */
  readonly role: 'server' | 'second' | 'replay';
}

/** The lock of the data directory: the machine frees it when its holder is gone. */
export class ProcessLock {
  holder: SimProcess | undefined;
}

export class SimProcess implements Owner {
  readonly id: string;
  readonly disk: DiskHandle;
  readonly databases: StoreHands;
  data: DataDirectory | undefined;
  tree: SupervisorTree | undefined;
  gone = false;
  up = false;
  stopping = false;
  ending: Ending | undefined;
  readonly #options: ProcessOptions;

  constructor(id: string, options: ProcessOptions) {
    this.id = id;
    this.#options = options;
    const { disk, stores, scheduler, around, syncUsMax, diskFault, storeFault } = options;
    const later = (answer: () => void): void => {
      const delayUs = 1 + around.below(syncUsMax);
      scheduler.after(delayUs, this, labelOf('disk'), answer);
    };
    const die = (): void => this.end({ code: undefined, reason: 'died at an operation' });
    this.disk = new DiskHandle(disk, { fault: diskFault, die, later });
    this.databases = new StoreHands(stores, { fault: storeFault, die, later });
  }

  /** What nobody has caught ends the process, as in src/supervisor.ts. */
  failed(error: unknown): void {
    if (this.gone) return;
    const told = diskFailure(error) ?? error;
    const code = told instanceof UserError ? told.exitCode : EXIT.internal;
    const reason = told instanceof Error ? (told.stack ?? told.message) : String(told);
    this.end({ code, reason: told instanceof UserError ? told.message : reason });
  }

  start(): void {
    const { scheduler } = this.#options;
    scheduler.after(0, this, labelOf('process'), () => {
      this.#run().catch((error: unknown) => this.failed(error));
    });
  }

  /** SIGTERM. */
  stop(): void {
    if (this.stopping || this.tree === undefined) return;
    this.stopping = true;
    const cutShort = (): void => this.end({ code: EXIT.ok, reason: 'cut short' });
    this.#options.scheduler.after(STOP_US_MAX, this, labelOf('stop'), cutShort);
    this.#stop().catch((error: unknown) => this.failed(error));
  }

  end(ending: Ending): void {
    if (this.gone) return;
    this.gone = true;
    this.ending = ending;
    this.disk.dead = true;
    this.databases.dead = true;
    const { lock, onEnd } = this.#options;
    if (lock.holder === this) lock.holder = undefined;
    onEnd(this, ending);
  }

  clockOf(): Clock {
    const { scheduler, wallUs } = this.#options;
    let lastUs = 0;
    return {
      nowUs: () => {
        lastUs = Math.max(lastUs, wallUs());
        return lastUs;
      },
      monotonicMs: () => scheduler.nowUs / 1000,
    };
  }

  timersOf(owner: Owner, name: string): Timers {
    const { scheduler, around, turnUsMax } = this.#options;
    const label = labelOf(`timer ${name}`);
    return {
      after: (delayMs, callback) => scheduler.after(delayMs * 1000, owner, label, callback),
      afterTurn: (callback) =>
        void scheduler.after(around.below(turnUsMax), owner, label, callback),
    };
  }

  async #run(): Promise<void> {
    const { config, instruments, lock, around, log, onUp, role } = this.#options;
    const clock = this.clockOf();
    const exchanges = EXCHANGES.filter(
      (exchange) => config.exchanges[exchangeKey(exchange)].enabled,
    );
    this.data = await openDataDirectory({
      config,
      instruments,
      clock,
      binanceStream: 'trade',
      purpose: 'the server',
      ground: {
        disk: this.disk,
        databases: this.databases,
        acquire: async () => {
          if (lock.holder !== undefined || role === 'second')
            throw new UserError(EXIT.locked, 'it is in use');
          lock.holder = this;
          return { release: async () => {} };
        },
        publication: (lake) =>
          this.#options.tables?.over(() => this.#aMoment()) ?? icebergTables(lake),
      },
    });
    if (role === 'replay') {
      await this.#replay(this.data, clock);
      return;
    }
    this.tree = new SupervisorTree({
      config,
      data: this.data,
      exchanges,
      layout: planLayout(
        {
          exchanges: exchanges.map(exchangeKey),
          validationShards: config.layout.validation_shards,
          goldShards: config.layout.gold_shards,
        },
        [0],
      ),
      clock,
      runName: `r${clock.nowUs().toString(36)}`,
      timers: this.timersOf(this, 'supervisor'),
      workers: simWorkers(this, around),
      log: (level, message, fields = {}) => {
        if (!this.gone) log(this, level, message, fields);
      },
      gateway: { access: THIS_MACHINE_ONLY, cursorSecret: new Uint8Array(32) },
      giveUp: (code, reason) => this.end({ code, reason }),
    });
    if ((await this.tree.start()) === undefined) return;
    this.up = true;
    onUp(this);
  }

  /** What `bullion rebuild` does: every log from its beginning to its end. */
  async #replay(data: DataDirectory, clock: Clock): Promise<void> {
    const { config, around, log } = this.#options;
    const run = new OfflineRun({
      config,
      data,
      clock,
      timers: this.timersOf(this, 'replay'),
      workers: simWorkers(this, around),
      log: (level, message, fields = {}) => log(this, level, message, fields),
      appendTo: undefined,
    });
    await run.ready();
    await run.finish(() => {});
    await run.close();
    this.end({ code: EXIT.ok, reason: 'replayed' });
  }

  /** Time for something else to happen in between; for ever, when that is the end. */
  #aMoment(): Promise<void> {
    const { scheduler, around } = this.#options;
    const delayUs = 1 + around.below(2_000);
    return new Promise((resolve) => {
      scheduler.after(delayUs, this, labelOf('commit'), () => resolve());
    });
  }

  async #stop(): Promise<void> {
    await this.tree?.stop();
    await this.data?.close();
    this.end({ code: EXIT.ok, reason: 'stopped' });
  }
}
