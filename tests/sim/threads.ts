/**
 * Threads of a simulated process: the production actors, built by the production thread files, all on
 * the one thread there is. Control calls and reports are messages: copied when they are sent, in
 * order, some time on their way. A thread ends as a worker does: asked to, by a failure it has told
 * first, or terminated; what it had set off never comes back.
 */
import type { Remote } from 'comlink';
import { start as startCandles } from '#actors/candles-thread';
import { start as startGold } from '#actors/gold-thread';
import { start as startIngest } from '#actors/ingest-thread';
import { start as startValidation } from '#actors/validation-thread';
import type { Exchange } from '#schemas/exchange';
import { UserError } from '#src/base/errors';
import { every } from '#src/base/timers';
import { answerOf, filesOf } from '#src/lake/answer';
import type { LakeJob } from '#src/lake/job';
import { LakeEncoder } from '#src/lake/lake-encoder';
import type { StagedFile } from '#src/lake/staged-file';
import type { JobThread, MaintenancePlace } from '#src/maintenance/pool';
import { type AnswerOf, runWorkerJob, type WorkerJob } from '#src/maintenance/worker-job';
import type { StartedActor, Stoppable } from '#src/runtime/control';
import { ActorCounters } from '#src/runtime/counters';
import type { Machine, MachineWithNetwork, MachineWithState } from '#src/runtime/machine';
import type { Failure, SupervisorLine } from '#src/runtime/supervisor-line';
import type { GatewaySpec, ThreadSpec } from '#src/runtime/thread-spec';
import type { ActorThread, Ended } from '#src/supervision/actor-thread';
import type { ActorLine, LakePlace, LakeThreads, Workers } from '#src/supervision/workers';
import { labelOf } from '#tests/sim/digest';
import { networkOf, type SimExchange } from '#tests/sim/exchanges';
import { LineEncoder } from '#tests/sim/lake';
import type { SimProcess } from '#tests/sim/process';
import { Channel, type Owner, type Scheduler } from '#tests/sim/scheduler';

/** Calls that only look: they are answered at once, or four times a second would fill the run. */
const LOOKS = new Set(['status', 'progress', 'port']);
const MESSAGE_US_MAX = 3_000;
/** An idle simulated gateway beats this often. */
const BEAT_MS = 1_000;

/** What threads need of the world around their process. */
export interface Surroundings {
  readonly scheduler: Scheduler;
  readonly venues: ReadonlyMap<Exchange, SimExchange>;
  readonly below: (bound: number) => number;
  /** Whether the lake pool writes Parquet or lines of text. */
  readonly parquet: boolean;
  /** Drawn for every lake job: the pool's thread dies of it. */
  readonly lakeJobDies: () => boolean;
  /** How long a lake job takes, us. */
  readonly lakeJobUsMax: () => number;
  /** An ingest actor begins; the one before it is gone. */
  readonly newClient: (exchange: Exchange) => void;
  /** Checked when a thread starts. */
  readonly onStart: (thread: SimThread<Stoppable>) => void;
}

export class SimThread<C extends Stoppable> implements ActorThread<C>, Owner {
  readonly id: string;
  readonly role: ThreadSpec['role'];
  readonly control: Remote<C>;
  readonly counters: ActorCounters;
  readonly ended: Promise<Ended>;
  readonly ready: Promise<void>;
  readonly spec: ThreadSpec;
  state: 'starting' | 'running' | 'stopped' = 'starting';
  /** Stands still: nothing of it runs until it is terminated. */
  hangs = false;
  readonly #process: SimProcess;
  readonly #around: Surroundings;
  readonly #toThread: Channel;
  readonly #toSupervisor: Channel;
  readonly #messageLabel: number;
  #started: StartedActor | undefined;
  #listen: () => void = () => {};
  readonly #listens = new Promise<void>((resolve) => {
    this.#listen = resolve;
  });
  #dead = false;
  #asked = false;
  #failure: Failure | undefined;
  #resolveEnded: (ended: Ended) => void = () => {};
  readonly #unanswered = new Set<(error: Error) => void>();

  constructor(process: SimProcess, around: Surroundings, spec: ThreadSpec, line: ActorLine) {
    this.id = spec.id;
    this.role = spec.role;
    this.spec = spec;
    this.#process = process;
    this.#around = around;
    this.counters = new ActorCounters(spec.role, spec.board, spec.boardRow);
    this.#messageLabel = labelOf(spec.id);
    const latency = (): number => 1 + around.below(MESSAGE_US_MAX);
    this.#toThread = new Channel(around.scheduler, latency);
    this.#toSupervisor = new Channel(around.scheduler, latency);
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    let up = (): void => {};
    const isUp = new Promise<void>((resolve) => {
      up = resolve;
    });
    const gone = this.ended.then(({ failure }) => {
      throw new Error(`${this.id} ended while starting: ${failure?.message ?? 'stopped'}`);
    });
    this.ready = Promise.race([isUp, gone]);
    this.ready.catch(() => {});
    this.control = this.#remoteControl();
    around.onStart(this as unknown as SimThread<Stoppable>);
    around.scheduler.after(1 + around.below(20_000), this, this.#messageLabel, () => {
      const remote = this.#remoteLine(line);
      this.#start(remote).then(
        (started) => {
          this.#started = started;
          this.#listen();
          this.#toSupervisor.send(process, this.#messageLabel, () => {
            if (this.state === 'starting') this.state = 'running';
            up();
          });
          started.run.then(
            () => this.#exit(),
            (error: unknown) => this.failed(error),
          );
        },
        (error: unknown) => this.failed(error),
      );
    });
  }

  get gone(): boolean {
    return this.#dead || this.hangs || this.#process.gone;
  }

  /** Whether its memory is still its own: a thread that hangs is not dead yet. */
  get dead(): boolean {
    return this.#dead || this.#process.gone;
  }

  failed(error: unknown): void {
    if (this.#dead || this.#process.gone) return;
    const { message, stack = '' } = error instanceof Error ? error : new Error(String(error));
    const exitCode = error instanceof UserError ? error.exitCode : undefined;
    this.#failure ??= { message, stack, exitCode };
    this.#exit();
  }

  answer<T>(call: (control: Remote<C>) => Promise<T>): Promise<T> {
    if (this.state === 'stopped') return Promise.reject(this.#silent());
    return new Promise<T>((resolve, reject) => {
      this.#unanswered.add(reject);
      call(this.control)
        .then(resolve, reject)
        .finally(() => this.#unanswered.delete(reject));
    });
  }

  async stop(timeoutMs: number): Promise<void> {
    this.#asked = true;
    this.control.stop().catch(() => {});
    const { scheduler } = this.#around;
    const timer = scheduler.after(timeoutMs * 1000, this.#process, this.#messageLabel, () =>
      this.#exit(),
    );
    await this.ended;
    timer.cancel();
  }

  async terminate(reason?: string): Promise<void> {
    if (reason === undefined) this.#asked = true;
    else this.#failure ??= { message: reason, stack: '', exitCode: undefined };
    this.#exit();
    await this.ended;
  }

  /** The thread is gone now; its supervisor hears of it a little later. */
  #exit(): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#toSupervisor.send(this.#process, this.#messageLabel, () => {
      this.state = 'stopped';
      for (const reject of this.#unanswered) reject(this.#silent());
      if (!this.#asked) {
        this.#failure ??= { message: 'ended with code 1', stack: '', exitCode: undefined };
      }
      this.#resolveEnded({ asked: this.#asked, failure: this.#failure });
    });
  }

  #silent(): Error {
    return new Error(`${this.id} ended before it answered`);
  }

  #start(line: Remote<SupervisorLine>): Promise<StartedActor> {
    const machine = this.#machine();
    const { spec } = this;
    switch (spec.role) {
      case 'validation':
        return startValidation(spec, line, machine);
      case 'gold':
        return startGold(spec, line, machine);
      case 'candles':
        return startCandles(spec, line, machine);
      case 'ingest':
        return startIngest(spec, line, machine);
      case 'gateway':
        return startGateway(spec, machine);
    }
  }

  #machine(): MachineWithState & MachineWithNetwork {
    const { scheduler, venues, newClient } = this.#around;
    const { disk, databases } = this.#process;
    const timers = this.#process.timersOf(this, this.id);
    if (this.spec.role === 'ingest') newClient(this.spec.exchange);
    return {
      clock: this.#process.clockOf(),
      timers,
      disk,
      databases,
      network: networkOf(venues, this),
      run: (actor, doorbell, counters, stopped) =>
        scheduler.run(this, labelOf(`step ${this.id}`), actor, doorbell, counters, stopped),
    };
  }

  /** What the supervisor calls: a message there and one back. A dead thread never answers. */
  #remoteControl(): Remote<C> {
    const call = (name: string, args: readonly unknown[]): Promise<unknown> => {
      const invoke = async (): Promise<unknown> => {
        const control = this.#started?.control as unknown as Record<
          string,
          (...a: unknown[]) => unknown
        >;
        return (control[name] as (...a: unknown[]) => unknown)(...args);
      };
      if (LOOKS.has(name)) {
        if (this.gone || this.#started === undefined) return new Promise(() => {});
        return invoke();
      }
      return new Promise((resolve, reject) => {
        this.#toThread.send(this, this.#messageLabel, async () => {
          await this.#listens; // until then a worker's port keeps its messages
          invoke().then(
            (answer) =>
              this.#toSupervisor.send(this.#process, this.#messageLabel, () => resolve(answer)),
            (error: unknown) =>
              this.#toSupervisor.send(this.#process, this.#messageLabel, () => reject(error)),
          );
        });
      });
    };
    const proxy = new Proxy(
      {},
      {
        get: (_, name) =>
          name === 'then' ? undefined : (...args: unknown[]) => call(String(name), args),
      },
    );
    return proxy as Remote<C>;
  }

  /** What the actor calls of its supervisor. */
  #remoteLine(line: ActorLine): Remote<SupervisorLine> {
    const remote = {
      lake: (job: LakeJob): Promise<readonly StagedFile[]> => {
        const sent = structuredClone(job);
        return new Promise((resolve, reject) => {
          this.#toSupervisor.send(this.#process, this.#messageLabel, () => {
            line.lake(sent).then(
              (files) => this.#toThread.send(this, this.#messageLabel, () => resolve(files)),
              (error: unknown) =>
                this.#toThread.send(this, this.#messageLabel, () => reject(error)),
            );
          });
        });
      },
      report: async (report: Parameters<ActorLine['report']>[0]): Promise<void> => {
        const sent = structuredClone(report);
        this.#toSupervisor.send(this.#process, this.#messageLabel, () => line.report(sent));
      },
      log: async (...args: Parameters<ActorLine['log']>): Promise<void> => line.log(...args),
    };
    return remote as unknown as Remote<SupervisorLine>;
  }
}

/** In the gateway's place: something that starts, beats, hears the status and stops. */
async function startGateway(spec: GatewaySpec, machine: Machine): Promise<StartedActor> {
  const counters = new ActorCounters('gateway', spec.board, spec.boardRow);
  const heartbeat = every(machine.timers, BEAT_MS, () => counters.beat());
  let end: () => void = () => {};
  const run = new Promise<void>((resolve) => {
    end = resolve;
  });
  const control = {
    status: () => {},
    port: () => 1,
    stop: async () => {
      heartbeat.cancel();
      end();
    },
  };
  return { control, run };
}

export function simWorkers(process: SimProcess, around: Surroundings): Workers {
  return {
    actor: (spec, line) => new SimThread(process, around, spec, line),
    lake: (place) => new SimLake(process, around, place),
    maintenance: (place) => new SimJobThread(process, around, place),
  };
}

/** The lake pool: jobs wait for one of its threads, take their time and end in the order they began. */
class SimLake implements LakeThreads {
  readonly #process: SimProcess;
  readonly #around: Surroundings;
  readonly #run: (job: LakeJob) => StagedFile[];
  readonly #unsettled = new Set<(error: Error) => void>();
  readonly #freeAtUs: number[];
  #closed = false;

  constructor(process: SimProcess, around: Surroundings, place: LakePlace) {
    this.#process = process;
    this.#around = around;
    this.#freeAtUs = new Array<number>(place.threads).fill(0);
    const { disk } = process;
    const { instruments, warehouse } = place;
    const lakeDir = warehouse.dir;
    if (around.parquet) {
      const encoder = new LakeEncoder(instruments, { lakeDir, disk });
      this.#run = (job) => encoder.run(job);
    } else {
      const encoder = new LineEncoder({ lakeDir, disk, instruments });
      this.#run = (job) => encoder.run(job);
    }
  }

  run(job: LakeJob): Promise<readonly StagedFile[]> {
    const { scheduler, below, lakeJobUsMax, lakeJobDies } = this.#around;
    const thread = this.#freeAtUs.indexOf(Math.min(...this.#freeAtUs));
    const startUs = Math.max(scheduler.nowUs, this.#freeAtUs[thread] as number);
    const endUs = startUs + 1 + below(lakeJobUsMax());
    this.#freeAtUs[thread] = endUs;
    return new Promise((resolve, reject) => {
      this.#unsettled.add(reject);
      scheduler.after(endUs - scheduler.nowUs, this.#process, labelOf('lake job'), () => {
        if (this.#closed) return;
        this.#unsettled.delete(reject);
        try {
          if (lakeJobDies()) throw new Error('a lake thread died');
          resolve(filesOf(answerOf(() => this.#run(job))));
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  async destroy(): Promise<void> {
    this.#closed = true;
    for (const reject of this.#unsettled) reject(new Error('the lake pool was closed'));
    this.#unsettled.clear();
  }
}

class SimJobThread implements JobThread {
  readonly #process: SimProcess;
  readonly #around: Surroundings;
  readonly #place: MaintenancePlace;
  readonly #unsettled = new Set<(error: Error) => void>();
  #closed = false;

  constructor(process: SimProcess, around: Surroundings, place: MaintenancePlace) {
    this.#process = process;
    this.#around = around;
    this.#place = place;
  }

  run<J extends WorkerJob>(job: J): Promise<AnswerOf<J>> {
    const { scheduler, below } = this.#around;
    const { disk, databases } = this.#process;
    return new Promise((resolve, reject) => {
      this.#unsettled.add(reject);
      scheduler.after(1 + below(200_000), this.#process, labelOf('job'), () => {
        if (this.#closed) return;
        const settle = (act: () => void): void => {
          if (this.#unsettled.delete(reject)) act();
        };
        runWorkerJob({ ...this.#place, disk, databases }, job).then(
          (answer) => settle(() => resolve(answer as AnswerOf<J>)),
          (error: unknown) => settle(() => reject(error)),
        );
      });
    });
  }

  async destroy(): Promise<void> {
    this.#closed = true;
    for (const reject of this.#unsettled) reject(new Error('the maintenance thread was ended'));
    this.#unsettled.clear();
  }
}
