/** Kraken's WebSocket v2 session: status, one ack per symbol, snapshot, heartbeat when idle. */
import { timeText } from '#src/simulator/decimal-text';
import { KrakenFrames } from '#src/simulator/kraken-frames';
import {
  type OpenProtocol,
  type Peer,
  type Protocol,
  replayTrades,
  symbolIndex,
  type VenueState,
} from '#src/simulator/peer';

const SNAPSHOT_TRADES = 50;

interface Request {
  readonly method?: unknown;
  readonly req_id?: unknown;
  readonly params?: {
    readonly channel?: unknown;
    readonly symbol?: unknown;
    readonly snapshot?: unknown;
  };
}

class KrakenProtocol implements Protocol {
  readonly #peer: Peer;
  readonly #venue: VenueState;
  readonly #symbols: ReadonlyMap<string, number>;
  readonly #updates: KrakenFrames;
  readonly #snapshots: KrakenFrames;
  #subscribed = 0;
  #everSubscribed = false;
  #idleSinceMs: number;

  constructor(peer: Peer, venue: VenueState) {
    this.#peer = peer;
    this.#venue = venue;
    this.#symbols = symbolIndex(venue.market);
    this.#updates = new KrakenFrames(venue.market.tapes, 'update');
    this.#snapshots = new KrakenFrames(venue.market.tapes, 'snapshot');
    this.#idleSinceMs = venue.clock.monotonicMs();
    peer.setFormat('kraken', this.#updates);
    this.#status('online');
  }

  message(text: string): void {
    const timeIn = timeText(this.#venue.clock.nowUs());
    this.#idleSinceMs = this.#venue.clock.monotonicMs();
    let request: Request | null;
    try {
      request = JSON.parse(text) as Request | null;
    } catch {
      this.#error('Malformed request', 'null', '', '', timeIn);
      return;
    }
    const method = JSON.stringify(request?.method ?? null);
    const id = request?.req_id === undefined ? '' : JSON.stringify(request.req_id);
    switch (request?.method) {
      case 'ping': {
        const reqId = id === '' ? '' : `,"req_id":${id}`;
        const timeOut = timeText(this.#venue.clock.nowUs());
        this.#peer.text(`{"method":"pong"${reqId},"time_in":"${timeIn}","time_out":"${timeOut}"}`);
        return;
      }
      case 'subscribe':
      case 'unsubscribe': {
        const { channel, symbol, snapshot } = request.params ?? {};
        if (channel !== 'trade') {
          this.#error('Unsupported event', method, id, '', timeIn);
          return;
        }
        for (const name of Array.isArray(symbol) ? (symbol as unknown[]) : [symbol]) {
          this.#change(request.method, String(name), snapshot === true, id, timeIn);
        }
        return;
      }
      default:
        this.#error('Unsupported event', method, id, '', timeIn);
        return;
    }
  }

  /** One symbol of a request; each is answered by itself. */
  #change(
    method: 'subscribe' | 'unsubscribe',
    symbol: string,
    snapshot: boolean,
    id: string,
    timeIn: string,
  ): void {
    const quoted = JSON.stringify(method);
    const instrument = this.#symbols.get(symbol);
    const wants = this.#peer.wants('kraken');
    const adding = method === 'subscribe';
    if (instrument === undefined) {
      const error = `Currency pair not supported ${symbol}`;
      this.#error(error, quoted, id, symbol, timeIn);
      return;
    }
    if (wants[instrument] === (adding ? 1 : 0)) {
      const error = adding ? 'Already subscribed' : 'Subscription Not Found';
      this.#error(error, quoted, id, symbol, timeIn);
      return;
    }
    wants[instrument] = adding ? 1 : 0;
    this.#subscribed += adding ? 1 : -1;
    this.#everSubscribed ||= adding;
    const result = adding
      ? `{"channel":"trade","snapshot":${snapshot},"symbol":"${symbol}"}`
      : `{"channel":"trade","symbol":"${symbol}"}`;
    const timeOut = timeText(this.#venue.clock.nowUs());
    const reqId = id === '' ? '' : `,"req_id":${id}`;
    this.#peer.text(
      `{"method":${quoted},"result":${result},"success":true,"time_in":"${timeIn}",` +
        `"time_out":"${timeOut}"${reqId}}`,
    );
    if (!adding) return;
    if (snapshot) this.#snapshot(instrument);
    replayTrades(this.#peer, this.#venue, 'kraken', this.#updates, instrument);
  }

  #snapshot(instrument: number): void {
    const tape = this.#venue.market.tapes[instrument]!;
    const first = Math.max(tape.firstRow, tape.rows - SNAPSHOT_TRADES);
    if (tape.keptRowBelow(tape.rows) < first) return;
    this.#peer.trades('kraken', this.#snapshots, instrument, first, tape.rows - first);
  }

  #error(error: string, method: string, id: string, symbol: string, timeIn: string): void {
    const timeOut = timeText(this.#venue.clock.nowUs());
    const reqId = id === '' ? '' : `"req_id":${id},`;
    const pair = symbol === '' ? '' : `"symbol":${JSON.stringify(symbol)},`;
    this.#peer.text(
      `{"error":${JSON.stringify(error)},"method":${method},${reqId}"success":false,${pair}` +
        `"time_in":"${timeIn}","time_out":"${timeOut}"}`,
    );
  }

  pong(): void {}

  tick(nowMs: number): void {
    const { heartbeatMs, idleCloseMs } = this.#venue.limits;
    if (this.#subscribed > 0) this.#idleSinceMs = nowMs;
    else if (nowMs - this.#idleSinceMs >= idleCloseMs) {
      this.#peer.close(1000, 'Idle');
      return;
    }
    if (this.#everSubscribed && nowMs - this.#peer.lastSentMs >= heartbeatMs) {
      this.#peer.text('{"channel":"heartbeat"}');
    }
  }

  announceShutdown(): void {
    this.#status('maintenance');
  }

  #status(system: 'online' | 'maintenance'): void {
    // Connection ids are 19 digits long: beyond what a double holds.
    const id = 4_421_894_013_101_900_000n + BigInt(this.#peer.connection);
    this.#peer.text(
      `{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"${system}",` +
        `"api_version":"v2","connection_id":${id}}]}`,
    );
  }
}

export const openKraken: OpenProtocol = (peer, venue) => new KrakenProtocol(peer, venue);
