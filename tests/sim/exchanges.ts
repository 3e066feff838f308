/**
 * The exchanges of a simulated world and the network to them: the simulator's own markets, feeds,
 * protocols, REST pages and journal (src/simulator), reached through ports instead of sockets.
 *
 * They live outside of the process under test: a crash of it closes connections and nothing else.
 */
import { EXCHANGES, type Exchange } from '#schemas/exchange';
import type { Clock } from '#src/base/clock';
import type { Random } from '#src/base/random';
import type { HttpResponse, Network, Socket, SocketHandlers } from '#src/feed/ports';
import { openBinance } from '#src/simulator/binance-protocol';
import { binanceRest } from '#src/simulator/binance-rest';
import { openCoinbase } from '#src/simulator/coinbase-protocol';
import { coinbaseRest } from '#src/simulator/coinbase-rest';
import { ExchangeEngine } from '#src/simulator/exchange-engine';
import { type FaultProfile, NO_FAULTS } from '#src/simulator/faults';
import type { FeedPlan, Special } from '#src/simulator/feed-plan';
import type { Feed, FrameFormat } from '#src/simulator/frame-format';
import type { SimulatedInstrument } from '#src/simulator/instrument';
import { Journal } from '#src/simulator/journal';
import { openKraken } from '#src/simulator/kraken-protocol';
import { krakenRest } from '#src/simulator/kraken-rest';
import { LIMITS } from '#src/simulator/limits';
import { Market } from '#src/simulator/market';
import type { OpenProtocol, Peer, Protocol, VenueState } from '#src/simulator/peer';
import type { RestHandler } from '#src/simulator/rest';
import { specialFrame } from '#src/simulator/special-frame';
import { TextWriter } from '#src/simulator/text-writer';
import { labelOf } from '#tests/sim/digest';
import { Channel, type Owner, type Scheduler } from '#tests/sim/scheduler';

export const FEED: Readonly<Record<Exchange, Feed>> = {
  BINANCE: 'binance-trade',
  KRAKEN: 'kraken',
  COINBASE: 'coinbase',
};
const PROTOCOL: Readonly<Record<Exchange, OpenProtocol>> = {
  BINANCE: openBinance,
  KRAKEN: openKraken,
  COINBASE: openCoinbase,
};
const REST: Readonly<Record<Exchange, RestHandler>> = {
  BINANCE: binanceRest,
  KRAKEN: krakenRest,
  COINBASE: coinbaseRest,
};
const CONNECTION_FAULTS = new Set<string>(['disconnect', 'abort', 'halfOpen', 'oversize']);
/** White space after an answer: valid JSON, and more than the 64 KiB of a block of the log. */
const PADDING = Buffer.alloc(70_000, ' ');
const CLOSE_CODES = [1000, 1001, 1011, 1012, 1013] as const;

/** Probabilities of the network's own faults, and its delays. */
export interface NetworkPlan {
  readonly latencyUsMax: number;
  readonly tickMs: number;
  /** Frames of one tick that reach the client in one turn, at most. */
  readonly framesPerTurnMax: number;
  /** A connection attempt: cut, or answered with a status. */
  readonly refuse: number;
  readonly refuseStatus: number;
  /** An open connection: nothing sent to it is heard, and it never says a word. */
  readonly deaf: number;
  /** Per tick and connection: cut without a word, in-flight frames lost. */
  readonly cut: number;
  /** A REST request: no answer, a 429, a 500, an answer cut short, one longer than a block of the log. */
  readonly restLost: number;
  readonly restBusy: number;
  readonly restBroken: number;
  readonly restTorn: number;
  readonly restPadded: number;
}

export const CALM_NETWORK: NetworkPlan = {
  latencyUsMax: 20_000,
  tickMs: 100,
  framesPerTurnMax: 8,
  refuse: 0,
  refuseStatus: 0,
  deaf: 0,
  cut: 0,
  restLost: 0,
  restBusy: 0,
  restBroken: 0,
  restTorn: 0,
  restPadded: 0,
};

export interface ExchangesPlan {
  readonly instruments: readonly SimulatedInstrument[];
  readonly ratePerSecond: number;
  readonly faults: Partial<FaultProfile>;
  readonly network: NetworkPlan;
}

export class SimExchange {
  readonly exchange: Exchange;
  readonly journal = new Journal();
  readonly engine: ExchangeEngine;
  readonly state: VenueState;
  /** Frames as they reached a client: what bronze must hold, in this order. */
  readonly delivered: Buffer[] = [];
  readonly served: Buffer[] = [];
  network: NetworkPlan;
  /** No connection fails any more; what the feed itself does to messages goes on. */
  isCalm = false;
  /** Called just before an answer of the REST side comes in. */
  onAnswer: () => void = () => {};
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #owner: Owner;
  readonly #sessions = new Set<SimSession>();
  readonly #tickLabel: number;
  #connections = 0;
  #running = true;

  constructor(
    exchange: Exchange,
    plan: ExchangesPlan,
    scheduler: Scheduler,
    clock: Clock,
    random: Random,
    owner: Owner,
  ) {
    this.exchange = exchange;
    this.network = plan.network;
    this.#scheduler = scheduler;
    this.#random = random.fork(100);
    this.#owner = owner;
    this.#tickLabel = labelOf(`tick ${exchange}`);
    const profile: FaultProfile = { ...NO_FAULTS, ...plan.faults };
    const feed = FEED[exchange];
    const market = new Market({
      exchange,
      instruments: plan.instruments.filter((instrument) => instrument.exchange === exchange),
      random,
      startUs: clock.nowUs() - 5_000_000,
      ratePerSecond: plan.ratePerSecond,
      timeStepUs: exchange === 'BINANCE' ? 1000 : 1,
      lose: profile.lose,
      keepTradesMax: Number.MAX_SAFE_INTEGER,
    });
    this.journal.addFeed(feed, market);
    market.step(clock.nowUs() - 1, Number.MAX_SAFE_INTEGER, { order: () => {} });
    this.engine = new ExchangeEngine({
      market,
      feeds: [feed],
      profile,
      journal: this.journal,
      random,
      clock,
      flood: false,
      paused: false,
      finishAfterTrades: Number.MAX_SAFE_INTEGER,
    });
    this.state = { clock, limits: LIMITS, market, journal: this.journal, profile, feeds: [feed] };
    this.#tick();
  }

  get plan(): FeedPlan {
    return this.engine.plans.get(FEED[this.exchange]) as FeedPlan;
  }

  /** Whether a client is connected that listens to every instrument. */
  get isSubscribed(): boolean {
    return [...this.#sessions].some((session) => session.listensToAll);
  }

  /** No trade happens any more; what was held back goes out. */
  finish(): void {
    this.engine.pause();
    this.plan.flush();
    this.#send();
    this.#running = false;
  }

  connect(owner: Owner, handlers: SocketHandlers): Socket {
    const { network } = this;
    const random = this.#random;
    const connection = ++this.#connections;
    const session = new SimSession(this, this.#scheduler, random, owner, handlers);
    const label = labelOf('connect');
    this.#scheduler.after(1 + random.below(network.latencyUsMax), owner, label, () => {
      if (session.ended) return;
      if (random.chance(network.refuse)) {
        handlers.onError(new Error('connection refused'));
        session.end(1006, '');
      } else if (random.chance(network.refuseStatus)) {
        handlers.onRefused(random.chance(0.5) ? 429 : 503, undefined);
        session.end(1006, '');
      } else {
        handlers.onOpen();
        if (session.ended) return;
        this.#sessions.add(session);
        session.open(connection, this.#strikes(network.deaf));
      }
    });
    return session;
  }

  forget(session: SimSession): void {
    this.#sessions.delete(session);
  }

  get(owner: Owner, url: string): Promise<HttpResponse> {
    const { network } = this;
    const random = this.#random;
    return new Promise((resolve, reject) => {
      const label = labelOf('rest');
      const latencyUs = (): number => 1 + random.below(2 * network.latencyUsMax);
      this.#scheduler.after(latencyUs(), owner, label, () => {
        if (random.chance(network.restLost)) {
          this.#scheduler.after(10_000_000, owner, label, () => reject(new Error('timeout')));
          return;
        }
        const answer = this.#answer(url);
        this.#scheduler.after(latencyUs(), owner, label, () => {
          this.onAnswer();
          resolve(answer);
        });
      });
    });
  }

  #answer(url: string): HttpResponse {
    const { network } = this;
    const random = this.#random;
    if (random.chance(network.restBusy)) {
      return { status: 429, headers: { 'retry-after': '2' }, body: Buffer.from('{}') };
    }
    if (random.chance(network.restBroken)) {
      return { status: 500, headers: {}, body: Buffer.from('<html>') };
    }
    const { pathname: path, searchParams: query } = new URL(url);
    const answer = REST[this.exchange]({ path, query, headers: {} }, this.state);
    let body = Buffer.from(answer.body);
    if (random.chance(network.restTorn)) body = body.subarray(0, random.below(body.length + 1));
    else {
      if (this.#strikes(network.restPadded)) body = Buffer.concat([body, PADDING]);
      this.served.push(body);
    }
    return { status: answer.status, headers: answer.headers ?? {}, body };
  }

  /** Draws only where it can happen: a seed without it takes the steps it took before there was such a fault. */
  #strikes(rate: number): boolean {
    return rate > 0 && this.#random.chance(rate);
  }

  #tick(): void {
    this.#scheduler.after(this.network.tickMs * 1000, this.#owner, this.#tickLabel, () => {
      if (this.#running) {
        this.engine.turn(false);
        this.#send();
      }
      const nowMs = this.state.clock.monotonicMs();
      for (const session of [...this.#sessions]) {
        session.tick(nowMs);
        if (this.#random.chance(this.network.cut)) session.abort();
      }
      this.#tick();
    });
  }

  #send(): void {
    const { plan } = this;
    if (plan.count > 0) {
      const targets = [...this.#sessions].filter((session) => session.subscribed);
      const hits = new Map<SimSession, Set<Special>>();
      for (const special of plan.specials) {
        const target = targets[special.draw % targets.length];
        if (target === undefined) continue;
        const set = hits.get(target) ?? new Set();
        hits.set(target, set.add(special));
      }
      for (const session of [...this.#sessions]) session.plan(plan, hits.get(session));
    }
    plan.clear();
  }
}

const writer = new TextWriter(Buffer.allocUnsafeSlow(64 * 1024));

/** One connection, both ends of it. */
class SimSession implements Peer, Socket {
  connection = 0;
  ended = false;
  lastSentMs = 0;
  readonly #venue: SimExchange;
  readonly #owner: Owner;
  readonly #handlers: SocketHandlers;
  readonly #toClient: Channel;
  readonly #toServer: Channel;
  readonly #wants: Uint8Array;
  #format: FrameFormat | undefined;
  #protocol: Protocol | undefined;
  #halfOpen = false;
  #closing = false;
  /** Frames on their way in one turn. */
  #turn: Buffer[] = [];

  constructor(
    venue: SimExchange,
    scheduler: Scheduler,
    random: Random,
    owner: Owner,
    handlers: SocketHandlers,
  ) {
    this.#venue = venue;
    this.#owner = owner;
    this.#handlers = handlers;
    const latency = (): number => 1 + random.below(venue.network.latencyUsMax);
    this.#toClient = new Channel(scheduler, latency);
    this.#toServer = new Channel(scheduler, latency);
    this.#wants = new Uint8Array(venue.state.market.tapes.length);
  }

  open(connection: number, isDeaf: boolean): void {
    this.connection = connection;
    this.#halfOpen = isDeaf;
    this.#protocol = PROTOCOL[this.#venue.exchange](this, this.#venue.state, '/stream');
    this.#leave();
  }

  get subscribed(): boolean {
    return this.#wants.includes(1) && this.#sending;
  }

  get listensToAll(): boolean {
    return this.#sending && !this.#wants.includes(0);
  }

  get #sending(): boolean {
    return !this.ended && !this.#halfOpen && !this.#closing && !this.#owner.gone;
  }

  // The client's end.

  send(text: string): void {
    this.#toServer.send(this.#owner, labelOf('to server'), () => {
      if (this.ended || this.#halfOpen) return;
      this.#protocol?.message(text);
      this.#leave();
    });
  }

  close(): void {
    this.#toServer.send(this.#owner, labelOf('close'), () => {
      if (!this.#halfOpen) this.#endLater(1000, '');
    });
  }

  terminate(): void {
    this.#toServer.send(this.#owner, labelOf('terminate'), () => this.end(1006, ''));
  }

  // The exchange's end.

  tick(nowMs: number): void {
    if (this.#owner.gone) {
      this.ended = true;
      this.#venue.forget(this);
      return;
    }
    if (!this.#sending) return;
    this.#protocol?.tick(nowMs);
    this.#leave();
  }

  text(message: string): void {
    this.#frame(Buffer.from(message));
  }

  trades(_: Feed, format: FrameFormat, instrument: number, first: number, count: number): void {
    if (!this.#sending) return;
    const { journal, exchange } = this.#venue;
    journal.sent(FEED[exchange], instrument, first, count, this.connection);
    const bytesMax = format.bytesMax(count);
    if (writer.bytes.length < bytesMax) writer.bytes = Buffer.allocUnsafeSlow(2 * bytesMax);
    writer.at = 0;
    format.frame(writer, instrument, first, count);
    this.#frame(Buffer.from(writer.bytes.subarray(0, writer.at)));
  }

  wants(): Uint8Array {
    return this.#wants;
  }

  setFormat(_: Feed, format: FrameFormat): void {
    this.#format = format;
  }

  ping(payload: string): void {
    if (!this.#sending) return;
    this.#leave();
    this.#toClient.send(this.#owner, labelOf('ping'), () => {
      if (this.ended) return;
      this.#handlers.onPing();
      this.#toServer.send(this.#owner, labelOf('pong'), () => this.#protocol?.pong(payload));
    });
  }

  plan(plan: FeedPlan, hits: ReadonlySet<Special> | undefined): void {
    const { count, instrument, first, units, feed } = plan;
    for (let i = 0; i < count && this.#sending; i++) {
      const code = instrument[i] as number;
      if (code >= 0) {
        if (this.#wants[code] !== 1) continue;
        this.trades(
          feed,
          this.#format as FrameFormat,
          code,
          first[i] as number,
          units[i] as number,
        );
      } else {
        const special = plan.specials[first[i] as number] as Special;
        this.#special(feed, special, hits?.has(special) === true);
      }
    }
    this.#leave();
  }

  #special(feed: Feed, special: Special, hit: boolean): void {
    const { journal, state } = this.#venue;
    const { connection } = this;
    if (this.#venue.isCalm && CONNECTION_FAULTS.has(special.fault)) return;
    switch (special.fault) {
      case 'disconnect': {
        if (!hit) return;
        const closeCode = CLOSE_CODES[special.draw % CLOSE_CODES.length] as number;
        journal.fault({ feed, fault: 'disconnect', connection, closeCode });
        this.#endLater(closeCode, '');
        return;
      }
      case 'abort':
        if (hit) this.abort();
        return;
      case 'halfOpen':
        if (!hit) return;
        journal.fault({ feed, fault: 'halfOpen', connection });
        this.#leave();
        this.#halfOpen = true;
        return;
      case 'drip':
        return; // slow bytes are a matter of the real socket
      default: {
        if (this.#wants[special.instrument] !== 1) return;
        const { instrument, unit } = special;
        if (special.fault === 'oversize') {
          journal.fault({ feed, fault: 'oversize', connection });
          this.#leave();
          this.#toClient.send(this.#owner, labelOf('oversize'), () => {
            if (this.ended) return;
            const code = 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';
            this.#handlers.onError(Object.assign(new Error('Max payload size exceeded'), { code }));
            this.end(1006, '');
          });
          return;
        }
        const tape = state.market.tapes[instrument] as (typeof state.market.tapes)[number];
        const format = this.#format as FrameFormat;
        const frame = specialFrame(feed, format, tape, special, connection);
        journal.fault(frame.entry);
        if (frame.carriesTrade) journal.sent(feed, instrument, unit, 1, connection);
        this.#frame(frame.bytes);
      }
    }
  }

  abort(): void {
    const feed = FEED[this.#venue.exchange];
    this.#venue.journal.fault({ feed, fault: 'abort', connection: this.connection });
    this.#turn = [];
    this.#toServer.send(this.#owner, labelOf('abort'), () => this.end(1006, ''));
    this.#closing = true;
  }

  /** Nothing more is on its way: the client hears of the end. */
  end(code: number, reason: string): void {
    if (this.ended) return;
    this.ended = true;
    this.#venue.forget(this);
    this.#handlers.onClose(code, reason);
  }

  /** All that was sent arrives first. */
  #endLater(code: number, reason: string): void {
    this.#leave();
    this.#closing = true;
    this.#toClient.send(this.#owner, labelOf('end'), () => this.end(code, reason));
  }

  #frame(bytes: Buffer): void {
    if (!this.#sending) return;
    this.lastSentMs = this.#venue.state.clock.monotonicMs();
    this.#turn.push(bytes);
    if (this.#turn.length >= this.#venue.network.framesPerTurnMax) this.#leave();
  }

  #leave(): void {
    if (this.#turn.length === 0) return;
    const frames = this.#turn;
    this.#turn = [];
    this.#toClient.send(this.#owner, labelOf('frames'), () => {
      for (const bytes of frames) {
        if (this.ended) return;
        this.#venue.delivered.push(bytes);
        this.#handlers.onMessage(bytes);
      }
    });
  }
}

/** The sockets and HTTP of one ingest actor. */
export function networkOf(venues: ReadonlyMap<Exchange, SimExchange>, owner: Owner): Network {
  const venueOf = (url: string): SimExchange => {
    const exchange = EXCHANGES.find((name) => url.includes(name.toLowerCase())) as Exchange;
    return venues.get(exchange) as SimExchange;
  };
  return {
    sockets: { open: (url, handlers) => venueOf(url).connect(owner, handlers) },
    httpGet: (url) => venueOf(url).get(owner, url),
  };
}
