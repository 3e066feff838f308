/**
 * What live ingest needs of the outside world: WebSockets and HTTP, as small interfaces.
 *
 * node-ports.ts implements them for a running process; a test or a simulation passes its own and so
 * controls every delay, every byte and every failure. Nothing in src/feed reaches past them.
 */
import type { Clock } from '#src/base/clock';
import type { Timers } from '#src/base/timers';

/** What a socket tells its owner. `onClose` comes exactly once, and nothing after it. */
export interface SocketHandlers {
  onOpen(): void;
  /** `frame` may be a view of a receive buffer: it is only valid during the call. */
  onMessage(frame: Uint8Array): void;
  onPing(): void;
  /** The handshake was answered by another status than 101. */
  onRefused(status: number, retryAfter: string | undefined): void;
  onError(error: Error): void;
  onClose(code: number, reason: string): void;
}

export interface Socket {
  send(text: string): void;
  /** The orderly close: frames may still arrive until onClose. */
  close(): void;
  /** Drops the connection at once; onClose follows. */
  terminate(): void;
}

export interface WebSocketConnector {
  /** Starts to connect; never throws, never calls a handler before it has returned. */
  open(url: string, handlers: SocketHandlers): Socket;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

export interface HttpGetOptions {
  readonly timeoutMs: number;
  /** A longer body is an error; it is never held in memory. */
  readonly bodyBytesMax: number;
}

/** One GET, redirects not followed. Rejects when no whole answer came. */
export type HttpGet = (
  url: string,
  headers: Readonly<Record<string, string>>,
  options: HttpGetOptions,
) => Promise<HttpResponse>;

export interface Network {
  readonly sockets: WebSocketConnector;
  readonly httpGet: HttpGet;
}

export interface FeedPorts extends Network {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Uniform in [0, 1), from a seeded generator. */
  readonly random: () => number;
}
