/**
 * One WebSocket connection, from opening to its end.
 *
 *   connecting --open--> subscribing --all answered--> live --+
 *       |                     |                         |     | close() by us
 *       +---------------------+------------+------------+-----+--> ended(why)
 *
 * Every frame goes to the owner as it comes, in every state, before it is looked at; what it means is
 * read afterwards and can end the connection, never lose the frame. The silence watchdog compares
 * counters on a timer instead of reading the clock for every frame. After `onEnded` nothing
 * more is called, and nothing is left behind: no timer, no socket.
 */

import { errorCode } from '#src/base/errors';
import { mark } from '#src/base/marks';
import type { Timer } from '#src/base/timers';
import type { FeedPorts, Socket, SocketHandlers } from './ports.js';
import { type Control, type FeedProtocol, OTHER } from './protocol.js';
import type { ConnectionEnd } from './reconnect-decision.js';
import { evenGroups } from './subscription-plan.js';
import { type Rejection, SubscriptionTracker } from './subscription-tracker.js';

/** From open() to the handshake's answer; covers DNS too, which the socket's own timeout may not. */
const CONNECT_TIMEOUT_MS = 15_000;
const ACK_TIMEOUT_MS = 10_000;
/** An unnamed refusal leaves its neighbours unanswered: they are asked again after this. */
const AGAIN_MS = 2_000;
/** Messages the unanswered symbols are spread over when asked again. */
const AGAIN_MESSAGES = 32;
/** How long an orderly close may take before the socket is dropped. */
const CLOSE_TIMEOUT_MS = 5_000;
/** Silence is looked for this often in one silence limit. */
const SILENCE_CHECKS = 4;
/** Control messages are small; a larger frame that is no trade is kept but not parsed. */
const CONTROL_BYTES_MAX = 256 * 1024;

export type ConnectionState = 'connecting' | 'subscribing' | 'live' | 'closing' | 'ended';

export interface ConnectionOwner {
  /** Stores a frame. It is only valid during the call. */
  onFrame(connection: FeedConnection, frame: Uint8Array, isTrade: boolean): void;
  onControl(connection: FeedConnection, control: Control): void;
  onLive(connection: FeedConnection): void;
  onRejected(connection: FeedConnection, rejections: readonly Rejection[]): void;
  /** Symbols that were neither confirmed nor refused, twice. */
  onUnanswered(connection: FeedConnection, symbols: readonly string[]): void;
  onEnded(connection: FeedConnection, end: ConnectionEnd): void;
}

export interface ConnectionSpec {
  readonly number: number;
  readonly url: string;
  readonly protocol: FeedProtocol;
  readonly symbols: readonly string[];
  readonly silenceMs: number;
}

export class FeedConnection implements SocketHandlers {
  readonly number: number;
  readonly url: string;
  readonly openedUs: number;
  /** Monotonic time it went live, or undefined. */
  liveSinceMs: number | undefined;
  frames = 0;
  lastFrameUs = 0;

  readonly #spec: ConnectionSpec;
  readonly #ports: FeedPorts;
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #tracker: SubscriptionTracker;
  readonly #timers = new Map<string, Timer>();
  readonly #outbox: string[] = [];
  readonly #decoder = new TextDecoder();
  #state: ConnectionState = 'connecting';
  /** Why it is ending, set by whoever noticed first. */
  #end: ConnectionEnd | undefined;
  #messageId = 0;
  #askedAgain = false;
  #activity = 0;
  #activitySeen = -1;
  #silentChecks = 0;

  constructor(spec: ConnectionSpec, ports: FeedPorts, owner: ConnectionOwner) {
    this.number = spec.number;
    this.url = spec.url;
    this.#spec = spec;
    this.#ports = ports;
    this.#owner = owner;
    this.openedUs = ports.clock.nowUs();
    this.#tracker = new SubscriptionTracker(spec.symbols);
    this.#socket = ports.sockets.open(spec.url, this);
    this.#after('deadline', CONNECT_TIMEOUT_MS, () => this.#drop({ kind: 'connect_timeout' }));
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get symbols(): readonly string[] {
    return this.#spec.symbols;
  }

  /** The orderly end: frames still under way are taken until the exchange has answered. */
  close(): void {
    if (this.#state === 'ended' || this.#state === 'closing') return;
    this.#end ??= { kind: 'done' };
    if (this.#state === 'connecting') {
      this.#socket.terminate();
    } else {
      this.#socket.close();
    }
    this.#state = 'closing';
    this.#cancelTimers();
    this.#after('deadline', CLOSE_TIMEOUT_MS, () => this.terminate());
  }

  /** The end, now; safe to call in any state. `onEnded` is called before it returns. */
  terminate(): void {
    this.#drop({ kind: 'done' });
  }

  onOpen(): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'subscribing';
    this.#outbox.push(...this.#spec.protocol.greeting);
    for (const group of evenGroups(this.symbols, this.#spec.protocol.symbolsPerMessageMax)) {
      this.#ask(group);
    }
    this.#sendNext();
    this.#after('deadline', this.#ackTimeoutMs(), () => this.#onAckDeadline());
    this.#checkSilence();
    const { ping } = this.#spec.protocol;
    if (ping !== undefined) this.#after('ping', ping.intervalMs, () => this.#ping());
  }

  onMessage(frame: Uint8Array): void {
    if (this.#state === 'ended') return;
    this.frames++;
    this.#activity++;
    const isTrade = this.#spec.protocol.isTrade(frame);
    this.#owner.onFrame(this, frame, isTrade);
    if (isTrade) return;
    const control = this.#readControl(frame);
    this.#owner.onControl(this, control);
    // The owner may have ended us in either call.
    if (this.#state === 'subscribing') this.#onAnswer(control);
  }

  onPing(): void {
    this.#activity++;
  }

  onRefused(status: number, retryAfter: string | undefined): void {
    this.#end ??= { kind: 'refused', status, retryAfter };
  }

  onError(error: Error): void {
    if (errorCode(error) === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') this.#drop({ kind: 'oversize' });
    this.#end ??= { kind: 'error', message: error.message };
  }

  onClose(code: number, reason: string): void {
    this.#finish(this.#end ?? { kind: 'closed', code, reason });
  }

  #ask(symbols: readonly string[]): void {
    const id = ++this.#messageId;
    this.#tracker.asked(id, symbols);
    this.#outbox.push(this.#spec.protocol.subscribe(symbols, id));
  }

  /** Messages leave one at a time, `sendIntervalMs` apart. */
  #sendNext(): void {
    if (this.#timers.has('send')) return;
    const text = this.#outbox.shift();
    if (text === undefined) return;
    this.#socket.send(text);
    this.#after('send', this.#spec.protocol.sendIntervalMs, () => this.#sendNext());
  }

  /** Counted from the last message's turn in the outbox. */
  #ackTimeoutMs(): number {
    return ACK_TIMEOUT_MS + this.#outbox.length * this.#spec.protocol.sendIntervalMs;
  }

  #ping(): void {
    const { ping } = this.#spec.protocol;
    if (ping === undefined) return;
    this.#outbox.push(ping.text);
    this.#sendNext();
    this.#after('ping', ping.intervalMs, () => this.#ping());
  }

  #readControl(frame: Uint8Array): Control {
    if (frame.length > CONTROL_BYTES_MAX) return OTHER;
    const text = this.#decoder.decode(frame);
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      // Bronze has it and validation judges it; here it is at most worth showing to a person.
      return { kind: 'notice', text: `not JSON: ${text.slice(0, 120)}` };
    }
    return this.#spec.protocol.readControl(message);
  }

  #onAnswer(control: Control): void {
    if (control.kind === 'ack') {
      this.#tracker.acknowledge(control);
    } else if (control.kind === 'reject') {
      const { rejected, again } = this.#tracker.reject(control);
      if (rejected.length > 0) this.#owner.onRejected(this, rejected);
      if (this.#state !== 'subscribing') return;
      for (const group of again) this.#ask(group);
      this.#sendNext();
      const waitMs = again.length > 0 || this.#askedAgain ? this.#ackTimeoutMs() : AGAIN_MS;
      this.#after('deadline', waitMs, () => this.#onAckDeadline());
    } else return;
    if (this.#state === 'subscribing' && this.#tracker.pending.length === 0) this.#settle();
  }

  #onAckDeadline(): void {
    const { pending, answers } = this.#tracker;
    if (answers === 0) {
      mark('feed: a subscription was never answered');
      this.#drop({ kind: 'unacknowledged' });
    } else if (this.#askedAgain) {
      this.#owner.onUnanswered(this, pending);
      this.#settle();
    } else {
      this.#askedAgain = true;
      for (const group of evenGroups(pending, Math.ceil(pending.length / AGAIN_MESSAGES))) {
        this.#ask(group);
      }
      this.#sendNext();
      this.#after('deadline', this.#ackTimeoutMs(), () => this.#onAckDeadline());
    }
  }

  /** Every symbol is settled: live with those confirmed, or no use at all. */
  #settle(): void {
    if (this.#state !== 'subscribing') return;
    if (this.#tracker.acknowledged === 0) {
      this.#drop({ kind: 'rejected' });
      return;
    }
    this.#cancel('deadline');
    this.#state = 'live';
    this.liveSinceMs = this.#ports.clock.monotonicMs();
    this.#owner.onLive(this);
  }

  #checkSilence(): void {
    if (this.#activity === this.#activitySeen) this.#silentChecks++;
    else this.#silentChecks = 0;
    this.#activitySeen = this.#activity;
    const { silenceMs } = this.#spec;
    if (this.#silentChecks >= SILENCE_CHECKS) {
      this.#drop({ kind: 'silent', silentMs: silenceMs });
      return;
    }
    this.#after('silence', silenceMs / SILENCE_CHECKS, () => this.#checkSilence());
  }

  #drop(end: ConnectionEnd): void {
    if (this.#state === 'ended') return;
    this.#end ??= end;
    this.#socket.terminate();
    this.#finish(this.#end);
  }

  #finish(end: ConnectionEnd): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#cancelTimers();
    this.#owner.onEnded(this, end);
  }

  /** Sets the one timer of that name. */
  #after(name: string, delayMs: number, callback: () => void): void {
    this.#cancel(name);
    const timer = this.#ports.timers.after(delayMs, () => {
      this.#timers.delete(name);
      callback();
    });
    this.#timers.set(name, timer);
  }

  #cancel(name: string): void {
    this.#timers.get(name)?.cancel();
    this.#timers.delete(name);
  }

  #cancelTimers(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }
}
