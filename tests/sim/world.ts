/**
 * One simulated world: it puts machine, exchanges and processes together, starts a process whenever
 * one has ended, and lets anything happen at any step for most of a run. What comes after the last
 * fault is aftermath.ts. The checkers run after every commit and every start (watch.ts), and at the
 * end.
 */
import { EXCHANGES, type Exchange } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { EXIT } from '#src/base/errors';
import { onMark } from '#src/base/marks';
import { Random } from '#src/base/random';
import { loadInstruments } from '#src/config/instruments';
import type { Config } from '#src/config/schema';
import type { Stoppable } from '#src/runtime/control';
import { simulatedInstrument } from '#src/simulator/instrument';
import { Aftermath } from '#tests/sim/aftermath';
import { labelOf } from '#tests/sim/digest';
import { SimDisk } from '#tests/sim/disk';
import { SimExchange } from '#tests/sim/exchanges';
import { SimStores } from '#tests/sim/key-value';
import type { Plan } from '#tests/sim/plan';
import { type Ending, ProcessLock, SimProcess } from '#tests/sim/process';
import { type Owner, Scheduler } from '#tests/sim/scheduler';
import { bronzeDir, configOf, DATA_DIR } from '#tests/sim/sim-config';
import { SimTables } from '#tests/sim/tables';
import type { SimThread, Surroundings } from '#tests/sim/threads';
import { Trouble } from '#tests/sim/trouble';
import { Truth } from '#tests/sim/truth';
import { hold, Violation } from '#tests/sim/violation';
import { Watch } from '#tests/sim/watch';

/** Of the plan's steps: the rest is for the healing and the replay. */
const SAFETY_SHARE = 0.7;
/** When nothing goes wrong the lake keeps up. */
const CALM_JOB_US_MAX = 2_000;
const LOG_LINES_KEPT = 400;

const ALL_INSTRUMENTS = loadInstruments();

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
  readonly #config: Config;
  readonly #exchanges: readonly Exchange[];
  readonly #instruments: readonly Omit<Instrument, 'code'>[];
  readonly #stores = new SimStores();
  readonly #tables: SimTables | undefined;
  readonly #venues = new Map<Exchange, SimExchange>();
  readonly #trouble: Trouble;
  readonly #watch: Watch;
  readonly #owner: Owner;
  readonly #lock = new ProcessLock();
  readonly #around: Random;
  readonly #threads = new Set<SimThread<Stoppable>>();
  #disk = new SimDisk();
  #phase: 'safety' | 'heal' | 'end' = 'safety';
  #process: SimProcess | undefined;
  #processes = 0;
  /** Instruments of which a range was given up, as the log said: exchange and native symbol. */
  readonly #givenUp = new Set<string>();
  #failure: unknown;

  constructor(plan: Plan) {
    this.plan = plan;
    const seed = new Random(plan.seed);
    this.#around = seed.fork(5);
    this.#tables = plan.shape.iceberg ? undefined : new SimTables(plan.shape.snapshotsKept);
    this.scheduler = new Scheduler(seed.fork(6), plan.pace);
    this.#owner = { id: 'world', gone: false, failed: (error) => this.#fail(error) };
    this.#exchanges = EXCHANGES.slice(0, plan.exchanges);
    this.#config = configOf(plan.shape, this.#exchanges);
    this.#disk.makeParents(DATA_DIR);
    const chosen = this.#exchanges.flatMap((exchange) =>
      ALL_INSTRUMENTS.filter((one) => one.exchange === exchange).slice(0, plan.instruments),
    );
    this.#instruments = chosen;
    for (const [i, exchange] of this.#exchanges.entries()) {
      const instruments = chosen.map((instrument) => simulatedInstrument(instrument));
      const market = { ...plan, instruments, faults: plan.feed };
      const clock = {
        nowUs: () => plan.startUs + this.scheduler.nowUs,
        monotonicMs: () => this.scheduler.nowUs / 1000,
      };
      const random = seed.fork(20 + i);
      const { scheduler } = this;
      const venue = new SimExchange(exchange, market, scheduler, clock, random, this.#owner);
      venue.onAnswer = () => this.#trouble.answerComes();
      this.#venues.set(exchange, venue);
    }
    this.#trouble = new Trouble(plan, this.scheduler, seed, {
      disk: () => this.#disk,
      process: () => this.#process,
      threads: () => this.#threads,
      startSecond: () => this.#newProcess('second').start(),
      happened: (fault) => this.#count(fault),
    });
    this.#watch = this.#newWatch();
    this.scheduler.onStep = () => this.#afterStep();
  }

  /** Runs the seed to its end; throws the first Violation. */
  async run(): Promise<void> {
    onMark((name) => {
      this.tally.marks[name] = (this.tally.marks[name] ?? 0) + 1;
    });
    this.#start(0);
    const safetySteps = Math.floor(this.plan.steps * SAFETY_SHARE);
    await this.#drive(() => this.scheduler.steps >= safetySteps);
    this.#phase = 'heal';
    this.#trouble.end();
    const aftermath = this.#newAftermath();
    await aftermath.heal();
    this.#phase = 'end';
    await aftermath.end();
    const { tally, scheduler } = this;
    const { truths, epochs } = this.#watch;
    tally.steps = scheduler.steps;
    tally.simulatedUs = scheduler.nowUs;
    tally.epochs = epochs;
    tally.frames = truths.reduce((sum, { mirror }) => sum + mirror.frames.length, 0);
    tally.trades = truths.reduce((sum, { oracle }) => sum + oracle.gold.length, 0);
  }

  get digest(): string {
    return this.scheduler.digest.hex;
  }

  /** Stops everything where it is: no event of this world fires any more. */
  abandon(): void {
    onMark(undefined);
    this.#phase = 'end';
    this.#process?.end({ code: undefined, reason: 'the run is over' });
  }

  /** A promise was rejected and nobody heard: in a process that ends it. */
  unhandled(reason: unknown): void {
    const text = reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
    this.#fail(new Violation('no-bug', `unhandled rejection: ${text}`));
  }

  #newWatch(): Watch {
    const { candles, validation, supervision } = this.#config;
    const { parquet } = this.plan.shape;
    const rules = {
      allowedLatenessUs: candles.allowed_lateness_ms * 1000,
      futureToleranceUs: validation.future_tolerance_ms * 1000,
      ageLimitUs: validation.age_limit_days * 86_400_000_000,
    };
    const truths = this.#exchanges.map(
      (exchange) => new Truth(exchange, bronzeDir(exchange), this.#instruments, rules, parquet),
    );
    return new Watch(truths, {
      disk: () => this.#disk,
      stores: this.#stores,
      tables: this.#tables,
      venues: this.#venues,
      threads: () => this.#threads,
      parquet,
      fullCheckEvery: this.plan.fullCheckEvery,
      diskMayFail: this.#trouble.diskMayFail,
      restarts: {
        max: supervision.restart_intensity,
        periodUs: supervision.restart_period_ms * 1000,
      },
      digest: this.scheduler.digest,
      failed: (error) => this.#fail(error),
    });
  }

  async #drive(done: () => boolean): Promise<void> {
    await this.scheduler.drive(() => this.#failure !== undefined || done());
    if (this.#failure !== undefined) throw this.#failure;
  }

  #afterStep(): void {
    if (this.#failure !== undefined) return;
    this.#trouble.step();
    this.#checked(() => this.#watch.step(this.scheduler.steps));
  }

  #checked(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
  }

  #note(text: string): void {
    this.lines.push(`${(this.scheduler.nowUs / 1e6).toFixed(6)} ${text}`.slice(0, 1000));
    if (this.lines.length > LOG_LINES_KEPT) this.lines.splice(0, LOG_LINES_KEPT / 2);
  }

  #count(fault: string): void {
    this.tally.faults[fault] = (this.tally.faults[fault] ?? 0) + 1;
    this.#note(`world ${fault}`);
  }

  #start(delayUs: number): void {
    this.scheduler.after(delayUs, this.#owner, labelOf('start'), () => {
      this.tally.starts++;
      this.#process = this.#newProcess('server');
      this.#process.start();
    });
  }

  #newProcess(role: 'server' | 'second'): SimProcess {
    const { plan, scheduler } = this;
    return new SimProcess(`process-${this.#processes++}`, {
      config: this.#config,
      instruments: this.#instruments,
      scheduler,
      disk: this.#disk,
      stores: this.#stores,
      diskFault: (operation, _, bytes) => this.#trouble.diskFault(operation, bytes),
      storeFault: () => this.#trouble.storeFault(),
      wallUs: () => plan.startUs + scheduler.nowUs + this.#trouble.wallOffsetUs,
      around: this.#surroundings(),
      syncUsMax: plan.diskSyncUsMax,
      turnUsMax: plan.turnUsMax,
      lock: this.#lock,
      tables: this.#tables,
      log: (process, level, message, fields) => this.#log(process, level, message, fields),
      onEnd: (process, ending) => this.#ended(process, ending),
      onUp: () => this.#checked(() => this.#watch.started()),
      role,
    });
  }

  #surroundings(): Surroundings {
    const { plan, scheduler } = this;
    return {
      scheduler,
      venues: this.#venues,
      below: (bound) => this.#around.below(bound),
      parquet: plan.shape.parquet,
      lakeJobUsMax: () => (this.#phase === 'safety' ? plan.lakeJobUsMax : CALM_JOB_US_MAX),
      lakeJobDies: () => this.#trouble.lakeJobDies(),
      newClient: (exchange) => this.#checked(() => this.#watch.lifeEnded(exchange)),
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
    this.#note(`${process.id} ${level} ${message} ${JSON.stringify(fields)}`);
    const given = /^(\w+): (\S+) trades .* given up/.exec(message);
    if (given !== null) this.#givenUp.add(`${given[1]} ${given[2]}`);
    if (message.startsWith('restarting ')) {
      this.#checked(() => this.#watch.restarted(message, this.scheduler.nowUs));
    }
    if (message === 'stopped without a last epoch' && this.#phase === 'end') {
      this.#fail(new Violation('I15', `no last epoch: ${JSON.stringify(fields)}`));
    }
  }

  #ended(process: SimProcess, ending: Ending): void {
    this.#note(`world ${process.id} ended with ${ending.code}: ${ending.reason}`);
    if (process !== this.#process) {
      this.#checked(() =>
        hold('I13', ending.code === EXIT.locked || ending.code === undefined, () => {
          return `a second process ended with ${ending.code}: ${ending.reason}`;
        }),
      );
      return;
    }
    const code = String(ending.code ?? 'killed');
    this.tally.exits[code] = (this.tally.exits[code] ?? 0) + 1;
    this.#checked(() => this.#watch.ended(ending));
    const style = this.#trouble.crashStyle(ending);
    this.#disk = this.#disk.crash(style, this.#trouble.crashRandom);
    this.#stores.crash(style, this.#trouble.crashRandom);
    this.#trouble.processEnded();
    this.#threads.clear();
    this.#process = undefined;
    this.#checked(() => this.#watch.crashed(!style.keepsAll));
    if (this.#phase !== 'end') this.#start(1_000 + this.#around.below(2_000_000));
  }

  #newAftermath(): Aftermath {
    return new Aftermath({
      plan: this.plan,
      scheduler: this.scheduler,
      random: this.#around,
      venues: this.#venues,
      watch: this.#watch,
      process: () => this.#process,
      isGivenUp: (exchange, nativeSymbol) => this.#givenUp.has(`${exchange} ${nativeSymbol}`),
      drive: (done) => this.#drive(done),
      start: () => this.#start(0),
      replay: (disk, stores) => this.#newReplay(disk, stores),
    });
  }

  /** In another shape, and from nothing but bronze. */
  #newReplay(disk: SimDisk, stores: SimStores): SimProcess {
    const { plan, scheduler } = this;
    return new SimProcess('replay', {
      config: configOf(plan.replayShape, this.#exchanges),
      instruments: this.#instruments,
      scheduler,
      disk,
      stores,
      diskFault: () => undefined,
      storeFault: () => undefined,
      wallUs: () => plan.startUs + scheduler.nowUs,
      around: this.#surroundings(),
      syncUsMax: plan.diskSyncUsMax,
      turnUsMax: plan.turnUsMax,
      lock: new ProcessLock(),
      tables: new SimTables(plan.replayShape.snapshotsKept),
      log: (process, level, message, fields) => this.#log(process, level, message, fields),
      onEnd: (_, { code, reason }) => this.#note(`replay ended with ${code}: ${reason}`),
      onUp: () => {},
      role: 'replay',
    });
  }
}
