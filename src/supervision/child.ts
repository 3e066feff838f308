/**
 * A supervised child that restarts alone (one_for_one): its thread, its restarts, its intensity.
 */

import type { Clock } from '#src/base/clock';
import { mark } from '#src/base/marks';
import type { Stoppable } from '#src/runtime/control';
import type { Failure } from '#src/runtime/supervisor-line';
import type { ActorThread } from '#src/supervision/actor-thread';
import { addRestart, type RestartIntensity } from '#src/supervision/restart-intensity';

export interface ChildOptions<C extends Stoppable> {
  readonly id: string;
  readonly intensity: RestartIntensity;
  readonly clock: Clock;
  readonly start: () => ActorThread<C>;
  readonly log: (
    level: 'warn' | 'error',
    message: string,
    fields?: Record<string, unknown>,
  ) => void;
  /** The child cannot be kept up: the process has to end with this failure. */
  readonly giveUp: (failure: Failure) => void;
}

export class Child<C extends Stoppable> {
  readonly id: string;
  readonly #options: ChildOptions<C>;
  #thread: ActorThread<C> | undefined;
  #recent: readonly number[] = [];
  #restarts = 0;
  #stopping = false;

  constructor(options: ChildOptions<C>) {
    this.id = options.id;
    this.#options = options;
  }

  /** The running thread; undefined before the start and after the end. */
  get thread(): ActorThread<C> | undefined {
    return this.#thread;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Starts the child and resolves when it is up, be it at a second attempt; from then on it is kept up. */
  async start(): Promise<void> {
    this.#begin();
    for (;;) {
      const thread = this.#thread as ActorThread<C>;
      try {
        await thread.ready;
        return;
      } catch (error) {
        // Its end has been noted by then: either another one is on its way or the child is given up.
        if (this.#thread === thread || this.#thread === undefined) throw error;
      }
    }
  }

  #begin(): void {
    const thread = this.#options.start();
    this.#thread = thread;
    thread.ready.catch(() => {}); // told by `ended`
    void thread.ended.then(({ failure }) => {
      if (failure !== undefined && !this.#stopping) this.#restart(failure);
    });
  }

  async stop(timeoutMs: number): Promise<void> {
    this.#stopping = true;
    await this.#thread?.stop(timeoutMs);
    this.#thread = undefined;
  }

  #restart(failure: Failure): void {
    const { id, clock, intensity, log, giveUp } = this.#options;
    if (failure.exitCode !== undefined) {
      giveUp(failure); // a person has to mend it; restarting cannot
      return;
    }
    const recent = addRestart(this.#recent, clock.monotonicMs(), intensity);
    if (recent === undefined) {
      const { restartsMax, periodMs } = intensity;
      giveUp({
        ...failure,
        message: `${id} failed more than ${restartsMax} times in ${periodMs / 1000} s, last with: ${failure.message}`,
      });
      return;
    }
    this.#recent = recent;
    this.#restarts++;
    mark('supervision: a child restarted');
    log('warn', `restarting ${id}`, { reason: failure.message, restarts: this.#restarts });
    this.#begin(); // a failed start ends the thread, which comes back here
  }
}
