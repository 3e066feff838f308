/**
 * A lane keeps one group of symbols covered by a connection, for ever.
 *
 *   idle --start--> connecting --> subscribing --> live <--> rotating
 *                       ^                           |            (a replacement is on its way)
 *                       +------ backing_off <-------+--- the connection ended
 *
 * Make before break: a planned replacement subscribes while the old connection still runs, and the
 * old one is closed `OVERLAP_MS` after the new one went live. Both feeds are stored in between; gold
 * drops what came twice. At any time at most one connection attempt is pending or under way.
 */
import type { Timer } from '#src/base/timers';
import type { AttemptBudget } from './attempt-budget.js';
import { backoffDelayMs, failuresAfter, RECONNECT_BACKOFF } from './backoff.js';
import {
  type ConnectionOwner,
  type ConnectionSpec,
  type ConnectionState,
  FeedConnection,
} from './connection.js';
import type { FeedPorts } from './ports.js';
import type { Control, FeedProtocol } from './protocol.js';
import { type ConnectionEnd, describeEnd, reconnectFloorMs } from './reconnect-decision.js';
import { type ConnectionAge, rotationAgeMs } from './rotation.js';
import type { Rejection } from './subscription-tracker.js';

/** Trades matched before the new subscription took effect arrive on the old connection within this. */
const OVERLAP_MS = 5_000;
/**
 * Retry-After of less than a ban is obeyed to the full and a little more: clocks differ, and
 * everybody else comes back on the second.
 */
const FLOOR_JITTER = 0.1;

export type LaneState =
  | 'idle'
  | Exclude<ConnectionState, 'closing' | 'ended'>
  | 'rotating'
  | 'backing_off'
  | 'stopped';

/** What the session hears of its lanes, on top of what connections say themselves. */
export interface LaneOwner {
  onFrame(connection: FeedConnection, frame: Uint8Array, isTrade: boolean): void;
  onControl(lane: FeedLane, connection: FeedConnection, control: Control): void;
  /** `resumed`: the lane was without a live connection since it was last live. */
  onLive(lane: FeedLane, connection: FeedConnection, resumed: boolean): void;
  onRejected(rejections: readonly Rejection[]): void;
  onUnanswered(symbols: readonly string[]): void;
  /** A connection ended; `retryMs` is the wait before the next attempt, or undefined for none. */
  onEnded(connection: FeedConnection, end: ConnectionEnd, retryMs: number | undefined): void;
  nextConnectionNumber(): number;
}

export interface LaneSpec {
  readonly url: string;
  readonly protocol: FeedProtocol;
  readonly symbols: readonly string[];
  readonly silenceMs: number;
  /** Planned replacement, if any. */
  readonly age: ConnectionAge | undefined;
}

export class FeedLane implements ConnectionOwner {
  readonly symbols: readonly string[];
  /** Connections opened after the first. */
  reconnects = 0;
  lastError = '';
  sinceUs = 0;

  readonly #spec: LaneSpec;
  readonly #ports: FeedPorts;
  readonly #budget: AttemptBudget;
  readonly #owner: LaneOwner;
  /** The connection the lane relies on. */
  #current: FeedConnection | undefined;
  /** Its replacement, until it is live. */
  #next: FeedConnection | undefined;
  /** Replaced connections in their overlap, with the timer that closes each. */
  readonly #retiring = new Map<FeedConnection, Timer>();
  #attempt: Timer | undefined;
  #rotation: Timer | undefined;
  #failures = 0;
  #connections = 0;
  #wasLive = false;
  #interrupted = false;
  #running = false;
  readonly #stopWaiters: (() => void)[] = [];

  constructor(spec: LaneSpec, ports: FeedPorts, budget: AttemptBudget, owner: LaneOwner) {
    this.symbols = spec.symbols;
    this.#spec = spec;
    this.#ports = ports;
    this.#budget = budget;
    this.#owner = owner;
  }

  get state(): LaneState {
    if (!this.#running) return this.#connections === 0 ? 'idle' : 'stopped';
    const current = this.#current;
    if (current === undefined) return this.#connections === 0 ? 'connecting' : 'backing_off';
    if (current.state === 'live' && (this.#next !== undefined || this.#attempt !== undefined)) {
      return 'rotating';
    }
    return current.state === 'live' || current.state === 'subscribing'
      ? current.state
      : 'connecting';
  }

  get connection(): FeedConnection | undefined {
    return this.#current;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#failures = 0;
    this.#connectAfter(0);
  }

  /** Closes everything; `orderly` takes what is still under way, for up to 5 s. */
  stop(orderly: boolean): Promise<void> {
    this.#running = false;
    if (this.#wasLive) this.#interrupted = true;
    this.#attempt?.cancel();
    this.#attempt = undefined;
    this.#rotation?.cancel();
    return new Promise((resolve) => {
      this.#stopWaiters.push(resolve);
      for (const timer of this.#retiring.values()) timer.cancel();
      for (const connection of this.#open()) {
        if (orderly) connection.close();
        else connection.terminate();
      }
      this.#resolveStopped();
    });
  }

  onFrame(connection: FeedConnection, frame: Uint8Array, isTrade: boolean): void {
    this.#owner.onFrame(connection, frame, isTrade);
  }

  onControl(connection: FeedConnection, control: Control): void {
    if (control.kind === 'shutdown' && connection === this.#current) {
      // A server that says it again on every new connection must not make us spin.
      this.#countFailure(connection);
      this.#replaceAfter(this.#failures === 0 ? 0 : this.#backoffMs());
    }
    this.#owner.onControl(this, connection, control);
  }

  onRejected(_connection: FeedConnection, rejections: readonly Rejection[]): void {
    this.#owner.onRejected(rejections);
  }

  onUnanswered(_connection: FeedConnection, symbols: readonly string[]): void {
    this.#owner.onUnanswered(symbols);
  }

  onLive(connection: FeedConnection): void {
    if (connection === this.#next) {
      if (this.#current !== undefined) this.#retire(this.#current);
      this.#current = connection;
      this.#next = undefined;
    }
    const resumed = this.#interrupted;
    this.#interrupted = false;
    this.#wasLive = true;
    this.sinceUs = this.#ports.clock.nowUs();
    this.#planRotation();
    this.#owner.onLive(this, connection, resumed);
  }

  onEnded(connection: FeedConnection, end: ConnectionEnd): void {
    const retired = this.#retiring.get(connection);
    retired?.cancel();
    this.#retiring.delete(connection);
    if (connection === this.#next) this.#next = undefined;
    if (connection === this.#current) {
      // A replacement under way takes the place of the connection it was to replace.
      this.#current = this.#next;
      this.#next = undefined;
      if (this.#wasLive) this.#interrupted = true;
      this.#rotation?.cancel();
    }
    if (end.kind !== 'done') this.lastError = describeEnd(end);
    if (end.kind === 'done' || retired !== undefined) {
      this.#owner.onEnded(connection, end, undefined);
      this.#resolveStopped();
      return;
    }
    this.#owner.onEnded(connection, end, this.#retry(connection, end));
  }

  /** Plans the next attempt unless one is pending or under way; answers the wait. */
  #retry(connection: FeedConnection, end: ConnectionEnd): number | undefined {
    if (!this.#running) return undefined;
    const { clock, random } = this.#ports;
    this.#countFailure(connection);
    const floorMs = reconnectFloorMs(end, clock.nowUs());
    const delayMs = floorMs * (1 + FLOOR_JITTER * random()) + this.#backoffMs();
    const underWay = this.#attempt !== undefined || this.#next !== undefined;
    const covered = this.#current !== undefined && this.#current.state !== 'live';
    if (underWay || covered) return undefined;
    this.#connectAfter(delayMs);
    return delayMs;
  }

  /** One more failure in a row, or none if the connection had been up for long. */
  #countFailure(connection: FeedConnection): void {
    const { liveSinceMs } = connection;
    const liveMs = liveSinceMs === undefined ? 0 : this.#ports.clock.monotonicMs() - liveSinceMs;
    this.#failures = failuresAfter(this.#failures, liveMs, RECONNECT_BACKOFF);
  }

  /** The first failure, and the first after a stable time, draw from the shortest range. */
  #backoffMs(): number {
    const retry = Math.max(0, this.#failures - 1);
    return backoffDelayMs(retry, RECONNECT_BACKOFF, this.#ports.random);
  }

  #connectAfter(delayMs: number): void {
    this.#attempt?.cancel();
    this.#attempt = this.#ports.timers.after(delayMs, () => this.#connect());
  }

  #connect(): void {
    const waitMs = this.#budget.take(this.#ports.clock.monotonicMs());
    if (waitMs > 0) {
      this.#connectAfter(waitMs);
      return;
    }
    this.#attempt = undefined;
    if (this.#connections++ > 0) this.reconnects++;
    const spec: ConnectionSpec = { ...this.#spec, number: this.#owner.nextConnectionNumber() };
    const connection = new FeedConnection(spec, this.#ports, this);
    if (this.#current === undefined) {
      this.#current = connection;
      this.sinceUs = connection.openedUs;
    } else {
      this.#next = connection;
    }
  }

  /** Opens a replacement for the current connection, unless one is already on its way. */
  #replaceAfter(delayMs: number): void {
    if (!this.#running || this.#next !== undefined || this.#attempt !== undefined) return;
    if (this.#current?.state === 'live') this.#connectAfter(delayMs);
  }

  #retire(connection: FeedConnection): void {
    this.#retiring.set(
      connection,
      this.#ports.timers.after(OVERLAP_MS, () => connection.close()),
    );
  }

  #planRotation(): void {
    this.#rotation?.cancel();
    const { age } = this.#spec;
    if (age === undefined) return;
    const ageMs = rotationAgeMs(age, this.#ports.random);
    this.#rotation = this.#ports.timers.after(ageMs, () => this.#replaceAfter(0));
  }

  #open(): FeedConnection[] {
    const connections = [this.#current, this.#next, ...this.#retiring.keys()];
    return connections.filter((connection) => connection !== undefined);
  }

  #resolveStopped(): void {
    if (this.#running || this.#open().length > 0) return;
    for (const resolve of this.#stopWaiters.splice(0)) resolve();
  }
}
