/**
 * The exchange simulator: the public WebSocket and REST interfaces of Binance, Kraken and Coinbase
 * on 127.0.0.1, fed by a seeded market, with faults on request and a journal of the truth.
 */
import { EXCHANGES, type Exchange } from '#schemas/exchange';
import { type Clock, systemClock } from '#src/base/clock';
import { assert } from '#src/base/errors';
import { Random } from '#src/base/random';
import { ExchangeEngine } from '#src/simulator/exchange-engine';
import { type FaultProfile, NO_FAULTS } from '#src/simulator/faults';
import type { ForcedFault } from '#src/simulator/feed-plan';
import { FEED_EXCHANGE, type Feed } from '#src/simulator/frame-format';
import type { SimulatedInstrument } from '#src/simulator/instrument';
import { Journal } from '#src/simulator/journal';
import {
  DEFAULT_FEEDS,
  feedVenue,
  LIMITS,
  type Limits,
  VENUE_FEEDS,
  VENUES,
  type Venue,
} from '#src/simulator/limits';
import { Market } from '#src/simulator/market';
import { loadRecording, Playback } from '#src/simulator/playback';
import { systemTimers, type Timers } from '#src/simulator/timers';
import { type Refusal, type RestFailure, VenueServer } from '#src/simulator/venue-server';

/** Flood stops making trades while a client has more than this unread. */
const FLOOD_UNREAD_BYTES = 4 * 1024 * 1024;

export interface SimulatorOptions {
  readonly seed: number;
  readonly instruments: readonly SimulatedInstrument[];
  /** Average trades per second of each exchange. */
  readonly ratePerSecond?: number;
  /** Trades as fast as the clients take them, once there is a subscriber; times are the clock's. */
  readonly flood?: boolean;
  readonly faults?: Partial<FaultProfile>;
  /** Only these exchanges; default: all that have instruments. */
  readonly exchanges?: readonly Exchange[];
  /** Default: binance-trade, kraken and coinbase. */
  readonly feeds?: readonly Feed[];
  /** Ports to listen on; 0 or absent: any free one. */
  readonly ports?: Partial<Record<Venue, number>>;
  /** The exchanges' clock starts here instead of now. */
  readonly startUs?: number;
  /** Trading that took place before the start: REST and snapshots know it, the feeds do not. */
  readonly historySeconds?: number;
  /** Each exchange stops after so many trades (or a few more) and puts out what it held back. */
  readonly finishAfterTrades?: number;
  readonly keepTradesMax?: number;
  /** Made, but no trades until `resume()`. */
  readonly paused?: boolean;
  /** Binance times in whole microseconds rather than whole milliseconds. */
  readonly binanceMicroseconds?: boolean;
  readonly limits?: Partial<Limits>;
  /** Recordings to play back in place of the simulated market. */
  readonly playback?: Partial<Record<Venue, { readonly path: string; readonly speed: number }>>;
  readonly tickMs?: number;
  /** Given each journal entry as a line of NDJSON. */
  readonly journalLine?: (line: string) => void;
  readonly clock?: Clock;
  readonly timers?: Timers;
}

export interface SimulatorStats {
  /** Trades made since the start, by exchange. */
  readonly trades: Readonly<Partial<Record<Exchange, number>>>;
  readonly connections: number;
  /** WebSocket messages of any kind handed to sockets, and their bytes. */
  readonly messages: number;
  readonly bytesSent: number;
  readonly recordedFrames: number;
}

export class Simulator {
  readonly journal: Journal;
  /** Settles when every exchange has made its last trade and every recording is played. */
  readonly finished: Promise<void>;
  readonly #engines: readonly ExchangeEngine[];
  readonly #venues: readonly VenueServer[];
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #tickMs: number;
  readonly #flood: boolean;
  #finish!: () => void;
  #cancel: (() => void) | undefined;
  #stopped = false;

  private constructor(options: SimulatorOptions, playbacks: ReadonlyMap<Venue, Playback>) {
    const { instruments, seed, ratePerSecond = 10, flood = false } = options;
    this.#clock = exchangeClock(options.clock ?? systemClock(), options.startUs);
    this.#timers = options.timers ?? systemTimers();
    this.#tickMs = options.tickMs ?? 10;
    this.#flood = flood;
    this.journal = new Journal(options.journalLine);
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
    const profile: FaultProfile = { ...NO_FAULTS, ...options.faults };
    const limits: Limits = { ...LIMITS, ...options.limits };
    const random = new Random(seed);
    const feeds = chosenFeeds(options);
    let connections = 0;
    const nextConnection = (): number => ++connections;
    const engines: ExchangeEngine[] = [];
    const venues: VenueServer[] = [];
    for (const [code, exchange] of EXCHANGES.entries()) {
      const ownFeeds = feeds.filter((feed) => FEED_EXCHANGE[feed] === exchange);
      if (ownFeeds.length === 0) continue;
      const own = random.fork(code + 1);
      const ownVenues = VENUES.filter((venue) =>
        ownFeeds.some((feed) => feedVenue(feed) === venue),
      );
      const nowUs = this.#clock.nowUs();
      const market = new Market({
        exchange,
        instruments: instruments.filter((instrument) => instrument.exchange === exchange),
        random: own,
        startUs: nowUs - (options.historySeconds ?? 0) * 1e6,
        ratePerSecond,
        timeStepUs: exchange === 'BINANCE' && options.binanceMicroseconds !== true ? 1000 : 1,
        lose: profile.lose,
        keepTradesMax: options.keepTradesMax ?? Number.MAX_SAFE_INTEGER,
      });
      for (const feed of ownFeeds) this.journal.addFeed(feed, market);
      const { journal } = this;
      market.step(nowUs - 1, Number.MAX_SAFE_INTEGER, {
        order: (code, row, fills) => journal.happened(market.tapes[code]!, row, fills),
      });
      const played = ownVenues.some((venue) => playbacks.has(venue));
      engines.push(
        new ExchangeEngine({
          market,
          feeds: ownFeeds,
          profile,
          journal,
          random: own,
          clock: this.#clock,
          flood,
          paused: options.paused === true || played,
          finishAfterTrades: played ? 0 : (options.finishAfterTrades ?? Number.MAX_SAFE_INTEGER),
        }),
      );
      for (const venue of ownVenues) {
        const venueFeeds = ownFeeds.filter((feed) => VENUE_FEEDS[venue].includes(feed));
        const clock = this.#clock;
        const state = { clock, limits, market, journal, profile, feeds: venueFeeds };
        const refusals = own.fork(50 + VENUES.indexOf(venue));
        const playback = playbacks.get(venue);
        venues.push(new VenueServer(venue, state, refusals, nextConnection, playback));
      }
    }
    this.#engines = engines;
    this.#venues = venues;
  }

  static async start(options: SimulatorOptions): Promise<Simulator> {
    const playbacks = new Map<Venue, Playback>();
    for (const venue of VENUES) {
      const wanted = options.playback?.[venue];
      if (wanted === undefined) continue;
      playbacks.set(venue, new Playback(await loadRecording(wanted.path), wanted.speed));
    }
    const simulator = new Simulator(options, playbacks);
    try {
      for (const venue of simulator.#venues) await venue.listen(options.ports?.[venue.venue] ?? 0);
    } catch (error) {
      await simulator.stop();
      throw error;
    }
    simulator.#arm(false);
    return simulator;
  }

  /** The WebSocket base, as the exchange's documents give theirs (Kraken's ends in /v2). */
  url(venue: Venue): string {
    const path = venue === 'KRAKEN' ? '/v2' : '';
    return `ws://127.0.0.1:${this.#venue(venue).port}${path}`;
  }

  restUrl(venue: Venue): string {
    return `http://127.0.0.1:${this.#venue(venue).port}`;
  }

  stats(): SimulatorStats {
    const sum = (of: (venue: VenueServer) => number): number =>
      this.#venues.reduce((total, venue) => total + of(venue), 0);
    return {
      trades: Object.fromEntries(this.#engines.map(({ exchange, trades }) => [exchange, trades])),
      connections: sum((venue) => venue.sessions.size),
      messages: sum((venue) => venue.messages),
      bytesSent: sum((venue) => venue.bytesSent),
      recordedFrames: sum((venue) => venue.playback?.played ?? 0),
    };
  }

  /** Average trades per second of each exchange from now on. */
  setRate(ratePerSecond: number): void {
    for (const { market } of this.#engines) market.setRate(ratePerSecond);
  }

  pause(): void {
    for (const engine of this.#engines) engine.pause();
  }

  /** Trading goes on from now; the time in between had no trades. */
  resume(): void {
    for (const engine of this.#engines) {
      if (!this.#played(engine.exchange)) engine.resume();
    }
  }

  /** The next `count` messages of the feed suffer the fault. */
  inject(feed: Feed, fault: ForcedFault, count = 1): void {
    const engine = this.#engines.find(({ plans }) => plans.has(feed));
    assert(engine !== undefined, `feed ${feed} is not simulated`);
    for (let i = 0; i < count; i++) engine.force(feed, fault);
  }

  /** Closes every connection of the venue cleanly. */
  disconnectAll(venue: Venue, closeCode = 1001): void {
    const { state } = this.#venue(venue);
    for (const session of this.#venue(venue).openSessions()) {
      session.disconnect(state.feeds[0]!, closeCode);
    }
  }

  /** Destroys every socket of the venue without a closing handshake. */
  abortAll(venue: Venue): void {
    const { state } = this.#venue(venue);
    for (const session of this.#venue(venue).openSessions()) session.abort(state.feeds[0]!);
  }

  /** Makes every connection of the venue go silent and deaf. */
  halfOpen(venue: Venue): void {
    const { state } = this.#venue(venue);
    for (const session of this.#venue(venue).openSessions()) session.goHalfOpen(state.feeds[0]!);
  }

  /** Lets the next bytes of every connection of the venue leave 16 per tick. */
  drip(venue: Venue, bytes = 512): void {
    const { state } = this.#venue(venue);
    for (const session of this.#venue(venue).openSessions()) session.drip(state.feeds[0]!, bytes);
  }

  /** Tells the venue's clients that their connection is about to end (Binance serverShutdown). */
  announceShutdown(venue: Venue): void {
    for (const session of this.#venue(venue).openSessions()) session.protocol?.announceShutdown();
  }

  /** The next `count` connection attempts at the venue fail. */
  refuse(venue: Venue, count: number, how: Refusal = 'reset'): void {
    this.#venue(venue).refuse(count, how);
  }

  /** The next REST requests at the venue fail, such as with 429 or 418 and Retry-After. */
  failRest(venue: Venue, failure: RestFailure): void {
    this.#venue(venue).failRest({ ...failure });
  }

  /** Ends all connections and servers; nothing of the simulator is left running. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await Promise.all(this.#venues.map((venue) => venue.close()));
  }

  #venue(venue: Venue): VenueServer {
    const found = this.#venues.find((server) => server.venue === venue);
    assert(found !== undefined, `${venue} is not simulated`);
    return found;
  }

  #played(exchange: Exchange): boolean {
    return this.#venues.some(
      ({ state, playback }) => state.market.exchange === exchange && playback !== undefined,
    );
  }

  #arm(soon: boolean): void {
    if (this.#stopped) return;
    const turn = (): void => this.#arm(this.#turn());
    this.#cancel = soon ? this.#timers.soon(turn) : this.#timers.after(this.#tickMs, turn);
  }

  #turn(): boolean {
    const nowMs = this.#clock.monotonicMs();
    let more = false;
    for (const engine of this.#engines) {
      const venues = this.#venues.filter(({ state }) => state.market === engine.market);
      if (engine.turn(this.#flood && keepingUp(venues))) more = true;
      for (const venue of venues) venue.send(engine.plans);
      for (const plan of engine.plans.values()) plan.clear();
    }
    for (const venue of this.#venues) venue.tick(nowMs);
    if (this.#done()) this.#finish();
    return more;
  }

  #done(): boolean {
    return (
      this.#engines.every(({ exchange, finished }) => finished || this.#played(exchange)) &&
      this.#venues.every(({ playback }) => playback?.finished !== false)
    );
  }
}

/** Whether there is a subscriber and none has much unread. */
function keepingUp(venues: readonly VenueServer[]): boolean {
  const sessions = venues.flatMap((venue) => [...venue.sessions]);
  return (
    sessions.some((session) => session.subscribed) &&
    sessions.every((session) => session.unreadBytes < FLOOD_UNREAD_BYTES)
  );
}

function chosenFeeds({ feeds, exchanges, instruments }: SimulatorOptions): readonly Feed[] {
  const traded = new Set(instruments.map((instrument) => instrument.exchange));
  const chosen = (feeds ?? DEFAULT_FEEDS).filter((feed) => {
    const exchange = FEED_EXCHANGE[feed];
    return traded.has(exchange) && (exchanges === undefined || exchanges.includes(exchange));
  });
  assert(chosen.length > 0, 'no exchange to simulate: no instruments for the feeds asked for');
  return chosen;
}

/** The given clock, moved so that wall time begins at `startUs`. */
function exchangeClock(clock: Clock, startUs: number | undefined): Clock {
  if (startUs === undefined) return clock;
  const offsetUs = startUs - clock.nowUs();
  return { nowUs: () => clock.nowUs() + offsetUs, monotonicMs: () => clock.monotonicMs() };
}
