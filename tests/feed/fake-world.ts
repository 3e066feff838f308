/**
 * A world under the test's control: clock, timers, sockets and HTTP for one feed.
 *
 * Time moves only in `advance`, timers fire in order of their time, a socket does what the test's
 * server function says, and nothing is ever called from within open(), as the ports promise.
 */
import type { Clock } from '#src/base/clock';
import type { Timers } from '#src/base/timers';
import type {
  FeedPorts,
  HttpResponse,
  Socket,
  SocketHandlers,
  WebSocketConnector,
} from '#src/feed/ports';

/** Start of the test clock: 2026-07-07T00:00:00Z. */
export const EPOCH_US = 1_783_382_400_000_000;

export class FakeSocket implements Socket {
  readonly sent: { readonly atMs: number; readonly text: string }[] = [];
  isOpen = false;
  isEnded = false;
  /** Set by our side: close() or terminate() was called. */
  isClosing = false;

  readonly world: FakeWorld;
  readonly url: string;
  readonly openedMs: number;
  readonly handlers: SocketHandlers;

  constructor(world: FakeWorld, url: string, handlers: SocketHandlers) {
    this.world = world;
    this.url = url;
    this.handlers = handlers;
    this.openedMs = world.nowMs;
  }

  send(text: string): void {
    if (!this.isOpen || this.isClosing) return;
    this.sent.push({ atMs: this.world.nowMs, text });
    this.world.later(() => {
      if (!this.isEnded) this.world.onText(this, text);
    });
  }

  close(): void {
    if (this.isClosing) return;
    this.isClosing = true;
    this.world.later(() => this.world.onCloseAsked(this));
  }

  terminate(): void {
    this.isClosing = true;
    this.world.later(() => this.end(1006));
  }

  /** The server accepts. */
  accept(): void {
    if (this.isEnded || this.isClosing) return;
    this.isOpen = true;
    this.handlers.onOpen();
  }

  /** The server sends a frame, in an event-loop turn of its own. */
  frame(message: unknown): void {
    if (this.isEnded) return;
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    this.handlers.onMessage(new TextEncoder().encode(text));
    this.world.endTurn();
  }

  end(code: number, reason = ''): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.isOpen = false;
    this.handlers.onClose(code, reason);
    this.world.endTurn();
  }
}

interface PendingTimer {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

export class FakeWorld implements FeedPorts {
  nowMs = 0;
  readonly opened: FakeSocket[] = [];
  readonly requests: { readonly atMs: number; readonly url: string }[] = [];

  /** What the server does; a test replaces what it cares about. */
  onOpen: (socket: FakeSocket) => void = (socket) => socket.accept();
  onText: (socket: FakeSocket, text: string) => void = () => {};
  onCloseAsked: (socket: FakeSocket) => void = (socket) => socket.end(1000);
  onGet: (url: string) => Partial<HttpResponse> & { text?: string } = () => ({ status: 404 });

  #timers: PendingTimer[] = [];
  #order = 0;
  #turn: (() => void)[] = [];
  #seed: number;

  constructor(seed = 1) {
    this.#seed = seed;
  }

  readonly clock: Clock = {
    nowUs: () => EPOCH_US + Math.floor(this.nowMs * 1000),
    monotonicMs: () => this.nowMs,
  };

  readonly timers: Timers = {
    after: (delayMs, callback) => {
      const timer = { atMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, callback };
      this.#timers.push(timer);
      return {
        cancel: () => {
          this.#timers = this.#timers.filter((t) => t !== timer);
        },
      };
    },
    afterTurn: (callback) => void this.#turn.push(callback),
  };

  readonly sockets: WebSocketConnector = {
    open: (url, handlers) => {
      const socket = new FakeSocket(this, url, handlers);
      this.opened.push(socket);
      this.later(() => this.onOpen(socket));
      return socket;
    },
  };

  readonly httpGet: FeedPorts['httpGet'] = async (url) => {
    this.requests.push({ atMs: this.nowMs, url });
    const { status = 200, headers = {}, text = '' } = this.onGet(url);
    return { status, headers, body: new TextEncoder().encode(text) };
  };

  /** Mulberry32. */
  readonly random = (): number => {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };

  get pendingTimers(): number {
    return this.#timers.length;
  }

  get last(): FakeSocket {
    return this.opened.at(-1)!;
  }

  /** Sockets that are open and that nobody has begun to close. */
  get live(): FakeSocket[] {
    return this.opened.filter((socket) => socket.isOpen && !socket.isClosing);
  }

  /** Runs `callback` as soon as time may move. */
  later(callback: () => void): void {
    this.timers.after(0, callback);
  }

  endTurn(): void {
    for (const callback of this.#turn.splice(0)) callback();
  }

  /** Moves time forward, firing what is due on the way. */
  advance(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.atMs <= endMs);
      if (due.length === 0) break;
      const next = due.reduce((a, b) =>
        b.atMs < a.atMs || (b.atMs === a.atMs && b.order < a.order) ? b : a,
      );
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.callback();
      this.endTurn();
    }
    this.nowMs = endMs;
  }

  /** The same in small steps, letting promises settle in between. */
  async run(ms: number, stepMs = 100): Promise<void> {
    for (let done = 0; done < ms; done += stepMs) {
      this.advance(Math.min(stepMs, ms - done));
      // Enough microtask turns for the longest promise chain between an answer and its timer.
      for (let i = 0; i < 8; i++) await Promise.resolve();
    }
  }
}
