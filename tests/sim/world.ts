/**
 * One simulated world and what becomes of it: a safety phase in which anything may happen at any
 * step, a healing phase in which nothing more goes wrong and everything has to come back, an orderly
 * end, and a cold replay of what bronze holds. The checkers run after every commit, after every
 * start, and at the end.
 */
import { EXCHANGES, type Exchange, exchangeKey } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { EXIT } from '#src/base/errors';
import { onMark } from '#src/base/marks';
import { Random } from '#src/base/random';
import { loadInstruments } from '#src/config/instruments';
import { loadConfig } from '#src/config/load';
import type { Config } from '#src/config/schema';
import { LogHead } from '#src/log/log-head';
import type { Stoppable } from '#src/runtime/control';
import { ringBack, ringToCandles, ringToGold } from '#src/runtime/group-memory';
import { simulatedInstrument } from '#src/simulator/instrument';
import type { Tape } from '#src/simulator/tape';
import type { EpochRecord } from '#src/state/epoch-record';
import type { DataFile } from '#src/state/file-catalog';
import { AREA } from '#src/state/keys';
import { StateStore } from '#src/state/store';
import { gapsOf } from '#src/trades/gaps';
import { IntervalSet } from '#src/trades/interval-set';
import {
  checkEpoch,
  checkFilesDurable,
  checkLakeTidy,
  checkNewRows,
  checkReplay,
  checkShown,
  checkState,
  checkTables,
  type Scene,
} from '#tests/sim/checks';
import { labelOf } from '#tests/sim/digest';
import { type CrashStyle, type DiskFault, type Operation, SimDisk } from '#tests/sim/disk';
import { CALM_NETWORK, SimExchange } from '#tests/sim/exchanges';
import { type SimStore, SimStores, StoreHands } from '#tests/sim/key-value';
import type { Plan, ProcessFaults, Shape } from '#tests/sim/plan';
import { type Ending, ProcessLock, SimProcess } from '#tests/sim/process';
import { type Owner, Scheduler } from '#tests/sim/scheduler';
import { SimTables } from '#tests/sim/tables';
import type { SimThread, Surroundings } from '#tests/sim/threads';
import { Truth } from '#tests/sim/truth';
import { hold, Violation } from '#tests/sim/violation';

const DATA_DIR = '/data';
const STATE_DIR = `${DATA_DIR}/state`;
const LAKE_DIR = `${DATA_DIR}/lake`;
/** Simulated time within which everything has to be back after the last fault. */
export const HEAL_US_MAX = 180_000_000;
/** Trading goes on for so long after the last fault: what is missing shows by what follows. */
const HEAL_TRADING_US = 4_000_000;
/** A heal that takes more steps than this is stuck, whatever the clock says. */
const HEAL_STEPS_MAX = 60_000;
/** When nothing goes wrong the lake keeps up. */
const CALM_JOB_US_MAX = 2_000;
/** Orderly ends within which everything has to be covered: one may run out of time to drain. */
const STOPS_MAX = 4;
/** A replay of a few thousand frames takes some thousand. */
const REPLAY_STEPS_MAX = 200_000;
const LOG_LINES_KEPT = 400;
const FILE_AREA = String.fromCharCode(AREA.file);

const ALL_INSTRUMENTS = loadInstruments();
const BASE_CONFIG = loadConfig({ env: {}, cwd: '/' });

/** What a run has seen, for the report. */
export interface Tally {
  steps: number;
  simulatedUs: number;
  trades: number;
  frames: number;
  epochs: number;
  starts: number;
  readonly faults: Record<string, number>;
  readonly exits: Record<string, number>;
  /** Places reached that only trouble leads to (src/base/marks.ts). */
  readonly marks: Record<string, number>;
}

export class World {
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  readonly tally: Tally = {
    steps: 0,
    simulatedUs: 0,
    trades: 0,
    frames: 0,
    epochs: 0,
    starts: 0,
    faults: {},
    exits: {},
    marks: {},
  };
  /** The last lines of the processes' logs. */
  readonly lines: string[] = [];
  readonly config: Config;
  readonly instruments: readonly Omit<Instrument, 'code'>[];
  disk = new SimDisk();
  readonly stores = new SimStores();
  readonly tables: SimTables | undefined;
  readonly exchanges: readonly Exchange[];
  readonly venues = new Map<Exchange, SimExchange>();
  readonly truths: readonly Truth[];
  phase: 'safety' | 'heal' | 'end' = 'safety';

  readonly #owner: Owner;
  readonly #lock = new ProcessLock();
  readonly #random: Record<'process' | 'disk' | 'crash' | 'around', Random>;
  readonly #nextFault = new Map<string, number>();
  readonly #threads = new Set<SimThread<Stoppable>>();
  #process: SimProcess | undefined;
  #processes = 0;
  #store: StateStore | undefined;
  #wallOffsetUs = 0;
  #flushesSeen = 0;
  #record: EpochRecord | undefined;
  /** Live files, as the last epoch left them. */
  readonly #files = new Map<string, DataFile>();
  #epochsChecked = 0;
  /** Disk operations until the process dies at one; -1: it does not. */
  #diesIn = -1;
  #diskIsFullUntil = -1;
  /** Per exchange: sequences promised durable, and written, by the log itself. */
  readonly #acked = new Map<Exchange, number>();
  readonly #written = new Map<Exchange, number>();
  /** Instruments of which a range was given up, as the log said: exchange and native symbol. */
  readonly #givenUp = new Set<string>();
  /** When each actor or group of the running process was restarted, us. */
  readonly #restarts = new Map<string, number[]>();
  #failure: unknown;

  constructor(plan: Plan) {
    this.plan = plan;
    const seed = new Random(plan.seed);
    this.#random = {
      process: seed.fork(2),
      disk: seed.fork(3),
      crash: seed.fork(4),
      around: seed.fork(5),
    };
    this.tables = plan.shape.iceberg ? undefined : new SimTables(plan.shape.snapshotsKept);
    this.scheduler = new Scheduler(seed.fork(6), plan.pace);
    this.scheduler.onStep = () => this.#afterStep();
    this.#owner = { id: 'world', gone: false, failed: (error) => this.#fail(error) };
    this.exchanges = EXCHANGES.slice(0, plan.exchanges);
    const chosen = this.exchanges.flatMap((exchange) =>
      ALL_INSTRUMENTS.filter((one) => one.exchange === exchange).slice(0, plan.instruments),
    );
    this.instruments = chosen.map(({ exchange, nativeSymbol, symbol, baseAsset, quoteAsset }) => ({
      exchange,
      nativeSymbol,
      symbol,
      baseAsset,
      quoteAsset,
    }));
    this.config = configOf(plan.shape, this.exchanges);
    const clock = {
      nowUs: () => plan.startUs + this.scheduler.nowUs,
      monotonicMs: () => this.scheduler.nowUs / 1000,
    };
    const exchangesPlan = {
      instruments: chosen.map((instrument) => simulatedInstrument(instrument)),
      ratePerSecond: plan.ratePerSecond,
      faults: plan.feed,
      network: plan.network,
    };
    for (const [i, exchange] of this.exchanges.entries()) {
      const random = seed.fork(20 + i);
      this.venues.set(
        exchange,
        new SimExchange(exchange, exchangesPlan, this.scheduler, clock, random, this.#owner),
      );
    }
    this.truths = this.exchanges.map(
      (exchange) =>
        new Truth(
          exchange,
          `${DATA_DIR}/bronze/${exchangeKey(exchange)}`,
          this.instruments,
          {
            allowedLatenessUs: this.config.candles.allowed_lateness_ms * 1000,
            futureToleranceUs: this.config.validation.future_tolerance_ms * 1000,
            ageLimitUs: this.config.validation.age_limit_days * 86_400_000_000,
          },
          plan.shape.parquet,
        ),
    );
    this.disk.makeParents(DATA_DIR);
    this.#planFaults();
  }

  /** Runs the seed to its end; throws the first Violation. */
  async run(): Promise<void> {
    onMark((name) => {
      this.tally.marks[name] = (this.tally.marks[name] ?? 0) + 1;
    });
    this.#start(0);
    const safetySteps = Math.floor(this.plan.steps * 0.7);
    await this.#drive(() => this.scheduler.steps >= safetySteps);
    await this.#heal();
    await this.#end();
    this.tally.steps = this.scheduler.steps;
    this.tally.simulatedUs = this.scheduler.nowUs;
    this.tally.frames = this.truths.reduce((sum, { mirror }) => sum + mirror.frames.length, 0);
    this.tally.trades = this.truths.reduce((sum, { oracle }) => sum + oracle.gold.length, 0);
  }

  get digest(): string {
    return this.scheduler.digest.hex;
  }

  /** Stops everything where it is: no event of this world fires any more. */
  abandon(): void {
    onMark(undefined);
    this.#process?.end({ code: undefined, reason: 'the run is over' });
  }

  /** A promise was rejected and nobody heard: in a process that ends it. */
  unhandled(reason: unknown): void {
    const text = reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
    this.#fail(new Violation('no-bug', `unhandled rejection: ${text}`));
  }

  async #drive(done: () => boolean): Promise<void> {
    await this.scheduler.drive(() => this.#failure !== undefined || done());
    if (this.#failure !== undefined) throw this.#failure;
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
  }

  // The process, its starts and its ends.

  #start(delayUs: number): void {
    this.scheduler.after(delayUs, this.#owner, labelOf('start'), () => {
      this.tally.starts++;
      const process = this.#newProcess();
      this.#process = process;
      process.start();
    });
  }

  #newProcess(role: 'server' | 'second' = 'server'): SimProcess {
    const { plan, scheduler, disk, stores } = this;
    return new SimProcess(`process-${this.#processes++}`, {
      config: this.config,
      instruments: this.instruments,
      scheduler,
      disk,
      stores,
      diskFault: (operation, path, bytes) => this.#diskFault(operation, path, bytes),
      storeFault: () => this.#storeFault(),
      wallUs: () => plan.startUs + scheduler.nowUs + this.#wallOffsetUs,
      around: this.#around(),
      syncUsMax: plan.diskSyncUsMax,
      lock: this.#lock,
      tables: this.tables,
      log: (process, level, message, fields) => this.#log(process, level, message, fields),
      onEnd: (process, ending) => this.#ended(process, ending),
      onUp: (process) => this.#up(process),
      role,
    });
  }

  #around(): Surroundings {
    const { plan, scheduler, venues } = this;
    return {
      scheduler,
      venues,
      below: (bound) => this.#random.around.below(bound),
      parquet: plan.shape.parquet,
      lakeJobUsMax: () => (this.phase === 'safety' ? plan.lakeJobUsMax : CALM_JOB_US_MAX),
      lakeJobDies: () =>
        this.phase === 'safety' &&
        this.#counted('lake job died', this.#random.disk.chance(plan.disk.lakeJobDies)),
      newClient: (exchange) => this.#checked(() => this.#endLife(exchange)),
      onStart: (thread) => {
        for (const other of this.#threads) {
          if (other.dead) this.#threads.delete(other);
          else if (other.id === thread.id) {
            this.#fail(new Violation('I13', `${thread.id} starts while another one runs`));
          }
        }
        this.#threads.add(thread);
      },
    };
  }

  #log(process: SimProcess, level: string, message: string, fields: object): void {
    const line = `${(this.scheduler.nowUs / 1e6).toFixed(6)} ${process.id} ${level} ${message} ${JSON.stringify(fields)}`;
    this.lines.push(line.slice(0, 1000));
    if (this.lines.length > LOG_LINES_KEPT) this.lines.splice(0, LOG_LINES_KEPT / 2);
    const given = /^(\w+): (\S+) trades .* given up/.exec(message);
    if (given !== null) this.#givenUp.add(`${given[1]} ${given[2]}`);
    if (message.startsWith('restarting ')) this.#checked(() => this.#checkRestart(message));
    if (message === 'stopped without a last epoch' && this.phase === 'end') {
      this.#fail(new Violation('I15', `no last epoch: ${JSON.stringify(fields)}`));
    }
  }

  #note(text: string): void {
    this.lines.push(`${(this.scheduler.nowUs / 1e6).toFixed(6)} world ${text}`);
  }

  /** Kept, whatever follows: what the logs had promised when the process ended. */
  #readHeads(): void {
    for (const thread of this.#threads) {
      const { spec } = thread;
      if (spec.role !== 'ingest') continue;
      const head = new LogHead(spec.head, 0);
      if (!head.refresh()) continue;
      const acked = this.#acked.get(spec.exchange) ?? 0;
      this.#acked.set(spec.exchange, Math.max(acked, head.durableNextSequence));
      const written = this.#written.get(spec.exchange) ?? 0;
      this.#written.set(spec.exchange, Math.max(written, head.nextSequence));
    }
  }

  #ended(process: SimProcess, ending: Ending): void {
    this.#note(`${process.id} ended with ${ending.code}: ${ending.reason}`);
    if (process !== this.#process) {
      // A second start on the same directory.
      this.#checked(() =>
        hold('I13', ending.code === EXIT.locked || ending.code === undefined, () => {
          return `a second process ended with ${ending.code}: ${ending.reason}`;
        }),
      );
      return;
    }
    const code = String(ending.code ?? 'killed');
    this.tally.exits[code] = (this.tally.exits[code] ?? 0) + 1;
    this.#checked(() => this.#checkEnding(ending));
    this.#readHeads();
    this.#checked(() => this.#checkAcks());
    this.#checked(() => this.#followBronze());
    const powerLoss = ending.code === undefined && this.#isPowerLoss(ending);
    const { keep, tear } = this.plan.crash;
    const style: CrashStyle = { keepsAll: !powerLoss, keep, tear };
    if (powerLoss) this.#count('power loss');
    this.disk = this.disk.crash(style, this.#random.crash);
    this.stores.crash(style, this.#random.crash);
    this.#checked(() => this.#followBronze(true));
    for (const exchange of this.exchanges) this.#checked(() => this.#endLife(exchange));
    if (powerLoss) for (const [exchange, acked] of this.#acked) this.#written.set(exchange, acked);
    this.#threads.clear();
    this.#restarts.clear();
    this.#process = undefined;
    this.#diesIn = -1;
    if (this.phase !== 'end') this.#start(1_000 + this.#random.around.below(2_000_000));
  }

  #isPowerLoss({ reason }: Ending): boolean {
    if (reason === 'power') return true;
    return reason !== 'kill' && this.#random.crash.chance(this.plan.crash.powerShare);
  }

  #checkEnding({ code, reason }: Ending): void {
    hold('no-bug', code !== EXIT.internal || this.#mayGiveUp(reason), () => {
      return `the process ended with ${code}: ${reason}`;
    });
    const { disk } = this.plan;
    const diskMayFail = Object.values(disk).some((rate) => rate > 0);
    hold('no-bug', code !== EXIT.io || diskMayFail, () => {
      return `the process ended with ${code} on a sound disk: ${reason}`;
    });
    hold('no-bug', code !== EXIT.config && code !== EXIT.locked, () => {
      return `the process ended with ${code}: ${reason}`;
    });
  }

  /** More restarts than the intensity allows is an honest end where threads are made to fail. */
  #mayGiveUp(reason: string): boolean {
    return /failed more than \d+ times/.test(reason) && this.plan.mode !== 'calm';
  }

  #up(process: SimProcess): void {
    this.#openStore();
    void process;
  }

  #openStore(): void {
    if (this.#store !== undefined) return;
    const events = { fault: () => undefined, die: () => {}, later: () => {} };
    const databases = new StoreHands(this.stores, events);
    StateStore.open(STATE_DIR, { readOnly: true, databases }).then(
      (store) => {
        this.#store = store;
        this.#flushesSeen = -1;
      },
      (error: unknown) => this.#fail(error),
    );
  }

  // What goes wrong.

  #planFaults(): void {
    for (const [name, perThousand] of Object.entries({
      ...this.plan.process,
      full: this.plan.disk.full,
    })) {
      this.#drawNext(name, perThousand);
    }
  }

  #drawNext(name: string, perThousand: number): void {
    if (perThousand <= 0) return;
    const gap = (-Math.log(1 - this.#random.process.unit()) * 1000) / perThousand;
    this.#nextFault.set(name, this.scheduler.steps + 1 + Math.floor(gap));
  }

  #happen(): void {
    for (const [name, atStep] of this.#nextFault) {
      if (this.scheduler.steps < atStep) continue;
      const rates: Record<string, number> = { ...this.plan.process, full: this.plan.disk.full };
      this.#drawNext(name, rates[name] as number);
      this.#cause(name as keyof ProcessFaults | 'full');
    }
    if (this.#diskIsFullUntil >= 0 && this.scheduler.nowUs >= this.#diskIsFullUntil) {
      this.disk.capacityBytes = Number.POSITIVE_INFINITY;
      this.#diskIsFullUntil = -1;
    }
  }

  #cause(name: keyof ProcessFaults | 'full'): void {
    const random = this.#random.process;
    const process = this.#process;
    if (name === 'full') {
      this.#count('disk full');
      this.disk.capacityBytes = this.disk.usedBytes + random.below(20_000);
      this.#diskIsFullUntil = this.scheduler.nowUs + random.below(10_000_000);
      return;
    }
    if (name === 'clockJump') {
      this.#count('clock jump');
      this.#wallOffsetUs +=
        random.between(-1, 1) * random.pick([100_000, 7_000_000, 3_600_000_000]);
      return;
    }
    if (process === undefined || process.gone) return;
    const threads = [...this.#threads].filter((thread) => !thread.dead && !thread.hangs);
    switch (name) {
      case 'kill':
      case 'power':
        this.#count(name);
        process.end({ code: undefined, reason: name });
        return;
      case 'stop':
        this.#count('stop');
        process.stop();
        return;
      case 'dieAtOperation':
        this.#diesIn = random.below(random.pick([5, 60]));
        return;
      case 'secondStart':
        if (this.#lock.holder === undefined) return;
        this.#count('second start');
        this.#newProcess('second').start();
        return;
      case 'threadThrows':
        if (threads.length === 0) return;
        this.#count('thread threw');
        random.pick(threads).failed(new Error('an injected failure'));
        return;
      case 'threadHangs': {
        const running = threads.filter((thread) => thread.state === 'running');
        if (running.length === 0) return;
        this.#count('thread hung');
        random.pick(running).hangs = true;
        return;
      }
    }
  }

  #diskFault(operation: Operation, _path: string, bytes: number): DiskFault | undefined {
    if (this.phase !== 'safety') return undefined;
    const { disk } = this.plan;
    const random = this.#random.disk;
    if (operation !== 'read' && this.#diesIn >= 0 && this.#diesIn-- === 0) {
      this.#count('died at an operation');
      return { dieAfterBytes: operation === 'write' ? random.below(bytes + 1) : 0 };
    }
    switch (operation) {
      case 'write':
        if (disk.writeError > 0 && random.chance(disk.writeError))
          return this.#error('write error');
        if (bytes > 1 && disk.shortWrite > 0 && random.chance(disk.shortWrite)) {
          this.#count('short write');
          return { shortBytes: 1 + random.below(bytes - 1) };
        }
        return undefined;
      case 'fsync':
      case 'datasync':
      case 'syncDirectory':
        return disk.syncError > 0 && random.chance(disk.syncError)
          ? this.#error('sync error')
          : undefined;
      case 'read':
        return disk.readError > 0 && random.chance(disk.readError)
          ? this.#error('read error')
          : undefined;
      default:
        return disk.nameError > 0 && random.chance(disk.nameError)
          ? this.#error('name error')
          : undefined;
    }
  }

  #error(name: string): DiskFault {
    this.#count(name);
    return { code: 'EIO' };
  }

  #storeFault(): { code: string } | 'die' | 'die-after' | undefined {
    if (this.phase !== 'safety') return undefined;
    if (this.#diesIn >= 0 && this.#diesIn-- === 0) {
      this.#count('died at a commit');
      return this.#random.disk.chance(0.5) ? 'die' : 'die-after';
    }
    const { storeError } = this.plan.disk;
    if (storeError === 0 || !this.#random.disk.chance(storeError)) return undefined;
    this.#count('store error');
    return { code: this.#random.disk.chance(0.5) ? 'ENOSPC' : 'EIO' };
  }

  #count(name: string): void {
    this.tally.faults[name] = (this.tally.faults[name] ?? 0) + 1;
    this.#note(name);
  }

  #counted(name: string, happened: boolean): boolean {
    if (happened) this.#count(name);
    return happened;
  }

  // What must hold.

  #afterStep(): void {
    if (this.#failure !== undefined) return;
    if (this.phase === 'safety') this.#happen();
    const store = this.stores.get(STATE_DIR);
    if (store !== undefined && this.#store !== undefined && store.flushes !== this.#flushesSeen) {
      this.#flushesSeen = store.flushes;
      this.#checked(() => this.#checkCommit());
    }
    if (this.scheduler.steps % 64 === 0 && this.#process !== undefined) {
      this.#readHeads();
      this.#checked(() => this.#checkAcks());
    }
  }

  #checked(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** I13: never more restarts than the intensity allows. */
  #checkRestart(message: string): void {
    const { restart_intensity, restart_period_ms } = this.config.supervision;
    const { nowUs } = this.scheduler;
    const times = this.#restarts.get(message) ?? [];
    times.push(nowUs);
    this.#restarts.set(message, times);
    const recent = times.filter((atUs) => nowUs - atUs < restart_period_ms * 1000).length;
    hold('I13', recent <= restart_intensity, () => `${message}: ${recent} times in the period`);
  }

  /** I9: no ring holds more than it can. */
  #checkRings(): void {
    for (const { spec, dead } of this.#threads) {
      if (spec.role !== 'gold' || dead) continue;
      const { memory, shard } = spec;
      const rings = [
        ringToCandles(memory, shard),
        ...memory.slots.flatMap((_, v) => [ringToGold(memory, v, shard), ringBack(memory, v)]),
      ];
      for (const { size, capacity } of rings) {
        hold('I9', size >= 0 && size <= capacity, () => `a ring of ${capacity} holds ${size}`);
      }
    }
  }

  #scene(): Scene {
    const store = this.#store as StateStore;
    return {
      disk: this.disk,
      store,
      lakeDir: LAKE_DIR,
      instruments: store.instruments(),
      truths: this.truths,
      parquet: this.plan.shape.parquet,
    };
  }

  /** I14: what the log says is durable is. */
  #checkAcks(): void {
    this.#followBronze();
    for (const { exchange, mirror } of this.truths) {
      const acked = this.#acked.get(exchange) ?? 0;
      const first = mirror.firstNotDurable(this.disk, Math.min(acked, mirror.nextSequence));
      hold('I14', first === undefined, () => {
        return `${exchange}: frames below ${acked} were acknowledged, frame ${first} is not durable`;
      });
    }
  }

  #followBronze(afterCrash = false): void {
    const { plan } = this;
    const mayRefuse = Object.values(plan.disk).some((rate) => rate > 0);
    for (const truth of this.truths) {
      const { exchange, mirror } = truth;
      const gone = mirror.look(this.disk, afterCrash);
      const acked = this.#acked.get(exchange) ?? 0;
      hold('I14', gone === undefined || gone >= acked, () => {
        return `${exchange}: frames below ${acked} were acknowledged, those from ${gone} are gone`;
      });
      truth.forget();
      const { delivered, served } = this.venues.get(exchange) as SimExchange;
      truth.matchDelivered(
        delivered,
        served,
        mayRefuse,
        this.tally.faults['power loss'] !== undefined,
      );
    }
  }

  /** What the ingest actor before has not written by now never will be. */
  #endLife(exchange: Exchange): void {
    this.#followBronze();
    const truth = this.truths.find((one) => one.exchange === exchange);
    truth?.endOfLife((this.venues.get(exchange) as SimExchange).delivered);
  }

  #checkCommit(): void {
    const scene = this.#scene();
    const { store } = scene;
    const now = store.epoch();
    const before = this.#record ?? { ...now, epoch: 0, publishedEpoch: 0, progress: [] };
    this.#followBronze();
    this.#checkRings();
    checkEpoch(scene, before, now);
    this.#record = now;
    if (now.epoch === before.epoch) {
      if (now.publishedEpoch > before.publishedEpoch && this.tables !== undefined) {
        checkShown(scene, this.tables, this.#files.values());
      }
      return;
    }
    this.tally.epochs++;
    for (const { nextSequence, valid } of now.progress) {
      this.scheduler.digest.add(nextSequence, valid);
    }
    for (const truth of this.truths) {
      const progress = now.progress.find(({ exchange }) => exchange === truth.exchange);
      truth.cover(progress?.nextSequence ?? 0);
    }
    const added = this.#takeUpFiles(store);
    checkFilesDurable(scene, added);
    checkNewRows(
      scene,
      added.filter(({ path }) => !isUpkeep(path)),
    );
    if (++this.#epochsChecked % this.plan.fullCheckEvery === 0) checkState(scene);
  }

  /** Brings the list of live files up to the store's; answers the new ones. Old ones are not read again. */
  #takeUpFiles(store: StateStore): DataFile[] {
    const state = this.stores.get(STATE_DIR) as SimStore;
    const paths = new Set(state.keysFrom(FILE_AREA));
    for (const path of this.#files.keys()) if (!paths.has(path)) this.#files.delete(path);
    const added: DataFile[] = [];
    for (const path of paths) {
      if (this.#files.has(path)) continue;
      const file = store.liveFile(path) as DataFile;
      this.#files.set(path, file);
      added.push(file);
    }
    return added;
  }

  // The end of the trouble.

  async #heal(): Promise<void> {
    this.phase = 'heal';
    this.scheduler.pace = { ...this.plan.pace, stepUsMax: 50, eventFirst: 0.5 };
    this.#diesIn = -1;
    this.disk.capacityBytes = Number.POSITIVE_INFINITY;
    for (const venue of this.venues.values()) {
      venue.network = { ...CALM_NETWORK, tickMs: 250 };
      venue.isCalm = true;
    }
    const fromUs = this.scheduler.nowUs;
    const fromSteps = this.scheduler.steps;
    // A new process has no waits left from before; one that goes on has to get over them.
    if (this.#random.process.chance(0.7)) this.#process?.end({ code: undefined, reason: 'kill' });
    let isTrading = true;
    let epochThen = 0;
    let nextLookUs = 0;
    let problem: string | undefined = 'it was never looked at';
    await this.#drive(() => {
      const { nowUs, steps } = this.scheduler;
      const up = this.#process?.up === true && this.exchanges.every((e) => this.#isLive(e));
      if (isTrading && up && nowUs - fromUs > HEAL_TRADING_US) {
        isTrading = false;
        epochThen = this.#record?.epoch ?? 0;
        for (const venue of this.venues.values()) venue.finish();
      }
      if (nowUs >= nextLookUs) {
        nextLookUs = nowUs + 1_000_000;
        problem = isTrading
          ? `not everything is up: ${this.#whatIsDown()}`
          : this.#missing(epochThen);
        if (problem === undefined) return true;
      }
      return nowUs - fromUs > HEAL_US_MAX || steps - fromSteps > HEAL_STEPS_MAX;
    });
    if (problem !== undefined) {
      throw new Violation(
        'I15',
        `${Math.round((this.scheduler.nowUs - fromUs) / 1e6)} s and ${this.scheduler.steps - fromSteps} steps after the last fault: ${problem}`,
      );
    }
  }

  #isLive(exchange: Exchange): boolean {
    return this.venues.get(exchange)?.isSubscribed === true;
  }

  #whatIsDown(): string {
    if (this.#process?.up !== true) return 'the process';
    return this.exchanges.filter((exchange) => !this.#isLive(exchange)).join();
  }

  /** The first trade that should be in the last epoch by now and is not. */
  #missing(epochThen: number): string | undefined {
    const store = this.#store;
    if (store === undefined) return 'there is no state';
    const record = store.epoch();
    if (record.epoch <= epochThen) return `no epoch after ${epochThen}`;
    if (record.publishedEpoch !== record.epoch) return `epoch ${record.epoch} is not published`;
    for (const venue of this.venues.values()) {
      for (const tape of venue.state.market.tapes) {
        const { exchange, symbol } = tape.instrument;
        const packed = store.intervals({ exchange, symbol });
        if (packed === undefined) continue; // nothing of it ever came, so nothing is known to be missing
        const set = IntervalSet.unpack(packed);
        if (set.intervalCount === 0 || !this.plan.shape.backfill) continue;
        for (const { fromId, toId } of gapsOf(set)) {
          for (let id = fromId; id <= toId; id++) {
            if (!this.#isExcused(venue, tape, id)) {
              return `${exchange} ${symbol} ${id} is missing`;
            }
          }
        }
      }
    }
    return undefined;
  }

  #isExcused({ exchange }: SimExchange, tape: Tape, id: number): boolean {
    const { startId, nativeSymbol } = tape.instrument;
    if (tape.lost(id - startId) || this.#givenUp.has(`${exchange} ${nativeSymbol}`)) return true;
    // Sent, stored, and judged bad: by a clock that was wrong.
    return this.plan.process.clockJump > 0;
  }

  /** An orderly stop covers everything; then everything is compared, and made again from bronze. */
  async #end(): Promise<void> {
    this.phase = 'end';
    for (let stops = 1; ; stops++) {
      await this.#stopInOrder();
      const behind = this.#behind();
      if (behind === undefined) break;
      hold('I15', stops < STOPS_MAX, () => behind);
      this.#start(0);
      await this.#drive(() => this.#process?.up === true);
    }
    const scene = this.#scene();
    checkState(scene);
    checkTables(scene);
    checkLakeTidy(scene, 'at the end');
    this.#checkSource();
    await this.#replay(scene);
  }

  /** I5: what bronze holds makes the same again, in another shape and from nothing. */
  async #replay(first: Scene): Promise<void> {
    const { plan, scheduler } = this;
    const dir = `${DATA_DIR}/bronze`;
    const disk = this.disk.copyFolder(dir, dir);
    const stores = new SimStores();
    const process = new SimProcess('replay', {
      config: configOf(plan.replayShape, this.exchanges),
      instruments: this.instruments,
      scheduler,
      disk,
      stores,
      diskFault: () => undefined,
      storeFault: () => undefined,
      wallUs: () => plan.startUs + scheduler.nowUs,
      around: this.#around(),
      syncUsMax: plan.diskSyncUsMax,
      lock: new ProcessLock(),
      tables: new SimTables(plan.replayShape.snapshotsKept),
      log: (process, level, message, fields) => this.#log(process, level, message, fields),
      onEnd: (_, { code, reason }) => this.#note(`replay ended with ${code}: ${reason}`),
      onUp: () => {},
      role: 'replay',
    });
    this.#threads.clear();
    const fromSteps = scheduler.steps;
    process.start();
    await this.#drive(() => process.gone || scheduler.steps - fromSteps > REPLAY_STEPS_MAX);
    hold('I5', process.ending?.reason === 'replayed', () => {
      return `the replay ended with ${JSON.stringify(process.ending)}`;
    });
    const events = { fault: () => undefined, die: () => {}, later: () => {} };
    const databases = new StoreHands(stores, events);
    const store = await StateStore.open(STATE_DIR, { readOnly: true, databases });
    checkReplay(first, { ...first, disk, store });
  }

  async #stopInOrder(): Promise<void> {
    const process = this.#process;
    if (process === undefined) throw new Violation('I15', 'no process runs at the end');
    process.stop();
    const fromUs = this.scheduler.nowUs;
    await this.#drive(() => process.gone || this.scheduler.nowUs - fromUs > 30_000_000);
    hold('I15', process.ending?.code === EXIT.ok && process.ending.reason === 'stopped', () => {
      return `the orderly end was ${JSON.stringify(process.ending)}`;
    });
  }

  #behind(): string | undefined {
    for (const { exchange, mirror } of this.truths) {
      const { progress } = this.#scene().store.epoch();
      const covered = progress.find((one) => one.exchange === exchange)?.nextSequence ?? 0;
      if (covered !== mirror.nextSequence) {
        return `${exchange}: the last epoch covers ${covered}, bronze ends at ${mirror.nextSequence}`;
      }
    }
    return undefined;
  }

  /** I1, I8: gold holds what the exchange did, and nothing else. */
  #checkSource(): void {
    for (const { oracle, exchange } of this.truths) {
      const venue = this.venues.get(exchange) as SimExchange;
      const tapes = new Map(venue.state.market.tapes.map((tape) => [tape.instrument.symbol, tape]));
      for (const trade of oracle.gold) {
        const tape = tapes.get(trade.instrument.symbol);
        const row = trade.id - (tape?.instrument.startId ?? 0);
        const isTrue =
          tape !== undefined &&
          row >= 0 &&
          row < tape.rows &&
          BigInt(tape.price.get(row)) * 10n ** BigInt(8 - tape.instrument.priceDecimals) ===
            trade.price &&
          BigInt(tape.quantity.get(row)) * 10n ** BigInt(8 - tape.instrument.quantityDecimals) ===
            trade.quantity &&
          tape.time.get(row) === trade.timeUs;
        hold('I1', isTrue, () => {
          const truth = tape && [tape.rows, tape.time.get(row), tape.price.get(row)];
          return `${exchange} ${trade.instrument.symbol} ${trade.id} never happened so: ${[trade.timeUs, trade.price, trade.quantity, row]}, but ${truth}`;
        });
      }
    }
  }
}

function isUpkeep(path: string): boolean {
  return /\/m[0-9a-z]+-\d+[^/]*\.parquet$/.test(path);
}

function configOf(shape: Shape, exchanges: readonly Exchange[]): Config {
  const base = BASE_CONFIG;
  const jobs = shape.maintenance && shape.iceberg;
  const feed = (key: 'binance' | 'kraken' | 'coinbase') => ({
    enabled: exchanges.some((exchange) => exchangeKey(exchange) === key),
    ws_url: `ws://${key}.test/ws`,
    rest_url: `http://${key}.test`,
    silence_limit_ms: key === 'binance' ? 60_000 : 10_000,
    connection_age_max_ms: 86_400_000,
    backfill: shape.backfill,
  });
  return {
    ...base,
    data_dir: DATA_DIR,
    layout: {
      cores: [0],
      validation_shards: shape.validationShards,
      gold_shards: shape.goldShards,
      lake_threads: shape.lakeThreads,
    },
    exchanges: {
      binance: { ...feed('binance'), channel: 'trade' },
      kraken: feed('kraken'),
      coinbase: { ...feed('coinbase'), channel: 'matches' },
    },
    bronze: {
      sync_interval_ms: shape.syncIntervalMs,
      segment_mb: shape.segmentBytes / (1024 * 1024),
      segment_minutes: 1,
    },
    candles: { allowed_lateness_ms: shape.latenessMs, live_depth: 4 },
    epochs: { interval_ms: shape.epochMs, rows_max: shape.epochRows },
    batches: { rows: shape.batchRows, slots_per_shard: shape.slots, chunk_rows: shape.chunkRows },
    supervision: {
      restart_intensity: 5,
      restart_period_ms: 30_000,
      hang_limit_ms: shape.hangLimitMs,
      stop_timeout_ms: 10_000,
    },
    maintenance: {
      ...base.maintenance,
      check_interval_ms: shape.maintenance ? 1_000 : 3_600_000,
      // Only Iceberg's tables can be maintained, and only Parquet can be compacted.
      every_minutes: {
        compaction: jobs && shape.parquet ? 0.1 : 0,
        retention: 0,
        snapshots: jobs ? 0.2 : 0,
        manifests: jobs ? 0.15 : 0,
        orphans: jobs ? 0.1 : 0,
        audit: jobs && shape.parquet ? 0.2 : 0,
      },
      compaction: { ...base.maintenance.compaction, settle_minutes: 0, files_max: 5 },
      orphan_age_minutes: 0,
      manifests_max: 3,
      snapshots: { keep_min: 1, keep_max: shape.snapshotsKept, age_hours: 0 },
    },
  };
}
