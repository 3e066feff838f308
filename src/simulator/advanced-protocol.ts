/** Coinbase Advanced Trade's WebSocket session: one channel per request, numbered messages. */
import { AdvancedFrames } from '#src/simulator/advanced-frames';
import { timeText } from '#src/simulator/decimal-text';
import {
  type OpenProtocol,
  type Peer,
  type Protocol,
  replayTrades,
  symbolIndex,
  type VenueState,
} from '#src/simulator/peer';

const SNAPSHOT_TRADES = 50;

class AdvancedProtocol implements Protocol {
  readonly #peer: Peer;
  readonly #venue: VenueState;
  readonly #products: ReadonlyMap<string, number>;
  readonly #updates: AdvancedFrames;
  readonly #snapshots: AdvancedFrames;
  readonly #trades = new Set<string>();
  readonly #openedMs: number;
  #heartbeats = false;
  #everSubscribed = false;
  #sequence = 0;
  #heartbeat = 0;
  #nextHeartbeatMs: number;

  constructor(peer: Peer, venue: VenueState) {
    this.#peer = peer;
    this.#venue = venue;
    this.#products = symbolIndex(venue.market);
    const sequence = { next: () => this.#sequence++ };
    this.#updates = new AdvancedFrames(venue.market.tapes, 'update', sequence);
    this.#snapshots = new AdvancedFrames(venue.market.tapes, 'snapshot', sequence);
    this.#openedMs = venue.clock.monotonicMs();
    this.#nextHeartbeatMs = this.#openedMs + venue.limits.heartbeatMs;
    peer.setFormat('coinbase-advanced', this.#updates);
  }

  message(text: string): void {
    let request: { type?: unknown; channel?: unknown; product_ids?: unknown } | null;
    try {
      request = JSON.parse(text) as typeof request;
    } catch {
      this.#error('malformed request');
      return;
    }
    const type = request?.type;
    if (type !== 'subscribe' && type !== 'unsubscribe') {
      this.#error('unknown type');
      return;
    }
    if (request?.channel === 'heartbeats') {
      this.#heartbeats = type === 'subscribe';
      this.#everSubscribed = true;
      this.#acknowledge();
      return;
    }
    if (request?.channel !== 'market_trades') {
      this.#error('channel is not available');
      return;
    }
    const ids = request.product_ids;
    const named = Array.isArray(ids) ? ids.map((id: unknown) => this.#aliased(String(id))) : [];
    const products = named.length === 0 ? [...this.#products.keys()] : named;
    const unknown = products.find((product) => !this.#products.has(product));
    if (unknown !== undefined) {
      this.#error(`${unknown} is not a valid product_id`);
      return;
    }
    const fresh = products.filter((product) => !this.#trades.has(product));
    for (const product of products) {
      if (type === 'subscribe') this.#trades.add(product);
      else this.#trades.delete(product);
      const wanted = type === 'subscribe' ? 1 : 0;
      this.#peer.wants('coinbase-advanced')[this.#products.get(product)!] = wanted;
    }
    this.#everSubscribed = true;
    this.#acknowledge();
    if (type === 'subscribe') for (const product of fresh) this.#snapshot(product);
  }

  /** `BTC-USDC` is another name of `BTC-USD`, and its trades carry the latter. */
  #aliased(product: string): string {
    if (this.#products.has(product) || !product.endsWith('-USDC')) return product;
    return product.slice(0, -1);
  }

  #snapshot(product: string): void {
    const instrument = this.#products.get(product)!;
    const tape = this.#venue.market.tapes[instrument]!;
    const feed = 'coinbase-advanced';
    const first = Math.max(tape.firstRow, tape.rows - SNAPSHOT_TRADES);
    if (tape.keptRowBelow(tape.rows) >= first) {
      this.#peer.trades(feed, this.#snapshots, instrument, first, tape.rows - first);
    }
    replayTrades(this.#peer, this.#venue, feed, this.#updates, instrument);
  }

  #acknowledge(): void {
    const trades = this.#trades.size > 0 ? { market_trades: [...this.#trades] } : {};
    const beats = this.#heartbeats ? { heartbeats: ['heartbeats'] } : {};
    this.#send('subscriptions', JSON.stringify({ subscriptions: { ...trades, ...beats } }));
  }

  #send(channel: string, event: string): void {
    const time = timeText(this.#venue.clock.nowUs());
    this.#peer.text(
      `{"channel":"${channel}","client_id":"","timestamp":"${time}",` +
        `"sequence_num":${this.#sequence++},"events":[${event}]}`,
    );
  }

  #error(message: string): void {
    this.#peer.text(`{"type":"error","message":${JSON.stringify(message)}}`);
  }

  pong(): void {}

  tick(nowMs: number): void {
    const { heartbeatMs, idleCloseMs, subscribeDeadlineMs } = this.#venue.limits;
    if (!this.#everSubscribed && nowMs - this.#openedMs >= subscribeDeadlineMs) {
      this.#peer.close(1008, 'Subscription required');
      return;
    }
    const quietMs = nowMs - Math.max(this.#openedMs, this.#peer.lastSentMs);
    if (!this.#heartbeats && quietMs >= idleCloseMs) {
      this.#peer.close(1000, 'Idle');
      return;
    }
    if (!this.#heartbeats || nowMs < this.#nextHeartbeatMs) return;
    this.#nextHeartbeatMs = nowMs + heartbeatMs;
    const time = `${timeText(this.#venue.clock.nowUs()).slice(0, -1).replace('T', ' ')}000+00:00`;
    const counter = this.#heartbeat++;
    this.#send('heartbeats', `{"current_time":"${time}","heartbeat_counter":${counter}}`);
  }

  announceShutdown(): void {}
}

export const openAdvanced: OpenProtocol = (peer, venue) => new AdvancedProtocol(peer, venue);
