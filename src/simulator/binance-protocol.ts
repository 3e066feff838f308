/**
 * Binance's WebSocket session: streams by URL or SUBSCRIBE, pings, the 24 h cut, serverShutdown.
 */
import { BinanceFrames } from '#src/simulator/binance-frames';
import type { Feed } from '#src/simulator/frame-format';
import {
  type OpenProtocol,
  type Peer,
  type Protocol,
  replayTrades,
  symbolIndex,
  type VenueState,
} from '#src/simulator/peer';

/**
 * `<symbol>@<stream>` or `!<stream>`. A symbol that does not exist is accepted and stays silent.
 */
const STREAM = /^(?:[^@!\s]+|!?[A-Za-z]+)@[A-Za-z0-9@_:+-]+$|^![A-Za-z]+$/;
const REQUEST_ID = /"id"\s*:\s*(-?\d{1,19}|"[A-Za-z0-9_-]{0,36}"|null)\s*[,}]/;
const FEED_OF: Readonly<Record<string, Feed>> = {
  trade: 'binance-trade',
  aggTrade: 'binance-aggtrade',
};

class BinanceProtocol implements Protocol {
  readonly #peer: Peer;
  readonly #venue: VenueState;
  readonly #symbols: ReadonlyMap<string, number>;
  readonly #streams = new Set<string>();
  readonly #timeUnitUs: 1 | 1000;
  #combined: boolean;
  readonly #openedMs: number;
  #nextPingMs: number;
  /** Payload and time of the oldest ping without its pong. */
  #unanswered: { payload: string; sentMs: number } | undefined;
  #announced = false;

  constructor(peer: Peer, venue: VenueState, url: string) {
    this.#peer = peer;
    this.#venue = venue;
    this.#symbols = symbolIndex(venue.market);
    const { pathname, searchParams } = new URL(url, 'ws://localhost');
    this.#combined = pathname === '/stream';
    const unit = searchParams.get('timeUnit')?.toUpperCase();
    this.#timeUnitUs = unit === 'MICROSECOND' ? 1 : 1000;
    this.#openedMs = venue.clock.monotonicMs();
    this.#nextPingMs = this.#openedMs + venue.limits.pingIntervalMs;
    this.#setFormats();
    const named = pathname.startsWith('/ws/') ? pathname.slice(4) : searchParams.get('streams');
    if (named !== null && named !== '') this.#subscribe(named.split('/'));
  }

  #setFormats(): void {
    const { tapes } = this.#venue.market;
    for (const feed of this.#venue.feeds) this.#peer.setFormat(feed, this.#format(feed, tapes));
  }

  #format(feed: Feed, tapes = this.#venue.market.tapes): BinanceFrames {
    const aggregate = feed === 'binance-aggtrade';
    const combined = this.#combined;
    return new BinanceFrames(tapes, { aggregate, combined, timeUnitUs: this.#timeUnitUs });
  }

  message(text: string): void {
    let request: unknown;
    try {
      request = JSON.parse(text);
    } catch {
      this.#peer.text('{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}');
      return;
    }
    const rawId = REQUEST_ID.exec(text)?.[1];
    const id = rawId === undefined ? '' : `,"id":${rawId}`;
    const invalid = (what: string): void =>
      this.#peer.text(`{"code":2,"msg":"Invalid request: ${what}"${id}}`);
    if (typeof request !== 'object' || request === null) {
      invalid('expected an object');
      return;
    }
    const { method, params } = request as { method?: unknown; params?: unknown };
    if (method === undefined) {
      invalid('missing field `method`');
      return;
    }
    if (rawId === undefined && 'id' in request) {
      invalid('invalid id');
      return;
    }
    switch (method) {
      case 'SUBSCRIBE':
      case 'UNSUBSCRIBE': {
        const names = Array.isArray(params) ? (params as unknown[]) : [];
        if (!names.every((name) => typeof name === 'string')) {
          invalid('invalid type');
          return;
        }
        if (!names.every((name) => STREAM.test(name))) {
          invalid('invalid stream');
          return;
        }
        const added = names.filter((name) => !this.#streams.has(name)).length;
        if (method === 'SUBSCRIBE') {
          if (this.#streams.size + added > this.#venue.limits.streamsMax) {
            invalid('too many parameters');
            return;
          }
          this.#peer.text(`{"result":null${id}}`);
          this.#subscribe(names);
        } else {
          this.#unsubscribe(names);
          this.#peer.text(`{"result":null${id}}`);
        }
        return;
      }
      case 'LIST_SUBSCRIPTIONS':
        this.#peer.text(`{"result":${JSON.stringify([...this.#streams])}${id}}`);
        return;
      case 'SET_PROPERTY':
      case 'GET_PROPERTY':
        this.#property(method === 'SET_PROPERTY', Array.isArray(params) ? params : [], id);
        return;
      default:
        invalid(`unknown variant \`${method}\``);
        return;
    }
  }

  #property(setting: boolean, params: readonly unknown[], id: string): void {
    if (params[0] !== 'combined') {
      this.#peer.text(`{"code":0,"msg":"Unknown property"${id}}`);
    } else if (!setting) {
      this.#peer.text(`{"result":${this.#combined}${id}}`);
    } else if (typeof params[1] !== 'boolean') {
      this.#peer.text(`{"code":1,"msg":"Invalid value type: expected Boolean"${id}}`);
    } else {
      this.#combined = params[1];
      this.#setFormats();
      this.#peer.text(`{"result":null${id}}`);
    }
  }

  #subscribe(names: readonly string[]): void {
    for (const name of names) {
      const known = this.#streams.has(name);
      this.#streams.add(name);
      const [feed, instrument] = this.#resolve(name);
      if (feed === undefined || instrument === undefined) continue;
      this.#peer.wants(feed)[instrument] = 1;
      if (!known) replayTrades(this.#peer, this.#venue, feed, this.#format(feed), instrument);
    }
  }

  #unsubscribe(names: readonly string[]): void {
    for (const name of names) {
      if (!this.#streams.delete(name)) continue;
      const [feed, instrument] = this.#resolve(name);
      if (feed !== undefined && instrument !== undefined) this.#peer.wants(feed)[instrument] = 0;
    }
  }

  /** Stream names spell the symbol in lower case; one in upper case is another, silent, stream. */
  #resolve(name: string): readonly [Feed | undefined, number | undefined] {
    const [symbol, stream] = name.split('@') as [string, string | undefined];
    const feed = stream === undefined ? undefined : FEED_OF[stream];
    const simulated = feed !== undefined && this.#venue.feeds.includes(feed) ? feed : undefined;
    const lower = symbol === symbol.toLowerCase();
    return [simulated, lower ? this.#symbols.get(symbol.toUpperCase()) : undefined];
  }

  pong(payload: string): void {
    // An unsolicited pong is allowed but does not keep the connection alive.
    if (this.#unanswered?.payload === payload) this.#unanswered = undefined;
  }

  tick(nowMs: number): void {
    const { pingIntervalMs, pongTimeoutMs, lifetimeMs, shutdownLeadMs } = this.#venue.limits;
    if (nowMs >= this.#nextPingMs) {
      this.#nextPingMs = nowMs + pingIntervalMs;
      const payload = String(Math.floor(this.#venue.clock.nowUs() / 1000));
      this.#unanswered ??= { payload, sentMs: nowMs };
      this.#peer.ping(payload);
    }
    if (this.#unanswered !== undefined && nowMs - this.#unanswered.sentMs >= pongTimeoutMs) {
      this.#peer.close(1008, 'Pong timeout');
    } else if (nowMs - this.#openedMs >= lifetimeMs) {
      this.#peer.close(1001, '');
    } else if (!this.#announced && nowMs - this.#openedMs >= lifetimeMs - shutdownLeadMs) {
      this.announceShutdown();
    }
  }

  announceShutdown(): void {
    this.#announced = true;
    const time = Math.floor(this.#venue.clock.nowUs() / this.#timeUnitUs);
    const event = `{"e":"serverShutdown","E":${time}}`;
    this.#peer.text(this.#combined ? `{"stream":"!serverShutdown","data":${event}}` : event);
  }
}

export const openBinance: OpenProtocol = (peer, venue, url) =>
  new BinanceProtocol(peer, venue, url);
