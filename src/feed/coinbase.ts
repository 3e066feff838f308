/**
 * Coinbase, both feeds: the Exchange feed (`matches` with `heartbeat`) and Advanced Trade
 * (`market_trades` with `heartbeats`).
 *
 * The first is preferred: its side is settled and its per-product heartbeat carries last_trade_id,
 * so a match it dropped is noticed within seconds. An acknowledgement is the whole current set of
 * subscriptions; an error names the product in its text at best. A subscribe must arrive within 5 s
 * of the connection, so the first message goes out at once.
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

const COINBASE_EXCHANGE_URL = 'wss://ws-feed.exchange.coinbase.com';
const COINBASE_ADVANCED_URL = 'wss://advanced-trade-ws.coinbase.com';

const encoder = new TextEncoder();
const MATCH = encoder.encode('{"type":"match"');
const LAST_MATCH = encoder.encode('{"type":"last_match"');
const MARKET_TRADES = encoder.encode('{"channel":"market_trades"');

function readError(message: Readonly<Record<string, unknown>>): Control {
  const text = [message.message, message.reason].map(textOf).filter((t) => t !== '');
  return { kind: 'reject', text: text.join(': ') };
}

function readExchangeControl(value: unknown): Control {
  const message = record(value);
  if (message.type === 'heartbeat') {
    const { product_id: symbol, last_trade_id: tradeId } = message;
    const sound = typeof symbol === 'string' && Number.isSafeInteger(tradeId);
    return sound ? { kind: 'progress', symbol, tradeId: tradeId as number } : OTHER;
  }
  if (message.type === 'error') return readError(message);
  if (message.type !== 'subscriptions') return OTHER;
  const matches = list(message.channels).map(record);
  const symbols = matches
    .filter((c) => c.name === 'matches')
    .flatMap((c) => strings(c.product_ids));
  return { kind: 'ack', symbols };
}

function readAdvancedControl(value: unknown): Control {
  const message = record(value);
  if (message.type === 'error') return readError(message);
  if (message.channel !== 'subscriptions') return OTHER;
  const events = list(message.events).map(record);
  const symbols = events.flatMap((e) => strings(record(e.subscriptions).market_trades));
  return { kind: 'ack', symbols };
}

const SHARED = {
  exchange: 'COINBASE',
  wireSymbol: (nativeSymbol: string) => nativeSymbol,
  // Coinbase advises to spread products over connections and cuts slow consumers.
  streamsPerConnectionMax: 100,
  symbolsPerMessageMax: 50,
  // Advanced Trade takes 8 messages a second without authentication.
  sendIntervalMs: 150,
  // A heartbeat a second, on both feeds.
  silenceMs: 10_000,
  attempts: { limit: 8, windowMs: 1_000 },
} as const;

export const COINBASE_EXCHANGE: FeedProtocol = {
  ...SHARED,
  url: COINBASE_EXCHANGE_URL,
  tradeKeys: { symbol: 'product_id', id: 'trade_id', isSingle: true },
  greeting: [],
  subscribe: (product_ids) =>
    JSON.stringify({ type: 'subscribe', product_ids, channels: ['matches', 'heartbeat'] }),
  isTrade: (frame) => hasBytes(frame, MATCH, 0) || hasBytes(frame, LAST_MATCH, 0),
  readControl: readExchangeControl,
};

export const COINBASE_ADVANCED: FeedProtocol = {
  ...SHARED,
  url: COINBASE_ADVANCED_URL,
  tradeKeys: { symbol: 'product_id', id: 'trade_id', isSingle: false },
  // One channel per message; without heartbeats a quiet channel is closed after 60 to 90 s.
  greeting: ['{"type":"subscribe","channel":"heartbeats"}'],
  subscribe: (product_ids) =>
    JSON.stringify({ type: 'subscribe', product_ids, channel: 'market_trades' }),
  isTrade: (frame) => hasBytes(frame, MARKET_TRADES, 0),
  readControl: readAdvancedControl,
};
