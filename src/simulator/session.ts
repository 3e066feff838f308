/**
 * One client connection with a real socket.
 *
 * Everything sent goes through one wire buffer and so leaves in order: the protocol's answers, the
 * feed's messages, pings and pongs. Only the closing handshake is left to `ws`. A session may be
 * made half-open (it neither sends nor reads, and says nothing) or dripping (bytes leave a few at a
 * time, so that frames are split over many reads).
 */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Clock } from '#src/base/clock';
import { assert } from '#src/base/errors';
import { OPCODE_TEXT } from '#src/simulator/faulty-frames';
import type { FeedPlan, Special } from '#src/simulator/feed-plan';
import type { Feed, FrameFormat } from '#src/simulator/frame-format';
import type { Journal } from '#src/simulator/journal';
import type { Market } from '#src/simulator/market';
import type { Peer, Protocol } from '#src/simulator/peer';
import { specialFrame } from '#src/simulator/special-frame';
import { WireBuffer } from '#src/simulator/wire';

const OPCODE_PING = 9;
const OPCODE_PONG = 10;
const CLOSE_CODES = [1000, 1001, 1011, 1012, 1013] as const;

export interface SessionOptions {
  readonly connection: number;
  readonly ws: WebSocket;
  readonly socket: Socket;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly market: Market;
  readonly feeds: readonly Feed[];
}

export class Session implements Peer {
  readonly connection: number;
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #market: Market;
  readonly #wire = new WireBuffer();
  readonly #wants: ReadonlyMap<Feed, Uint8Array>;
  readonly #formats = new Map<Feed, FrameFormat>();
  /** Set once, by the venue, right after construction. */
  protocol: Protocol | undefined;
  #open = true;
  #halfOpen = false;
  /** Bytes that are still to leave slowly, and the bytes waiting behind them. */
  #dripBytes = 0;
  #waiting = Buffer.alloc(0);
  #bytesSent = 0;
  lastSentMs: number;

  constructor(options: SessionOptions) {
    this.connection = options.connection;
    this.#ws = options.ws;
    this.#socket = options.socket;
    this.#clock = options.clock;
    this.#journal = options.journal;
    this.#market = options.market;
    this.#wants = new Map(
      options.feeds.map((feed) => [feed, new Uint8Array(options.market.tapes.length)]),
    );
    this.lastSentMs = options.clock.monotonicMs();
  }

  /** Whether anything sent now would leave. */
  get sending(): boolean {
    return this.#open && !this.#halfOpen && !this.#socket.destroyed;
  }

  get messages(): number {
    return this.#wire.messages;
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  /** Bytes the client has not taken off our hands. */
  get unreadBytes(): number {
    return this.#socket.writableLength + this.#waiting.length;
  }

  wants(feed: Feed): Uint8Array {
    const wants = this.#wants.get(feed);
    assert(wants !== undefined, `feed ${feed} is not of this venue`);
    return wants;
  }

  get subscribed(): boolean {
    for (const wants of this.#wants.values()) if (wants.includes(1)) return true;
    return false;
  }

  setFormat(feed: Feed, format: FrameFormat): void {
    this.#formats.set(feed, format);
  }

  text(message: string): void {
    this.#message(Buffer.from(message), OPCODE_TEXT);
  }

  /** A ready-made message: a recorded frame. */
  raw(message: Uint8Array): void {
    this.#message(message, OPCODE_TEXT);
  }

  ping(payload: string): void {
    this.#message(Buffer.from(payload), OPCODE_PING);
  }

  pong(payload: Uint8Array): void {
    this.#message(payload, OPCODE_PONG);
  }

  #message(payload: Uint8Array, opcode: number): void {
    if (!this.sending) return;
    this.#wire.message(payload, opcode);
    this.lastSentMs = this.#clock.monotonicMs();
  }

  trades(feed: Feed, format: FrameFormat, instrument: number, first: number, count: number): void {
    if (!this.sending) return;
    this.#journal.sent(feed, instrument, first, count, this.connection);
    this.#wire.begin(format.bytesMax(count));
    format.frame(this.#wire.writer, instrument, first, count);
    this.#wire.end(OPCODE_TEXT);
  }

  /**
   * Sends what the plan holds for this connection; `hit` are the connection faults meant for it.
   */
  plan(plan: FeedPlan, hit: ReadonlySet<Special>): void {
    const { feed, count, instrument, first, units } = plan;
    const wants = this.wants(feed);
    const format = this.#formats.get(feed);
    assert(format !== undefined, `connection ${this.connection} has no format for ${feed}`);
    let sent = 0;
    for (let i = 0; i < count && this.sending; i++) {
      const code = instrument[i] as number;
      if (code >= 0) {
        if (wants[code] !== 1) continue;
        this.trades(feed, format, code, first[i] as number, units[i] as number);
        sent++;
      } else this.#special(feed, format, plan.specials[first[i] as number] as Special, wants, hit);
    }
    if (sent > 0) this.lastSentMs = this.#clock.monotonicMs();
  }

  #special(
    feed: Feed,
    format: FrameFormat,
    special: Special,
    wants: Uint8Array,
    hit: ReadonlySet<Special>,
  ): void {
    const { fault, draw } = special;
    switch (fault) {
      case 'disconnect':
        if (hit.has(special)) this.disconnect(feed, CLOSE_CODES[draw % CLOSE_CODES.length]!);
        return;
      case 'abort':
        if (hit.has(special)) this.abort(feed);
        return;
      case 'halfOpen':
        if (hit.has(special)) this.goHalfOpen(feed);
        return;
      case 'drip':
        if (hit.has(special)) this.drip(feed, 64 + (draw % 448));
        return;
      default:
        if (wants[special.instrument] === 1) this.#besides(feed, format, special);
    }
  }

  /** A faulty or foreign frame besides the feed's messages. */
  #besides(feed: Feed, format: FrameFormat, special: Special): void {
    const { instrument, unit } = special;
    const { connection } = this;
    const tape = this.#market.tapes[instrument]!;
    const frame = specialFrame(feed, format, tape, special, connection);
    this.#journal.fault(frame.entry);
    if (frame.carriesTrade) this.#journal.sent(feed, instrument, unit, 1, connection);
    this.#message(frame.bytes, frame.opcode);
  }

  /** Lets the next `bytes` bytes leave 16 per tick. */
  drip(feed: Feed, bytes: number): void {
    const { connection } = this;
    this.#journal.fault({ feed, fault: 'drip', connection, byteLength: bytes });
    this.flush();
    this.#socket.setNoDelay(true);
    this.#dripBytes += bytes;
  }

  goHalfOpen(feed: Feed): void {
    if (!this.sending) return;
    this.#journal.fault({ feed, fault: 'halfOpen', connection: this.connection });
    this.flush();
    this.#halfOpen = true;
    this.#ws.pause();
  }

  disconnect(feed: Feed, closeCode: number): void {
    if (!this.sending) return;
    const { connection } = this;
    this.#journal.fault({ feed, fault: 'disconnect', connection, closeCode });
    this.close(closeCode, '');
  }

  abort(feed: Feed): void {
    this.#journal.fault({ feed, fault: 'abort', connection: this.connection });
    this.terminate();
  }

  /** A clean close: all that was sent arrives first. */
  close(code: number, reason: string): void {
    if (!this.#open) return;
    this.#dripBytes = 0;
    this.flush();
    this.#open = false;
    this.#ws.close(code, reason);
  }

  terminate(): void {
    this.#open = false;
    this.#ws.terminate();
  }

  /** Hands what was written to the socket: all of it, or when dripping the next few bytes. */
  flush(): void {
    const parts = this.#wire.take();
    if (this.#socket.destroyed) return;
    if (this.#dripBytes === 0 && this.#waiting.length === 0) {
      this.#write(parts);
      return;
    }
    this.#waiting = Buffer.concat([this.#waiting, ...parts]);
    const waiting = this.#waiting.length;
    const count = this.#dripBytes === 0 ? waiting : Math.min(16, this.#dripBytes, waiting);
    const now = this.#waiting.subarray(0, count);
    this.#waiting = this.#waiting.subarray(count);
    this.#dripBytes = Math.max(0, this.#dripBytes - count);
    if (now.length > 0) this.#write([now]);
  }

  #write(parts: readonly Uint8Array[]): void {
    if (parts.length > 1) this.#socket.cork();
    for (const part of parts) {
      this.#bytesSent += part.length;
      this.#socket.write(part);
    }
    if (parts.length > 1) this.#socket.uncork();
  }
}
