/**
 * Kraken WebSocket v2, channel `trade` with snapshot (the last 50 trades: free backfill).
 *
 * Every symbol is acknowledged or refused on its own. Heartbeats come every second when nothing else
 * does, so ten silent seconds are a dead connection. Before a restart the proxy says so in plain
 * text, which is not JSON and therefore never gets to readControl.
 */
import {
  type Control,
  type FeedProtocol,
  hasBytes,
  list,
  OTHER,
  record,
  strings,
  textOf,
} from './protocol.js';

const KRAKEN_URL = 'wss://ws.kraken.com/v2';

const TRADE = new TextEncoder().encode('{"channel":"trade"');

/** v2 has left Kraken's own asset names behind: XBT/USD is BTC/USD, XDG/USD is DOGE/USD. */
export function krakenWireSymbol(nativeSymbol: string): string {
  return nativeSymbol
    .split('/')
    .map((asset) => (asset === 'XBT' ? 'BTC' : asset === 'XDG' ? 'DOGE' : asset))
    .join('/');
}

function readSubscribed(message: Readonly<Record<string, unknown>>): Control {
  const id = typeof message.req_id === 'number' ? message.req_id : undefined;
  const result = record(message.result);
  if (message.success === true) {
    return { kind: 'ack', symbols: strings([result.symbol]) };
  }
  const text = textOf(message.error);
  const symbols = strings([message.symbol]);
  if (symbols.length > 0) return { kind: 'reject', symbols, text };
  return id === undefined ? { kind: 'reject', text } : { kind: 'reject', id, text };
}

function readControl(value: unknown): Control {
  const message = record(value);
  if (message.method === 'subscribe') return readSubscribed(message);
  if (message.channel === 'status') {
    const system = textOf(record(list(message.data)[0]).system);
    return system === 'online' ? OTHER : { kind: 'notice', text: `system status ${system}` };
  }
  if (message.error !== undefined) return { kind: 'notice', text: textOf(message.error) };
  return OTHER;
}

export const KRAKEN: FeedProtocol = {
  exchange: 'KRAKEN',
  url: KRAKEN_URL,
  wireSymbol: krakenWireSymbol,
  tradeKeys: { symbol: 'symbol', id: 'trade_id', isSingle: false },
  // Kraken publishes no limit; 250 keeps a lost connection's damage and its snapshots small.
  streamsPerConnectionMax: 250,
  symbolsPerMessageMax: 50,
  // The message rate limit is dynamic and unpublished.
  sendIntervalMs: 250,
  greeting: [],
  // `snapshot` is always sent: its default differs between versions of the documentation.
  subscribe: (symbol, id) =>
    JSON.stringify({
      method: 'subscribe',
      params: { channel: 'trade', symbol, snapshot: true },
      req_id: id,
    }),
  isTrade: (frame) => hasBytes(frame, TRADE, 0),
  readControl,
  // A connection without subscriptions is closed after about 60 s; a ping keeps it.
  ping: { text: '{"method":"ping"}', intervalMs: 20_000 },
  silenceMs: 10_000,
  // Cloudflare in front of Kraken bans an address for 10 min beyond about 150 attempts.
  attempts: { limit: 150, windowMs: 600_000 },
};
