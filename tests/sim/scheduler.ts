/**
 * The only thread, the only clock and the only order of a simulated world.
 *
 * What can happen next is the earliest due event of the heap (a timer, a message on its way, a disk's
 * answer) or a step of an actor that has something to do; which of them does is drawn. When nothing
 * can happen, time jumps to the next event. Every choice goes into a digest, so two runs of a seed
 * can be compared. Between two steps the microtask queue is drained: a promise chain that only waits
 * for other promises is part of the step that set it off.
 */
import type { Random } from '#src/base/random';
import type { Doorbell } from '#src/ring/doorbell';
import type { Actor } from '#src/runtime/actor';
import type { ActorCounters } from '#src/runtime/counters';
import { Digest } from '#tests/sim/digest';

/** Whoever owns an event or an actor: what is gone, or hangs, does nothing any more. */
export interface Owner {
  readonly id: string;
  /** Nothing of it may run. */
  readonly gone: boolean;
  /** Takes what one of its callbacks threw. */
  failed(error: unknown): void;
}

interface Event {
  readonly atUs: number;
  readonly tie: number;
  readonly seq: number;
  readonly owner: Owner;
  readonly label: number;
  run: (() => void) | undefined;
}

interface Runner {
  readonly owner: Owner;
  readonly actor: Actor;
  readonly doorbell: Doorbell;
  readonly counters: ActorCounters;
  readonly stopped: () => boolean;
  readonly label: number;
  readonly end: (error: unknown) => void;
  /** The doorbell's count before the last step; the actor rests when it is still the same. */
  seen: number;
  busy: boolean;
  wakeUs: number;
}

/** As in src/runtime/host.ts, but rarer: an idle beat is a step that finds nothing. */
const REST_US_MAX = 1_000_000;
/** Events of one channel arrive in order and at least this far apart. */
const CHANNEL_US = 1;

export interface Pace {
  /** How long a step of an actor takes at most, us. */
  readonly stepUsMax: number;
  /** Probability that a due event goes before the actors. */
  readonly eventFirst: number;
  /** Always the first of what can happen: for a shrunk run that is easier to follow. */
  readonly inOrder: boolean;
}

export class Scheduler {
  /** Simulated time since the start, us: monotonic. */
  nowUs = 0;
  steps = 0;
  readonly digest = new Digest();
  /** Called after every step, when the microtasks have run. */
  onStep: () => void = () => {};
  pace: Pace;
  readonly #random: Random;
  readonly #heap: Event[] = [];
  #runners: Runner[] = [];
  #seq = 0;
  #ready: Runner[] = [];

  constructor(random: Random, pace: Pace) {
    this.#random = random;
    this.pace = pace;
  }

  /** Calls `run` once at `nowUs + delayUs`, unless cancelled or its owner is gone by then. */
  after(delayUs: number, owner: Owner, label: number, run: () => void): { cancel(): void } {
    const event: Event = {
      atUs: this.nowUs + Math.max(0, Math.round(delayUs)),
      tie: this.pace.inOrder ? 0 : this.#random.uint32(),
      seq: this.#seq++,
      owner,
      label,
      run,
    };
    this.#push(event);
    return {
      cancel: () => {
        event.run = undefined;
      },
    };
  }

  /** Registers an actor; resolves when it has stopped, rejects with what its step threw. */
  run(
    owner: Owner,
    label: number,
    actor: Actor,
    doorbell: Doorbell,
    counters: ActorCounters,
    stopped: () => boolean,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const runner: Runner = {
        owner,
        actor,
        doorbell,
        counters,
        stopped,
        label,
        end: (error) => {
          this.#runners = this.#runners.filter((other) => other !== runner);
          if (error === undefined) resolve();
          else reject(error);
        },
        seen: -1,
        busy: true,
        wakeUs: 0,
      };
      this.#runners.push(runner);
    });
  }

  /** Steps until `done` says so. Rejects with what a checker throws. */
  drive(done: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let over = false;
      const turn = (): void => {
        if (over) return;
        try {
          this.onStep();
          if (done()) {
            over = true;
            resolve();
            return;
          }
          this.step();
        } catch (error) {
          over = true;
          reject(error);
        }
      };
      // Node drains microtasks between two immediates of one turn of its own loop.
      const batch = (): void => {
        for (let i = 0; i < 64; i++) setImmediate(turn);
        setImmediate(() => {
          if (!over) batch();
        });
      };
      batch();
    });
  }

  step(): void {
    this.steps++;
    const ready = this.#findReady();
    let event = this.#due();
    if (event === undefined && ready.length === 0) {
      this.#jump();
      event = this.#due();
    }
    const inOrder = this.pace.inOrder;
    const takesEvent =
      event !== undefined &&
      (ready.length === 0 || inOrder || this.#random.chance(this.pace.eventFirst));
    if (takesEvent) this.#fire();
    else if (ready.length > 0) {
      const at = inOrder ? 0 : this.#random.below(ready.length);
      this.#stepActor(ready[at] as Runner);
    }
  }

  #fire(): void {
    const event = this.#pop();
    const { run, owner } = event;
    if (run === undefined || owner.gone) return;
    this.digest.add(event.label, this.nowUs);
    try {
      run();
    } catch (error) {
      owner.failed(error);
    }
  }

  #stepActor(runner: Runner): void {
    if (runner.stopped()) {
      runner.end(undefined);
      return;
    }
    runner.seen = runner.doorbell.count;
    let work = 0;
    try {
      work = runner.actor.step();
    } catch (error) {
      runner.end(error);
      return;
    }
    runner.counters.beat();
    runner.busy = work > 0;
    runner.wakeUs = this.nowUs + REST_US_MAX;
    this.digest.add(runner.label, work);
    this.nowUs += 1 + this.#random.below(this.pace.stepUsMax);
  }

  #findReady(): Runner[] {
    const ready = this.#ready;
    ready.length = 0;
    let gone = false;
    for (const runner of this.#runners) {
      if (runner.owner.gone) gone = true;
      else if (
        runner.busy ||
        runner.doorbell.count !== runner.seen ||
        runner.wakeUs <= this.nowUs
      ) {
        ready.push(runner);
      }
    }
    if (gone) this.#runners = this.#runners.filter(({ owner }) => !owner.gone);
    return ready;
  }

  #jump(): void {
    let nextUs = this.#heap[0]?.atUs ?? Number.POSITIVE_INFINITY;
    for (const { wakeUs } of this.#runners) if (wakeUs < nextUs) nextUs = wakeUs;
    if (nextUs === Number.POSITIVE_INFINITY) throw new Error('nothing can happen any more');
    this.nowUs = Math.max(this.nowUs, nextUs);
  }

  /** The earliest event, when its time has come. */
  #due(): Event | undefined {
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined || event.atUs > this.nowUs) return undefined;
      if (event.run !== undefined && !event.owner.gone) return event;
      this.#pop();
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent] as Event)) break;
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Event {
    const heap = this.#heap;
    const top = heap[0] as Event;
    const last = heap.pop() as Event;
    if (heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event))
        child++;
      if (!before(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function before(a: Event, b: Event): boolean {
  if (a.atUs !== b.atUs) return a.atUs < b.atUs;
  return a.tie !== b.tie ? a.tie < b.tie : a.seq < b.seq;
}

/** Messages that stay in order: a socket's, a port's. */
export class Channel {
  readonly #scheduler: Scheduler;
  readonly #latencyUs: () => number;
  #lastUs = 0;

  constructor(scheduler: Scheduler, latencyUs: () => number) {
    this.#scheduler = scheduler;
    this.#latencyUs = latencyUs;
  }

  send(owner: Owner, label: number, deliver: () => void): void {
    const { nowUs } = this.#scheduler;
    const atUs = Math.max(nowUs + this.#latencyUs(), this.#lastUs + CHANNEL_US);
    this.#lastUs = atUs;
    this.#scheduler.after(atUs - nowUs, owner, label, deliver);
  }
}
