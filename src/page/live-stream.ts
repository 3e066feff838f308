/**
 * The live stream: one WebSocket, opened again whenever it is lost, with every subscription renewed.
 * What comes first after each is a snapshot, so whoever listens needs no memory of the gap.
 */
import type { StreamMessage } from '#src/push/messages';
import { token } from './server.js';

export type Subject =
  | { channel: 'candles'; exchange: string; symbol: string; timeframe: string; limit: number }
  | { channel: 'trades'; exchange: string; symbol: string; limit: number };

export type LiveMessage = Extract<StreamMessage, { type: 'snapshot' | 'update' }>;

export interface ConnectionState {
  readonly state: 'connecting' | 'open' | 'lost';
  /** When the next attempt is made, ms as of Date.now(); 0 unless lost. */
  readonly retryAtMs: number;
}

/** Milliseconds before the first attempt to come back, and between later ones at most. */
const RETRY_MS = 500;
const RETRY_MS_MAX = 10_000;
/** A connection that has said nothing of a subscription for so long is opened anew. */
const OPEN_MS_MAX = 8_000;

interface Listener {
  readonly subject: Subject;
  readonly onMessage: (message: LiveMessage) => void;
}

function nameOf(subject: { channel: string; exchange: string; symbol: string }): string {
  const timeframe = 'timeframe' in subject ? subject.timeframe : '';
  return `${subject.channel} ${subject.exchange} ${subject.symbol} ${timeframe}`;
}

export class LiveStream {
  readonly #onState: (state: ConnectionState) => void;
  readonly #listeners = new Map<string, Set<Listener>>();
  #socket: WebSocket | undefined;
  #failures = 0;
  #timer = 0;

  constructor(onState: (state: ConnectionState) => void) {
    this.#onState = onState;
    window.addEventListener('online', () => this.#hurry());
    document.addEventListener('visibilitychange', () => this.#hurry());
  }

  connect(): void {
    clearTimeout(this.#timer);
    this.#onState({ state: 'connecting', retryAtMs: 0 });
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const mine = token();
    const protocols = mine === undefined ? [] : ['bullion.v1', `bullion.bearer.${mine}`];
    const socket = new WebSocket(`${scheme}://${location.host}/v1/stream`, protocols);
    this.#socket = socket;
    const slow = setTimeout(() => socket.close(), OPEN_MS_MAX);
    socket.onopen = () => {
      clearTimeout(slow);
      this.#failures = 0;
      this.#onState({ state: 'open', retryAtMs: 0 });
      for (const [listener] of this.#listeners.values()) {
        if (listener !== undefined) this.#ask('subscribe', listener.subject);
      }
    };
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data as string) as StreamMessage);
    socket.onclose = () => {
      clearTimeout(slow);
      if (this.#socket === socket) this.#comeBack();
    };
  }

  /** Answers how to end it. Several listeners of one subject share its subscription. */
  subscribe(subject: Subject, onMessage: (message: LiveMessage) => void): () => void {
    const name = nameOf(subject);
    const listener = { subject, onMessage };
    const listeners = this.#listeners.get(name) ?? new Set<Listener>();
    this.#listeners.set(name, listeners.add(listener));
    // Asking again brings a snapshot for the new one; the others take it for an update.
    this.#ask('subscribe', subject);
    return () => {
      if (!listeners.delete(listener) || listeners.size > 0) return;
      this.#listeners.delete(name);
      this.#ask('unsubscribe', subject);
    };
  }

  #ask(op: 'subscribe' | 'unsubscribe', subject: Subject): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    const { limit, ...what } = subject;
    this.#socket.send(
      JSON.stringify(op === 'subscribe' ? { op, ...what, limit } : { op, ...what }),
    );
  }

  #hear(message: StreamMessage): void {
    if (message.type !== 'snapshot' && message.type !== 'update') return;
    for (const { onMessage } of this.#listeners.get(nameOf(message)) ?? []) onMessage(message);
  }

  #comeBack(): void {
    const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** this.#failures++);
    this.#onState({ state: 'lost', retryAtMs: Date.now() + waitMs });
    this.#timer = setTimeout(() => this.connect(), waitMs);
  }

  /** The network or the person is back: no need to wait for the next attempt. */
  #hurry(): void {
    if (document.hidden || this.#failures === 0) return;
    if (this.#socket?.readyState === WebSocket.CLOSED) this.connect();
  }
}
