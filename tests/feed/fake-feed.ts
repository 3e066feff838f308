/** A session in a fake world, with the frames it stored and the events it reported. */
import type { Exchange } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { type FeedCounters, newFeedCounters } from '#src/feed/counters';
import type { FeedOptions } from '#src/feed/options';
import { ExchangeSession, type FeedEvent } from '#src/feed/session';
import type { FakeSocket, FakeWorld } from '#tests/feed/fake-world';

export function instruments(exchange: Exchange, nativeSymbols: readonly string[]): Instrument[] {
  return nativeSymbols.map((nativeSymbol, code) => ({
    code,
    exchange,
    nativeSymbol,
    symbol: nativeSymbol.replaceAll(/[^A-Z]/g, ''),
    baseAsset: nativeSymbol.slice(0, 3),
    quoteAsset: nativeSymbol.slice(-3),
  }));
}

export interface Stored {
  readonly text: string;
  readonly kind: number;
  readonly connection: number;
}

export interface FakeFeed {
  readonly session: ExchangeSession;
  readonly stored: Stored[];
  readonly events: FeedEvent[];
  readonly counters: FeedCounters;
}

export function startFeed(
  world: FakeWorld,
  exchange: Exchange,
  symbols: readonly string[],
  options: FeedOptions,
): FakeFeed {
  const stored: Stored[] = [];
  const events: FeedEvent[] = [];
  const counters = newFeedCounters();
  const sink = {
    store(frame: Uint8Array, kind: number, connection: number): number {
      stored.push({ text: new TextDecoder().decode(frame), kind, connection });
      return world.clock.nowUs();
    },
  };
  const session = new ExchangeSession(
    { exchange, options, instruments: instruments(exchange, symbols) },
    world,
    sink,
    counters,
    (event) => events.push(event),
  );
  session.start();
  return { session, stored, events, counters };
}

/** A Binance that acknowledges everything and, like the real one, pings every 20 s. */
export function serveBinance(world: FakeWorld): void {
  world.onOpen = (socket) => {
    socket.accept();
    pingForEver(world, socket);
  };
  world.onText = (socket, text) => {
    const { id, method } = JSON.parse(text);
    if (method === 'SUBSCRIBE') socket.frame({ result: null, id });
  };
}

function pingForEver(world: FakeWorld, socket: FakeSocket): void {
  world.timers.after(20_000, () => {
    if (socket.isEnded) return;
    socket.handlers.onPing();
    pingForEver(world, socket);
  });
}

export function binanceTrade(symbol: string, id: number): string {
  const times = '"E":1783382400000000,"s":';
  return `{"e":"trade",${times}"${symbol}","t":${id},"p":"1.5","q":"2","T":1783382400000000,"m":true,"M":true}`;
}

/** A Kraken that answers symbol by symbol and sends a heartbeat every second. */
export function serveKraken(world: FakeWorld, unknown: ReadonlySet<string> = new Set()): void {
  world.onOpen = (socket) => {
    socket.accept();
    socket.frame({ channel: 'status', type: 'update', data: [{ system: 'online' }] });
  };
  world.onText = (socket, text) => {
    const { method, params, req_id } = JSON.parse(text);
    if (method === 'ping') socket.frame({ method: 'pong' });
    if (method !== 'subscribe') return;
    for (const symbol of params.symbol) {
      if (unknown.has(symbol)) {
        const error = `Currency pair not supported ${symbol}`;
        socket.frame({ method, success: false, error, symbol, req_id });
      } else {
        socket.frame({ method, result: { channel: 'trade', symbol }, success: true, req_id });
      }
    }
    beatForEver(world, socket, () => socket.frame({ channel: 'heartbeat' }));
  };
}

export function beatForEver(world: FakeWorld, socket: FakeSocket, beat: () => void): void {
  world.timers.after(1_000, () => {
    if (socket.isEnded) return;
    beat();
    beatForEver(world, socket, beat);
  });
}
