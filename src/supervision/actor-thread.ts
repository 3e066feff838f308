/**
 * One actor on one worker thread, as the supervisor holds it: start, control, watch, end. Whatever
 * else runs an actor (workers.ts) shows the same face, `ActorThread`.
 *
 * The control plane is comlink in both directions: `control` calls into the thread, the thread calls
 * its supervisor line. A thread ends in one of three ways: it was asked to, it threw, or it hung and
 * was terminated; `ended` says which, once.
 */
import { MessageChannel, Worker } from 'node:worker_threads';
import { expose, type Remote, releaseProxy, wrap } from 'comlink';
import { threadsLoaded } from '#src/base/loading-threads';
import type { Stoppable } from '#src/runtime/control';
import { controlEndpoint } from '#src/runtime/control-endpoint';
import { ActorCounters } from '#src/runtime/counters';
import type { Failure, SupervisorLine } from '#src/runtime/supervisor-line';
import type { ThreadSpec } from '#src/runtime/thread-spec';

export interface Ended {
  /** True when the supervisor asked for it. */
  readonly asked: boolean;
  readonly failure: Failure | undefined;
}

/** An actor that runs, as its supervisor holds it; on a thread of its own or simulated. */
export interface ActorThread<C extends Stoppable> {
  readonly id: string;
  readonly control: Remote<C>;
  readonly counters: ActorCounters;
  readonly state: 'starting' | 'running' | 'stopped';
  /** Resolves once, when the thread is gone. */
  readonly ended: Promise<Ended>;
  /** Resolves when the actor is up; rejects when its thread ends before that. */
  readonly ready: Promise<void>;
  /** A control call's answer; rejects when the thread has ended or ends before it gives one. */
  answer<T>(call: (control: Remote<C>) => Promise<T>): Promise<T>;
  /** Asks the actor to end and waits; past `timeoutMs` its thread is terminated. */
  stop(timeoutMs: number): Promise<void>;
  /** Ends the thread wherever it is. */
  terminate(reason?: string): Promise<void>;
}

/** A thread that has not come up within this time is ended. */
const START_MS_MAX = 30_000;

/**
 * An actor whose heap grows beyond this fails alone, long before the machine's memory is gone. Rings,
 * slots, columns and chunks are buffers outside of it.
 */
const HEAP_MB_MAX = 1_024;

export class WorkerActorThread<C extends Stoppable> implements ActorThread<C> {
  readonly id: string;
  readonly control: Remote<C>;
  readonly counters: ActorCounters;
  readonly ended: Promise<Ended>;
  readonly ready: Promise<void>;

  readonly #worker: Worker;
  #asked = false;
  #state: 'starting' | 'running' | 'stopped' = 'starting';
  #failure: Failure | undefined;
  readonly #unanswered = new Set<(error: Error) => void>();

  constructor(entry: URL, spec: ThreadSpec, line: Omit<SupervisorLine, 'ready' | 'failed'>) {
    this.id = spec.id;
    this.counters = new ActorCounters(spec.role, spec.board, spec.boardRow);
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(entry, {
      name: spec.id,
      workerData: { spec, line: port2 },
      transferList: [port2],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
    });
    this.#worker = worker;
    this.control = wrap<C>(controlEndpoint(worker));
    let up = (): void => {};
    const isUp = new Promise<void>((resolve) => {
      up = () => {
        this.#state = 'running';
        resolve();
      };
    });
    const mine: SupervisorLine = {
      ...line,
      ready: up,
      failed: (failure) => {
        this.#failure = failure;
      },
    };
    expose(mine, controlEndpoint(port1));
    worker.on('error', (error: Error) => {
      this.#failure ??= {
        message: error.message,
        stack: error.stack ?? '',
        exitCode: undefined,
      };
    });
    this.ended = new Promise((resolve) => {
      worker.once('exit', (code) => {
        this.#state = 'stopped';
        port1.close();
        for (const reject of this.#unanswered) reject(this.#silent());
        if (!this.#asked) {
          this.#failure ??= { message: `ended with code ${code}`, stack: '', exitCode: undefined };
        }
        resolve({ asked: this.#asked, failure: this.#failure });
      });
    });
    const late = setTimeout(
      () => void this.terminate(`did not start within ${START_MS_MAX / 1000} s`),
      START_MS_MAX,
    );
    const gone = this.ended.then(({ failure }) => {
      throw new Error(`${this.id} ended while starting: ${failure?.message ?? 'stopped'}`);
    });
    this.ready = Promise.race([isUp, gone]).finally(() => clearTimeout(late));
  }

  get state(): 'starting' | 'running' | 'stopped' {
    return this.#state;
  }

  answer<T>(call: (control: Remote<C>) => Promise<T>): Promise<T> {
    if (this.#state === 'stopped') return Promise.reject(this.#silent());
    // Not a race with `ended`: that would leave a reaction on it for every call ever made.
    return new Promise<T>((resolve, reject) => {
      this.#unanswered.add(reject);
      call(this.control)
        .then(resolve, reject)
        .finally(() => this.#unanswered.delete(reject));
    });
  }

  async stop(timeoutMs: number): Promise<void> {
    this.#asked = true;
    this.control.stop().catch(() => {}); // a dead or hung thread does not answer: see below
    const timer = setTimeout(() => void this.terminate(), timeoutMs);
    await this.ended;
    clearTimeout(timer);
    this.control[releaseProxy]();
  }

  #silent(): Error {
    return new Error(`${this.id} ended before it answered`);
  }

  async terminate(reason?: string): Promise<void> {
    if (reason === undefined) this.#asked = true;
    else this.#failure ??= { message: reason, stack: '', exitCode: undefined };
    await threadsLoaded();
    await this.#worker.terminate();
    await this.ended;
  }
}
