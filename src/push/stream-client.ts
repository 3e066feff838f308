/**
 * One client of the stream, however it is connected: its subscriptions, and what happens when it
 * does not read.
 *
 *   keeping up --buffer over the cap--> behind --buffer drained--> keeping up, with fresh snapshots
 *                                         +--still behind after BEHIND_MS_MAX--> closed
 *
 * While it is behind nothing is queued for it, so a client costs at most the cap and one message,
 * however slowly it reads and however much happens meanwhile.
 */
import type { EncodedMessage } from '#src/push/encoded-message';
import type { Topic } from '#src/push/topics';

/** How a client is connected: a WebSocket or a stream of events. */
export interface Wire {
  send(message: EncodedMessage): void;
  /** Bytes handed over and not yet taken by the network. */
  readonly bufferedBytes: number;
  close(reason: CloseReason): void;
}

export type CloseReason = 'too slow' | 'too many requests' | 'server stopping';

/** Bytes that may wait for one client: about a second of a busy chart and tape. */
export const BUFFER_BYTES_MAX = 256 * 1024;
/** ... and how far that has to fall before it gets snapshots. */
const BUFFER_BYTES_DRAINED = 16 * 1024;
/** Milliseconds. */
const BEHIND_MS_MAX = 15_000;

interface Subscription {
  readonly topic: Topic;
  readonly limit: number;
}

export class StreamClient {
  readonly #wire: Wire;
  readonly #subscriptions = new Map<string, Subscription>();
  /** Subscriptions whose next message has to be a snapshot. */
  readonly #stale = new Set<string>();
  /** When it fell behind, ms; undefined while it keeps up. */
  #behindSinceMs: number | undefined;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  get subscriptions(): number {
    return this.#subscriptions.size;
  }

  get isBehind(): boolean {
    return this.#behindSinceMs !== undefined;
  }

  has(name: string): boolean {
    return this.#subscriptions.has(name);
  }

  names(): Iterable<string> {
    return this.#subscriptions.keys();
  }

  /** Adds or changes a subscription: a snapshot comes first, as soon as the client takes it. */
  add(name: string, subscription: Subscription, nowMs: number): void {
    this.#subscriptions.set(name, subscription);
    this.#stale.add(name);
    if (!this.isBehind) this.#sendSnapshots(nowMs);
  }

  remove(name: string): void {
    this.#subscriptions.delete(name);
    this.#stale.delete(name);
  }

  /** An update of a subscription; nothing while a snapshot has to come first. */
  deliver(name: string, message: EncodedMessage, nowMs: number): void {
    if (this.#stale.has(name)) return;
    this.#send(message, nowMs);
  }

  /** An answer to a request of its own. */
  answer(message: EncodedMessage, nowMs: number): void {
    this.#send(message, nowMs);
  }

  close(reason: CloseReason): void {
    this.#wire.close(reason);
  }

  /** Looks after a client that is behind; call it now and then. */
  check(nowMs: number): void {
    if (this.#behindSinceMs === undefined) return;
    if (this.#wire.bufferedBytes <= BUFFER_BYTES_DRAINED) {
      this.#behindSinceMs = undefined;
      this.#sendSnapshots(nowMs);
    } else if (nowMs - this.#behindSinceMs > BEHIND_MS_MAX) {
      this.#wire.close('too slow');
    }
  }

  #sendSnapshots(nowMs: number): void {
    for (const name of this.#stale) {
      if (this.isBehind) return; // the others follow when these are taken
      const { topic, limit } = this.#subscriptions.get(name) as Subscription;
      this.#stale.delete(name);
      this.#send(topic.snapshot(limit), nowMs);
    }
  }

  #send(message: EncodedMessage, nowMs: number): void {
    this.#wire.send(message);
    if (this.isBehind || this.#wire.bufferedBytes <= BUFFER_BYTES_MAX) return;
    this.#behindSinceMs = nowMs;
    // Whatever changes from here on is not queued, so every subscription starts anew.
    for (const name of this.#subscriptions.keys()) this.#stale.add(name);
  }
}
