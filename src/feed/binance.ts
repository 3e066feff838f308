/**
 * Binance spot, raw streams: `<symbol>@trade` or `<symbol>@aggTrade`, subscribed over `/ws`.
 *
 * The server pings every 20 s, so a minute without anything is a dead connection. It takes at most
 * 5 messages a second from us, pongs included, and cuts every connection at 24 h. A subscription to
 * an unknown symbol is acknowledged and stays silent: only a malformed name is refused, and then
 * the whole message with it.
 */
import {
  type Control,
  type FeedProtocol,
  hasBytes,
  OTHER,
  record,
  strings,
  textOf,
} from './protocol.js';

const BINANCE_URL = 'wss://stream.binance.com:9443/ws?timeUnit=MICROSECOND';
export type BinanceStream = 'trade' | 'aggTrade';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

const encoder = new TextEncoder();
/** Bare events and those of a combined stream; `{"stream":"!` would be an announcement. */
const RAW = encoder.encode('{"e":"');
const COMBINED = encoder.encode('{"stream":"');
const TRADE = encoder.encode('trade"');
const AGG_TRADE = encoder.encode('aggTrade"');
const EXCLAMATION_MARK = 0x21;

function isTrade(frame: Uint8Array): boolean {
  if (hasBytes(frame, RAW, 0)) {
    return hasBytes(frame, TRADE, RAW.length) || hasBytes(frame, AGG_TRADE, RAW.length);
  }
  return hasBytes(frame, COMBINED, 0) && frame[COMBINED.length] !== EXCLAMATION_MARK;
}

function readControl(value: unknown): Control {
  const message = record(value);
  const id = typeof message.id === 'number' ? message.id : undefined;
  // Both shapes of an error are in use: {code, msg, id} and {error: {code, msg}, id}.
  const error = message.error === undefined ? message : record(message.error);
  if (error.code !== undefined) {
    const text = `${textOf(error.msg)} (code ${textOf(error.code)})`;
    return id === undefined ? { kind: 'reject', text } : { kind: 'reject', id, text };
  }
  if (message.result === null && id !== undefined) return { kind: 'ack', id };
  if (message.e === 'serverShutdown' || message.stream === '!serverShutdown') {
    return { kind: 'shutdown' };
  }
  if (Array.isArray(message.result)) {
    return { kind: 'notice', text: `subscriptions: ${strings(message.result).length}` };
  }
  return OTHER;
}

export function binanceProtocol(stream: BinanceStream): FeedProtocol {
  return {
    exchange: 'BINANCE',
    url: BINANCE_URL,
    wireSymbol: (nativeSymbol) => nativeSymbol.toUpperCase(),
    tradeKeys: { symbol: 's', id: stream === 'trade' ? 't' : 'a', isSingle: true },
    streamsPerConnectionMax: 1024,
    // Fewer, larger messages: the limit counts messages. 200 names stay under 8 KB.
    symbolsPerMessageMax: 200,
    // 4 a second leaves one of the five for a pong.
    sendIntervalMs: 250,
    greeting: [],
    subscribe: (symbols, id) =>
      JSON.stringify({
        method: 'SUBSCRIBE',
        params: symbols.map((symbol) => `${symbol.toLowerCase()}@${stream}`),
        id,
      }),
    isTrade,
    readControl,
    silenceMs: 60_000,
    age: { ageMaxMs: 23.5 * HOUR_MS, jitterMs: 10 * MINUTE_MS },
    attempts: { limit: 300, windowMs: 5 * MINUTE_MS },
  };
}
