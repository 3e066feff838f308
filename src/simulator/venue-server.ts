/**
 * One endpoint: an HTTP server on 127.0.0.1 that upgrades to WebSocket and answers REST. It owns
 * the connections; what they are told comes from the exchange's plans and the venue's protocol.
 */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { assert, EXIT, errorCode, UserError } from '#src/base/errors';
import type { Random } from '#src/base/random';
import { openAdvanced } from '#src/simulator/advanced-protocol';
import { openBinance } from '#src/simulator/binance-protocol';
import { binanceRest, binanceWeight } from '#src/simulator/binance-rest';
import { openCoinbase } from '#src/simulator/coinbase-protocol';
import { coinbaseRest } from '#src/simulator/coinbase-rest';
import type { FeedPlan, Special } from '#src/simulator/feed-plan';
import { openKraken } from '#src/simulator/kraken-protocol';
import { krakenRest } from '#src/simulator/kraken-rest';
import { RateCounter, type Venue } from '#src/simulator/limits';
import type { OpenProtocol, VenueState } from '#src/simulator/peer';
import type { Playback } from '#src/simulator/playback';
import type { RestAnswer, RestHandler } from '#src/simulator/rest';
import { Session } from '#src/simulator/session';

const PROTOCOL: Readonly<Record<Venue, OpenProtocol>> = {
  BINANCE: openBinance,
  KRAKEN: openKraken,
  COINBASE: openCoinbase,
  ADVANCED: openAdvanced,
};

const REST: Readonly<Record<Venue, RestHandler>> = {
  BINANCE: binanceRest,
  KRAKEN: krakenRest,
  COINBASE: coinbaseRest,
  ADVANCED: () => ({ status: 404, body: '{"error":"NOT_FOUND"}' }),
};

/** Client messages are small; a larger one is an attack on the test, not a request. */
const CLIENT_BYTES_MAX = 1024 * 1024;
/** Recorded frames handed out per turn. */
const PLAYBACK_TURN = 4096;

export interface RestFailure {
  readonly status: number;
  /** Requests to fail. */
  count: number;
  readonly retryAfterS?: number;
  readonly body?: string;
}

/** `reset` cuts the TCP connection; a number answers the upgrade with that HTTP status. */
export type Refusal = 'reset' | number;

export class VenueServer {
  readonly venue: Venue;
  readonly state: VenueState;
  readonly #http: Server;
  readonly #sockets: WebSocketServer;
  readonly #sessions = new Set<Session>();
  readonly #attempts: RateCounter;
  readonly #restRequests: RateCounter;
  readonly #refusals: Random;
  readonly #nextConnection: () => number;
  readonly #playback: Playback | undefined;
  #refusing: { how: Refusal; count: number } | undefined;
  #restFailure: RestFailure | undefined;
  #weightMinute = 0;
  #weightUsed = 0;
  #port = 0;
  #closedMessages = 0;
  #closedBytes = 0;

  constructor(
    venue: Venue,
    state: VenueState,
    refusals: Random,
    nextConnection: () => number,
    playback: Playback | undefined,
  ) {
    this.venue = venue;
    this.state = state;
    this.#refusals = refusals;
    this.#nextConnection = nextConnection;
    this.#playback = playback;
    this.#attempts = new RateCounter(state.limits.connectionAttempts[venue]);
    this.#restRequests = new RateCounter(state.limits.restRequests);
    this.#http = createServer((request, response) => this.#rest(request, response));
    this.#http.on('upgrade', (request, socket, head) =>
      this.#upgrade(request, socket as Socket, head),
    );
    // Pongs go through the session's own buffer, in order with everything else it sends.
    this.#sockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      autoPong: false,
      maxPayload: CLIENT_BYTES_MAX,
    });
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#http.once('error', (error) => {
        const what = `The ${this.venue} simulator cannot listen on 127.0.0.1:${port}`;
        const why = `${what} (${errorCode(error)}): choose another port, or 0 for any free one.`;
        reject(new UserError(EXIT.config, why, { cause: error }));
      });
      this.#http.listen(port, '127.0.0.1', resolve);
    });
    this.#port = (this.#http.address() as AddressInfo).port;
  }

  get port(): number {
    return this.#port;
  }

  get sessions(): ReadonlySet<Session> {
    return this.#sessions;
  }

  get messages(): number {
    let sum = this.#closedMessages;
    for (const session of this.#sessions) sum += session.messages;
    return sum;
  }

  get bytesSent(): number {
    let sum = this.#closedBytes;
    for (const session of this.#sessions) sum += session.bytesSent;
    return sum;
  }

  get playback(): Playback | undefined {
    return this.#playback;
  }

  /** The next `count` connection attempts fail. */
  refuse(count: number, how: Refusal): void {
    this.#refusing = { how, count };
  }

  failRest(failure: RestFailure): void {
    this.#restFailure = failure;
  }

  /** Sends what the plans hold to every connection. */
  send(plans: ReadonlyMap<string, FeedPlan>): void {
    for (const feed of this.state.feeds) {
      const plan = plans.get(feed);
      if (plan === undefined || plan.count === 0) continue;
      const hits = this.#aim(plan);
      for (const session of this.#sessions) session.plan(plan, hits.get(session) ?? NONE);
    }
  }

  /** Connection faults hit one connection that is subscribed to something. */
  #aim(plan: FeedPlan): ReadonlyMap<Session, ReadonlySet<Special>> {
    const hits = new Map<Session, Set<Special>>();
    if (plan.specials.length === 0) return hits;
    const targets = [...this.#sessions].filter((session) => session.sending && session.subscribed);
    for (const special of plan.specials) {
      const target = targets[special.draw % targets.length];
      if (target === undefined) continue;
      const set = hits.get(target) ?? new Set();
      hits.set(target, set.add(special));
    }
    return hits;
  }

  /** Protocol timers, recorded frames, and the bytes on their way. */
  tick(nowMs: number): void {
    const subscribed = [...this.#sessions].filter((session) => session.subscribed);
    if (this.#playback !== undefined && subscribed.length > 0) {
      for (const frame of this.#playback.due(nowMs, PLAYBACK_TURN)) {
        for (const session of subscribed) session.raw(frame.bytes);
      }
    }
    for (const session of this.#sessions) {
      if (session.sending) session.protocol?.tick(nowMs);
      session.flush();
      if (session.unreadBytes > this.state.limits.unreadBytesMax) {
        session.abort(this.state.feeds[0]!);
      }
    }
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) session.terminate();
    this.#sockets.close();
    if (!this.#http.listening) return;
    await new Promise<void>((resolve) => {
      this.#http.close(() => resolve());
      this.#http.closeAllConnections();
    });
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const { clock, profile, journal, feeds } = this.state;
    let how: Refusal | undefined;
    if (this.#refusing !== undefined && this.#refusing.count-- > 0) how = this.#refusing.how;
    else if (profile.refuse > 0 && this.#refusals.chance(profile.refuse)) how = 'reset';
    else if (!this.#attempts.allow(clock.monotonicMs())) how = 429;
    if (how === undefined) {
      this.#sockets.handleUpgrade(request, socket, head, (ws) => this.#open(ws, socket, request));
      return;
    }
    journal.fault({ feed: feeds[0]!, fault: 'refuse', connection: 0 });
    if (how === 'reset') socket.resetAndDestroy();
    else
      socket.end(`HTTP/1.1 ${how} ${STATUS_CODES[how] ?? 'Refused'}\r\nConnection: close\r\n\r\n`);
  }

  #open(ws: WebSocket, socket: Socket, request: IncomingMessage): void {
    const { clock, journal, market, feeds, limits } = this.state;
    const connection = this.#nextConnection();
    const session = new Session({ connection, ws, socket, clock, journal, market, feeds });
    const rate = new RateCounter(limits.clientMessages[this.venue]);
    const allowed = (): boolean => {
      if (rate.allow(clock.monotonicMs())) return true;
      session.close(1008, 'Too many requests');
      return false;
    };
    const countsPings = this.venue === 'BINANCE';
    this.#sessions.add(session);
    ws.on('close', () => {
      this.#sessions.delete(session);
      this.#closedMessages += session.messages;
      this.#closedBytes += session.bytesSent;
      session.terminate();
    });
    // A reset by the client surfaces here and then as 'close'; there is nothing more to do.
    ws.on('error', () => session.terminate());
    ws.on('message', (data: Buffer) => {
      if (!allowed()) return;
      session.protocol?.message(data.toString());
      session.flush();
    });
    ws.on('ping', (data) => {
      if (countsPings && !allowed()) return;
      session.pong(data);
      session.flush();
    });
    ws.on('pong', (data) => {
      if (countsPings && !allowed()) return;
      session.protocol?.pong(data.toString());
    });
    session.protocol = PROTOCOL[this.venue](session, this.state, request.url ?? '/');
    session.flush();
  }

  #rest(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const { pathname: path, searchParams: query } = url;
    const answer =
      request.method === 'GET'
        ? (this.#limited(path) ??
          REST[this.venue]({ path, query, headers: request.headers }, this.state))
        : { status: 405, body: '{}' };
    const weight =
      this.venue === 'BINANCE' ? { 'x-mbx-used-weight-1m': String(this.#weightUsed) } : {};
    const headers = { 'content-type': 'application/json', ...weight, ...answer.headers };
    response.writeHead(answer.status, headers);
    response.end(answer.body);
  }

  /** The answer instead of the real one: a failure asked for, or a limit broken. */
  #limited(path: string): RestAnswer | undefined {
    const failure = this.#restFailure;
    if (failure !== undefined && failure.count-- > 0) {
      const { status, retryAfterS, body } = failure;
      const headers = retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) };
      return { status, headers, body: body ?? LIMIT_BODY[this.venue] };
    }
    const { clock, limits } = this.state;
    if (this.venue === 'COINBASE' && !this.#restRequests.allow(clock.monotonicMs())) {
      return { status: 429, body: LIMIT_BODY.COINBASE };
    }
    if (this.venue !== 'BINANCE') return undefined;
    // Weight is counted per minute of the clock and starts again at its boundary.
    const minute = Math.floor(clock.nowUs() / 60e6);
    if (minute !== this.#weightMinute) this.#weightUsed = 0;
    this.#weightMinute = minute;
    this.#weightUsed += binanceWeight(path);
    if (this.#weightUsed <= limits.restWeightPerMinute) return undefined;
    const retryAfterS = Math.ceil(((minute + 1) * 60e6 - clock.nowUs()) / 1e6);
    const headers = { 'retry-after': String(retryAfterS) };
    return { status: 429, headers, body: LIMIT_BODY.BINANCE };
  }

  /** Sessions to act on; at least one, or the test that asked for it is wrong. */
  openSessions(): readonly Session[] {
    const found = [...this.#sessions].filter((session) => session.sending);
    assert(found.length > 0, `${this.venue} has no open connection`);
    return found;
  }
}

const NONE: ReadonlySet<Special> = new Set();

const LIMIT_BODY: Readonly<Record<Venue, string>> = {
  BINANCE: '{"code":-1003,"msg":"Too much request weight used; please use WebSocket Streams."}',
  KRAKEN: '{"error":["EGeneral:Too many requests"]}',
  COINBASE: '{"message":"Public rate limit exceeded"}',
  ADVANCED: '{"error":"rate limit exceeded"}',
};
