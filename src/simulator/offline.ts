/**
 * The simulator without sockets: what an ingest would append to its bronze log, at full speed.
 *
 * Each feed has its market (the same truth the server would make of the seed), plan and journal,
 * and a simulated client per connection that subscribes, loses its connection and comes back, and
 * with `backfill` fetches what it misses over REST. Same options, same bytes.
 */
import { EXCHANGES, type Exchange } from '#schemas/exchange';
import { assert } from '#src/base/errors';
import { Random } from '#src/base/random';
import { KIND_REST, KIND_WS } from '#src/log/frame';
import { type FaultProfile, NO_FAULTS } from '#src/simulator/faults';
import { FeedPlan, type Special } from '#src/simulator/feed-plan';
import { FEED_EXCHANGE, type Feed, type FrameFormat } from '#src/simulator/frame-format';
import type { SimulatedInstrument } from '#src/simulator/instrument';
import { Journal } from '#src/simulator/journal';
import { DEFAULT_FEEDS, LIMITS } from '#src/simulator/limits';
import { Market } from '#src/simulator/market';
import { Backfill } from '#src/simulator/offline-backfill';
import { OfflinePeer } from '#src/simulator/offline-peer';
import type { VenueState } from '#src/simulator/peer';
import { specialFrame } from '#src/simulator/special-frame';
import { TextWriter } from '#src/simulator/text-writer';

export interface OfflineOptions {
  readonly seed: number;
  readonly instruments: readonly SimulatedInstrument[];
  /** Default: binance-trade, kraken and coinbase, as far as they have instruments. */
  readonly feeds?: readonly Feed[];
  readonly startUs: number;
  readonly durationUs: number;
  /** Average trades per second of each exchange. */
  readonly ratePerSecond: number;
  readonly faults?: Partial<FaultProfile>;
  /** Connections per feed that all carry everything, as in an overlapping reconnect. */
  readonly connections?: number;
  /** Fetch missing ids over REST. */
  readonly backfill?: boolean;
  readonly journalLine?: (line: string) => void;
}

export interface OfflineFrame {
  readonly exchange: Exchange;
  readonly feed: Feed;
  /** Valid until the next frame is asked for. */
  readonly bytes: Uint8Array;
  /** KIND_WS, or KIND_REST with the native symbol's line in front (src/log/frame.ts). */
  readonly kind: number;
  readonly connection: number;
  /** Never decreases within a feed. */
  readonly receiveTimeUs: number;
}

const STEP_US = 100_000;
/** Time from the exchange to the client, and from a lost connection to the next: at least, at most. */
const LATENCY_US = [2_000, 40_000] as const;
const DOWN_US = [200_000, 3_000_000] as const;
/** A silent connection is given up after so long. */
const SILENCE_US = 10_000_000;

export class OfflineSimulation {
  readonly journal: Journal;
  readonly feeds: readonly Feed[];
  readonly #options: OfflineOptions;

  constructor(options: OfflineOptions) {
    this.#options = options;
    this.journal = new Journal(options.journalLine);
    const traded = new Set(options.instruments.map((instrument) => instrument.exchange));
    this.feeds = (options.feeds ?? DEFAULT_FEEDS).filter((feed) => traded.has(FEED_EXCHANGE[feed]));
    assert(this.feeds.length > 0, 'no feed to simulate: no instruments for the feeds asked for');
  }

  /** Every frame of one feed, in the order of its log. Once per feed. */
  frames(feed: Feed): Generator<OfflineFrame> {
    return new OfflineFeed(feed, this.#options, this.journal).frames();
  }
}

class OfflineFeed {
  readonly #feed: Feed;
  readonly #exchange: Exchange;
  readonly #options: OfflineOptions;
  readonly #journal: Journal;
  readonly #market: Market;
  readonly #plan: FeedPlan;
  readonly #random: Random;
  readonly #venue: VenueState;
  readonly #peers: readonly OfflinePeer[];
  readonly #backfill: Backfill | undefined;
  readonly #writer = new TextWriter(Buffer.allocUnsafeSlow(64 * 1024));
  /** Simulated time: of the exchange, and of the newest frame's arrival. */
  #nowUs: number;
  #receiveUs: number;
  #connections = 0;

  constructor(feed: Feed, options: OfflineOptions, journal: Journal) {
    const exchange = FEED_EXCHANGE[feed];
    const profile: FaultProfile = { ...NO_FAULTS, ...options.faults };
    const random = new Random(options.seed).fork(EXCHANGES.indexOf(exchange) + 1);
    this.#feed = feed;
    this.#exchange = exchange;
    this.#options = options;
    this.#journal = journal;
    this.#market = new Market({
      exchange,
      instruments: options.instruments.filter((instrument) => instrument.exchange === exchange),
      random,
      startUs: options.startUs,
      ratePerSecond: options.ratePerSecond,
      timeStepUs: exchange === 'BINANCE' ? 1000 : 1,
      lose: profile.lose,
      keepTradesMax: Number.MAX_SAFE_INTEGER,
    });
    journal.addFeed(feed, this.#market);
    this.#plan = new FeedPlan(feed, this.#market.tapes, profile, journal, random.fork(10));
    this.#random = random.fork(20);
    this.#nowUs = options.startUs;
    this.#receiveUs = options.startUs;
    const clock = { nowUs: () => this.#nowUs, monotonicMs: () => this.#nowUs / 1000 };
    const market = this.#market;
    this.#venue = { clock, limits: LIMITS, market, journal, profile, feeds: [feed] };
    this.#peers = Array.from(
      { length: options.connections ?? 1 },
      () => new OfflinePeer(feed, this.#venue, () => ++this.#connections),
    );
    if (options.backfill === true) this.#backfill = new Backfill(feed, this.#venue);
  }

  *frames(): Generator<OfflineFrame> {
    const { startUs, durationUs } = this.#options;
    const market = this.#market;
    const plan = this.#plan;
    const journal = this.#journal;
    const sink = {
      order: (instrument: number, firstRow: number, fills: number, timeUs: number): void => {
        journal.happened(market.tapes[instrument]!, firstRow, fills);
        plan.order(instrument, firstRow, fills, timeUs);
      },
    };
    yield* this.#otherFrames();
    const endUs = startUs + durationUs;
    while (this.#nowUs < endUs) {
      const untilUs = Math.min(endUs, this.#nowUs + STEP_US);
      market.step(untilUs - 1, Number.MAX_SAFE_INTEGER, sink);
      plan.release(untilUs);
      if (untilUs === endUs) plan.flush();
      yield* this.#sendPlan();
      plan.clear();
      this.#nowUs = untilUs;
      yield* this.#otherFrames();
    }
    yield* this.#fetched(Number.POSITIVE_INFINITY);
  }

  *#sendPlan(): Generator<OfflineFrame> {
    const { count, instrument, first, units, specials } = this.#plan;
    for (let i = 0; i < count; i++) {
      const code = instrument[i] as number;
      const unit = first[i] as number;
      if (code < 0) yield* this.#special(specials[unit] as Special);
      else {
        const number = units[i] as number;
        this.#passTime(code, unit, number);
        for (const peer of this.#peers) {
          if (!peer.hears(code)) continue;
          this.#backfill?.heard(code, unit, number, this.#nowUs);
          yield this.#trades(peer, peer.format, code, unit, number);
        }
      }
    }
  }

  /**
   * The exchange's clock goes on to the newest trade of a message; late ones do not turn it back.
   */
  #passTime(code: number, unit: number, count: number): void {
    const tape = this.#market.tapes[code]!;
    const row = this.#feed === 'binance-aggtrade' ? tape.aggregateRow(unit) : unit + count - 1;
    this.#nowUs = Math.max(this.#nowUs, tape.time.get(row));
  }

  #trades(
    peer: OfflinePeer,
    format: FrameFormat,
    code: number,
    unit: number,
    count: number,
  ): OfflineFrame {
    const writer = this.#writer;
    this.#journal.sent(this.#feed, code, unit, count, peer.connection);
    const bytesMax = format.bytesMax(count);
    if (writer.bytes.length < bytesMax) writer.bytes = Buffer.allocUnsafeSlow(bytesMax);
    writer.at = 0;
    format.frame(writer, code, unit, count);
    peer.lastSentMs = this.#nowUs / 1000;
    return this.#frame(writer.bytes.subarray(0, writer.at), KIND_WS, peer.connection);
  }

  #frame(bytes: Uint8Array, kind: number, connection: number): OfflineFrame {
    const arrivalUs = this.#nowUs + this.#random.between(...LATENCY_US);
    this.#receiveUs = Math.max(this.#receiveUs, arrivalUs);
    const receiveTimeUs = this.#receiveUs;
    return { exchange: this.#exchange, feed: this.#feed, bytes, kind, connection, receiveTimeUs };
  }

  *#special(special: Special): Generator<OfflineFrame> {
    const { fault, draw, instrument } = special;
    switch (fault) {
      case 'drip':
        return;
      case 'disconnect':
      case 'abort':
      case 'halfOpen': {
        const peer = this.#peers[draw % this.#peers.length]!;
        if (!peer.up) return;
        this.#journal.fault({ feed: this.#feed, fault, connection: peer.connection });
        this.#lose(peer, fault === 'halfOpen' ? SILENCE_US : 0);
        return;
      }
      default:
        for (const peer of this.#peers) {
          if (!peer.hears(instrument)) continue;
          const tape = this.#market.tapes[instrument]!;
          const made = specialFrame(this.#feed, peer.format, tape, special, peer.connection);
          this.#journal.fault(made.entry);
          // The client's payload limit cuts the connection: the frame itself is never stored.
          if (fault === 'oversize') this.#lose(peer, 0);
          else {
            const { connection } = peer;
            if (made.carriesTrade) {
              this.#journal.sent(this.#feed, instrument, special.unit, 1, connection);
            }
            yield this.#frame(made.bytes, KIND_WS, connection);
          }
        }
    }
  }

  #lose(peer: OfflinePeer, silenceUs: number): void {
    peer.lose(this.#nowUs + silenceUs + this.#random.between(...DOWN_US));
  }

  /** What protocols say by themselves, connections that come back, and REST pages that are due. */
  *#otherFrames(): Generator<OfflineFrame> {
    for (const peer of this.#peers) {
      if (!peer.up && this.#nowUs >= peer.upAtUs) peer.connect();
      peer.tick(this.#nowUs / 1000);
      for (const said of peer.takeSaid()) {
        if (typeof said === 'string') {
          yield this.#frame(Buffer.from(said), KIND_WS, peer.connection);
        } else {
          const { format, instrument, first, count } = said;
          yield this.#trades(peer, format, instrument, first, count);
        }
      }
      if (peer.closed) this.#lose(peer, 0);
    }
    yield* this.#fetched(this.#nowUs);
  }

  *#fetched(untilUs: number): Generator<OfflineFrame> {
    if (this.#backfill === undefined) return;
    for (const page of this.#backfill.due(untilUs)) yield this.#frame(page, KIND_REST, 0);
  }
}
