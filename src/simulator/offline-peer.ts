/** One connection of the offline simulator: the protocol's own words are kept until taken. */
import { assert } from '#src/base/errors';
import { openAdvanced } from '#src/simulator/advanced-protocol';
import { streamName } from '#src/simulator/binance-frames';
import { openBinance } from '#src/simulator/binance-protocol';
import { openCoinbase } from '#src/simulator/coinbase-protocol';
import type { Feed, FrameFormat } from '#src/simulator/frame-format';
import { openKraken } from '#src/simulator/kraken-protocol';
import type { OpenProtocol, Peer, Protocol, VenueState } from '#src/simulator/peer';

const OPEN: Readonly<Record<Feed, OpenProtocol>> = {
  'binance-trade': openBinance,
  'binance-aggtrade': openBinance,
  kraken: openKraken,
  coinbase: openCoinbase,
  'coinbase-advanced': openAdvanced,
};

/** Something a protocol sent by itself: text, or trades in a format of its choice. */
export type Said =
  | string
  | {
      readonly format: FrameFormat;
      readonly instrument: number;
      readonly first: number;
      readonly count: number;
    };

export class OfflinePeer implements Peer {
  readonly #feed: Feed;
  readonly #venue: VenueState;
  readonly #nextConnection: () => number;
  #connection = 0;
  #protocol: Protocol | undefined;
  #wants: Uint8Array;
  #format: FrameFormat | undefined;
  #said: Said[] = [];
  #closed = false;
  /** When the client is back, after a lost connection. */
  upAtUs = 0;
  lastSentMs = 0;

  constructor(feed: Feed, venue: VenueState, nextConnection: () => number) {
    this.#feed = feed;
    this.#venue = venue;
    this.#nextConnection = nextConnection;
    this.#wants = new Uint8Array(venue.market.tapes.length);
  }

  get connection(): number {
    return this.#connection;
  }

  get up(): boolean {
    return this.#protocol !== undefined;
  }

  /** The protocol has closed the connection. */
  get closed(): boolean {
    return this.#closed;
  }

  get format(): FrameFormat {
    assert(this.#format !== undefined, `${this.#feed}: trades before a connection`);
    return this.#format;
  }

  hears(instrument: number): boolean {
    return this.up && this.#wants[instrument] === 1;
  }

  connect(): void {
    this.#connection = this.#nextConnection();
    this.#closed = false;
    this.#wants.fill(0);
    this.#protocol = OPEN[this.#feed](this, this.#venue, '/stream');
    const symbols = this.#venue.market.tapes.map((tape) => tape.instrument.nativeSymbol);
    for (const request of subscriptions(this.#feed, symbols)) this.#protocol.message(request);
  }

  lose(upAtUs: number): void {
    this.#protocol = undefined;
    this.#closed = false;
    this.upAtUs = upAtUs;
  }

  takeSaid(): readonly Said[] {
    const said = this.#said;
    if (said.length > 0) this.#said = [];
    return said;
  }

  tick(nowMs: number): void {
    this.#protocol?.tick(nowMs);
  }

  text(message: string): void {
    this.#said.push(message);
    this.lastSentMs = this.#venue.clock.monotonicMs();
  }

  trades(_: Feed, format: FrameFormat, instrument: number, first: number, count: number): void {
    this.#said.push({ format, instrument, first, count });
  }

  wants(): Uint8Array {
    return this.#wants;
  }

  setFormat(_: Feed, format: FrameFormat): void {
    this.#format = format;
  }

  /** A well-behaved client answers at once. */
  ping(payload: string): void {
    this.#protocol?.pong(payload);
  }

  close(): void {
    this.#closed = true;
  }
}

/** What a client of each feed sends first. */
function subscriptions(feed: Feed, symbols: readonly string[]): readonly string[] {
  switch (feed) {
    case 'binance-trade':
    case 'binance-aggtrade': {
      const params = symbols.map((symbol) => streamName(symbol, feed === 'binance-aggtrade'));
      return [JSON.stringify({ method: 'SUBSCRIBE', params, id: 1 })];
    }
    case 'kraken': {
      const params = { channel: 'trade', symbol: symbols, snapshot: true };
      return [JSON.stringify({ method: 'subscribe', params, req_id: 1 })];
    }
    case 'coinbase': {
      const channels = ['matches', 'heartbeat'];
      return [JSON.stringify({ type: 'subscribe', product_ids: symbols, channels })];
    }
    case 'coinbase-advanced':
      return [
        JSON.stringify({ type: 'subscribe', channel: 'heartbeats' }),
        JSON.stringify({ type: 'subscribe', product_ids: symbols, channel: 'market_trades' }),
      ];
  }
}
