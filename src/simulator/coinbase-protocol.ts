/**
 * Coinbase Exchange's WebSocket session: channels, last_match, a heartbeat per product and second.
 */
import { bookSequence, CoinbaseFrames } from '#src/simulator/coinbase-frames';
import { timeText } from '#src/simulator/decimal-text';
import {
  type OpenProtocol,
  type Peer,
  type Protocol,
  replayTrades,
  symbolIndex,
  type VenueState,
} from '#src/simulator/peer';

const CHANNELS = ['matches', 'heartbeat'] as const;
type Channel = (typeof CHANNELS)[number];

interface ChannelRequest {
  readonly name: string;
  readonly products: readonly string[];
}

class CoinbaseProtocol implements Protocol {
  readonly #peer: Peer;
  readonly #venue: VenueState;
  readonly #products: ReadonlyMap<string, number>;
  readonly #matches: CoinbaseFrames;
  readonly #lastMatches: CoinbaseFrames;
  readonly #subscribed: Readonly<Record<Channel, Set<string>>> = {
    matches: new Set(),
    heartbeat: new Set(),
  };
  readonly #openedMs: number;
  #everSubscribed = false;
  #nextHeartbeatMs: number;

  constructor(peer: Peer, venue: VenueState) {
    this.#peer = peer;
    this.#venue = venue;
    this.#products = symbolIndex(venue.market);
    this.#matches = new CoinbaseFrames(venue.market.tapes, 'match');
    this.#lastMatches = new CoinbaseFrames(venue.market.tapes, 'last_match');
    this.#openedMs = venue.clock.monotonicMs();
    this.#nextHeartbeatMs = this.#openedMs + venue.limits.heartbeatMs;
    peer.setFormat('coinbase', this.#matches);
  }

  message(text: string): void {
    let request: { type?: unknown; channels?: unknown; product_ids?: unknown } | null;
    try {
      request = JSON.parse(text) as typeof request;
    } catch {
      this.#error('Malformed JSON', '');
      return;
    }
    const type = request?.type;
    if (type !== 'subscribe' && type !== 'unsubscribe') {
      this.#error(`Type has to be either subscribe or unsubscribe`, '');
      return;
    }
    const failed = type === 'subscribe' ? 'Failed to subscribe' : 'Failed to unsubscribe';
    const channels = channelRequests(request!.channels, request!.product_ids);
    if (channels.length === 0) {
      this.#error(failed, 'No channels provided');
      return;
    }
    const fresh: string[] = [];
    for (const { name, products } of channels) {
      const problem = this.#problem(name, products);
      if (problem !== undefined) this.#error(failed, problem);
      else this.#change(type, name as Channel, products, fresh);
    }
    this.#acknowledge();
    for (const product of fresh) this.#lastMatch(this.#products.get(product)!);
  }

  #problem(channel: string, products: readonly string[]): string | undefined {
    if (!(CHANNELS as readonly string[]).includes(channel)) {
      return `${channel} is not a valid channel`;
    }
    const unknown = products.find((product) => !this.#products.has(product));
    if (unknown !== undefined) return `${unknown} is not a valid product`;
    return products.length === 0 ? 'No product_ids provided' : undefined;
  }

  #change(
    type: 'subscribe' | 'unsubscribe',
    channel: Channel,
    products: readonly string[],
    fresh: string[],
  ): void {
    const subscribed = this.#subscribed[channel];
    for (const product of products) {
      if (channel === 'matches') {
        const adding = type === 'subscribe';
        if (adding && !subscribed.has(product)) fresh.push(product);
        this.#peer.wants('coinbase')[this.#products.get(product)!] = adding ? 1 : 0;
      }
      if (type === 'subscribe') subscribed.add(product);
      else subscribed.delete(product);
    }
    this.#everSubscribed ||= type === 'subscribe';
  }

  #acknowledge(): void {
    const channels = CHANNELS.filter((name) => this.#subscribed[name].size > 0).map(
      (name) =>
        `{"name":"${name}","product_ids":${JSON.stringify([...this.#subscribed[name]])},` +
        '"account_ids":null}',
    );
    this.#peer.text(`{"type":"subscriptions","channels":[${channels.join(',')}]}`);
  }

  #lastMatch(instrument: number): void {
    const tape = this.#venue.market.tapes[instrument]!;
    const row = tape.keptRowBelow(tape.rows);
    if (row >= 0) this.#peer.trades('coinbase', this.#lastMatches, instrument, row, 1);
    replayTrades(this.#peer, this.#venue, 'coinbase', this.#matches, instrument);
  }

  #error(message: string, reason: string): void {
    const why = reason === '' ? '' : `"reason":${JSON.stringify(reason)},`;
    this.#peer.text(`{"message":${JSON.stringify(message)},${why}"type":"error"}`);
  }

  pong(): void {}

  tick(nowMs: number): void {
    const { heartbeatMs, subscribeDeadlineMs } = this.#venue.limits;
    if (!this.#everSubscribed && nowMs - this.#openedMs >= subscribeDeadlineMs) {
      this.#peer.close(1008, 'Subscription required');
      return;
    }
    if (nowMs < this.#nextHeartbeatMs) return;
    this.#nextHeartbeatMs = nowMs + heartbeatMs;
    const time = timeText(this.#venue.clock.nowUs());
    for (const product of this.#subscribed.heartbeat) {
      const instrument = this.#products.get(product)!;
      const tape = this.#venue.market.tapes[instrument]!;
      const row = tape.keptRowBelow(tape.rows);
      const id = row < 0 ? 0 : tape.id(row);
      this.#peer.text(
        `{"type":"heartbeat","last_trade_id":${id},"product_id":"${product}",` +
          `"sequence":${bookSequence(instrument, Math.max(0, row))},"time":"${time}"}`,
      );
    }
  }

  announceShutdown(): void {}
}

/** Channels are names, which take the request's products, or objects with products of their own. */
function channelRequests(channels: unknown, productIds: unknown): ChannelRequest[] {
  const strings = (list: unknown): string[] =>
    Array.isArray(list) ? (list as unknown[]).map((item) => String(item)) : [];
  if (!Array.isArray(channels)) return [];
  return (channels as unknown[]).map((channel) => {
    if (typeof channel === 'string') return { name: channel, products: strings(productIds) };
    const own = channel as { name?: unknown; product_ids?: unknown } | null;
    return {
      name: String(own?.name),
      products: strings(own?.product_ids ?? productIds),
    };
  });
}

export const openCoinbase: OpenProtocol = (peer, venue) => new CoinbaseProtocol(peer, venue);
