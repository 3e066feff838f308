/**
 * What goes wrong, and when: faults of the process come at steps that are drawn ahead, faults of the
 * disk and the store at the operation itself. Until `end`; after it nothing fails any more.
 */
import type { Random } from '#src/base/random';
import type { Stoppable } from '#src/runtime/control';
import type { CrashStyle, DiskFault, Operation, SimDisk } from '#tests/sim/disk';
import type { Plan, ProcessFaults } from '#tests/sim/plan';
import type { Ending, SimProcess } from '#tests/sim/process';
import type { Scheduler } from '#tests/sim/scheduler';
import type { SimThread } from '#tests/sim/threads';

/** What trouble is made of. */
export interface Victims {
  readonly disk: () => SimDisk;
  /** The running server, if there is one. */
  readonly process: () => SimProcess | undefined;
  readonly threads: () => Iterable<SimThread<Stoppable>>;
  readonly startSecond: () => void;
  /** Told of everything that happens. */
  readonly happened: (fault: string) => void;
}

type Planned = keyof ProcessFaults | 'full';

export class Trouble {
  /** How far the process's wall clock is from the exchanges', us. */
  wallOffsetUs = 0;
  readonly #plan: Plan;
  readonly #victims: Victims;
  readonly #scheduler: Scheduler;
  readonly #process: Random;
  readonly #disk: Random;
  readonly #crash: Random;
  readonly #rates: ReadonlyMap<Planned, number>;
  /** The step at which each planned fault comes next. */
  readonly #next = new Map<Planned, number>();
  /** Operations until the process dies at one; -1: it does not. */
  #diesIn = -1;
  #fullUntilUs = -1;
  #isOver = false;

  constructor(plan: Plan, scheduler: Scheduler, seed: Random, victims: Victims) {
    this.#plan = plan;
    this.#scheduler = scheduler;
    this.#victims = victims;
    this.#process = seed.fork(2);
    this.#disk = seed.fork(3);
    this.#crash = seed.fork(4);
    const rates = { ...plan.process, full: plan.disk.full };
    this.#rates = new Map(Object.entries(rates) as [Planned, number][]);
    for (const name of this.#rates.keys()) this.#drawNext(name);
  }

  /** Whether a disk may have failed at all. */
  get diskMayFail(): boolean {
    return Object.values(this.#plan.disk).some((rate) => rate > 0);
  }

  end(): void {
    this.#isOver = true;
    this.#diesIn = -1;
    this.#victims.disk().capacityBytes = Number.POSITIVE_INFINITY;
  }

  /** The process is gone: what was to happen at one of its operations does not. */
  processEnded(): void {
    this.#diesIn = -1;
  }

  /** After every step. */
  step(): void {
    if (this.#isOver) return;
    for (const [name, atStep] of this.#next) {
      if (this.#scheduler.steps < atStep) continue;
      this.#drawNext(name);
      this.#cause(name);
    }
    if (this.#fullUntilUs >= 0 && this.#scheduler.nowUs >= this.#fullUntilUs) {
      this.#victims.disk().capacityBytes = Number.POSITIVE_INFINITY;
      this.#fullUntilUs = -1;
    }
  }

  diskFault(operation: Operation, bytes: number): DiskFault | undefined {
    if (this.#isOver) return undefined;
    if (operation !== 'read' && this.#diesNow()) {
      this.#victims.happened('died at an operation');
      return { dieAfterBytes: operation === 'write' ? this.#disk.below(bytes + 1) : 0 };
    }
    const { disk } = this.#plan;
    switch (operation) {
      case 'write':
        if (this.#strikes(disk.writeError, 'write error')) return { code: 'EIO' };
        if (bytes < 2 || !this.#strikes(disk.shortWrite, 'short write')) return undefined;
        return { shortBytes: 1 + this.#disk.below(bytes - 1) };
      case 'fsync':
      case 'datasync':
      case 'syncDirectory':
        return this.#strikes(disk.syncError, 'sync error') ? { code: 'EIO' } : undefined;
      case 'read':
        return this.#strikes(disk.readError, 'read error') ? { code: 'EIO' } : undefined;
      default:
        return this.#strikes(disk.nameError, 'name error') ? { code: 'EIO' } : undefined;
    }
  }

  /** An answer of an exchange's REST side is about to come in. */
  answerComes(): void {
    if (this.#isOver || !this.#strikes(this.#plan.disk.fullAtAnswer, 'disk full')) return;
    this.#fillDisk(0);
  }

  storeFault(): { readonly code: string } | 'die' | 'die-after' | undefined {
    if (this.#isOver) return undefined;
    if (this.#diesNow()) {
      this.#victims.happened('died at a commit');
      return this.#disk.chance(0.5) ? 'die' : 'die-after';
    }
    if (!this.#strikes(this.#plan.disk.storeError, 'store error')) return undefined;
    return { code: this.#disk.chance(0.5) ? 'ENOSPC' : 'EIO' };
  }

  lakeJobDies(): boolean {
    return !this.#isOver && this.#strikes(this.#plan.disk.lakeJobDies, 'lake job died');
  }

  /** What an ending does to the machine: nothing, or a power loss. */
  crashStyle({ code, reason }: Ending): CrashStyle {
    const { keep, tear, powerShare } = this.#plan.crash;
    const isPower =
      code === undefined &&
      (reason === 'power' || (reason !== 'kill' && this.#crash.chance(powerShare)));
    if (isPower) this.#victims.happened('power loss');
    return { keepsAll: !isPower, keep, tear };
  }

  get crashRandom(): Random {
    return this.#crash;
  }

  #drawNext(name: Planned): void {
    const perThousand = this.#rates.get(name) as number;
    if (perThousand <= 0) return;
    const gap = (-Math.log(1 - this.#process.unit()) * 1000) / perThousand;
    this.#next.set(name, this.#scheduler.steps + 1 + Math.floor(gap));
  }

  #cause(name: Planned): void {
    const random = this.#process;
    const { process: running, threads, startSecond, happened } = this.#victims;
    if (name === 'full') {
      happened('disk full');
      this.#fillDisk(random.below(20_000));
      return;
    }
    if (name === 'clockJump') {
      happened('clock jump');
      const jumpUs = random.pick([100_000, 7_000_000, 3_600_000_000]);
      this.wallOffsetUs += random.between(-1, 1) * jumpUs;
      return;
    }
    const process = running();
    if (process === undefined || process.gone) return;
    const alive = [...threads()].filter((thread) => !thread.dead && !thread.hangs);
    switch (name) {
      case 'kill':
      case 'power':
        happened(name);
        process.end({ code: undefined, reason: name });
        return;
      case 'stop':
        happened('stop');
        process.stop();
        return;
      case 'dieAtOperation':
        this.#diesIn = random.below(random.pick([5, 60]));
        return;
      case 'secondStart':
        happened('second start');
        startSecond();
        return;
      case 'threadThrows':
        if (alive.length === 0) return;
        happened('thread threw');
        random.pick(alive).failed(new Error('an injected failure'));
        return;
      case 'threadHangs': {
        const running = alive.filter((thread) => thread.state === 'running');
        if (running.length === 0) return;
        happened('thread hung');
        random.pick(running).hangs = true;
        return;
      }
    }
  }

  /** For up to ten seconds there is room for so many bytes more. */
  #fillDisk(roomBytes: number): void {
    const disk = this.#victims.disk();
    disk.capacityBytes = disk.usedBytes + roomBytes;
    this.#fullUntilUs = this.#scheduler.nowUs + this.#process.below(10_000_000);
  }

  #diesNow(): boolean {
    return this.#diesIn >= 0 && this.#diesIn-- === 0;
  }

  #strikes(rate: number, fault: string): boolean {
    if (rate === 0 || !this.#disk.chance(rate)) return false;
    this.#victims.happened(fault);
    return true;
  }
}
