/**
 * How one feed spells trades. The five feeds differ in what one message holds and in its bytes, and
 * in nothing else the rest of the simulator needs to know.
 */

import type { Exchange } from '#schemas/exchange';
import type { TextWriter } from '#src/simulator/text-writer';

export const FEEDS = [
  'binance-trade',
  'binance-aggtrade',
  'kraken',
  'coinbase',
  'coinbase-advanced',
] as const;
export type Feed = (typeof FEEDS)[number];

export const FEED_EXCHANGE: Readonly<Record<Feed, Exchange>> = {
  'binance-trade': 'BINANCE',
  'binance-aggtrade': 'BINANCE',
  kraken: 'KRAKEN',
  coinbase: 'COINBASE',
  'coinbase-advanced': 'COINBASE',
};

/**
 * A message is a run of `count` units of one instrument, starting at unit `first`: a unit is a
 * trade (a row of the tape), or on the aggTrade feed an aggregate.
 */
export interface FrameFormat {
  /** An upper bound of the bytes of a message with `count` units. */
  bytesMax(count: number): number;
  /** Writes the whole message. */
  frame(writer: TextWriter, instrument: number, first: number, count: number): void;
  /** Writes one unit as the JSON object it is in the message. */
  record(writer: TextWriter, instrument: number, unit: number): void;
  /** The message around ready-made records: for faults, which break one of them. */
  envelope(records: readonly string[], instrument: number): string;
}

/** JSON keys of the fields a dead-letter reason can be about, per feed. */
export type FieldKeys = Readonly<
  Record<'symbol' | 'id' | 'time' | 'price' | 'quantity' | 'side', string>
>;

const KRAKEN_KEYS: FieldKeys = {
  symbol: 'symbol',
  id: 'trade_id',
  time: 'timestamp',
  price: 'price',
  quantity: 'qty',
  side: 'side',
};

const COINBASE_KEYS: FieldKeys = {
  symbol: 'product_id',
  id: 'trade_id',
  time: 'time',
  price: 'price',
  quantity: 'size',
  side: 'side',
};

const BINANCE_KEYS: FieldKeys = {
  symbol: 's',
  id: 't',
  time: 'T',
  price: 'p',
  quantity: 'q',
  side: 'm',
};

export const FIELD_KEYS: Readonly<Record<Feed, FieldKeys>> = {
  'binance-trade': BINANCE_KEYS,
  'binance-aggtrade': { ...BINANCE_KEYS, id: 'a' },
  kraken: KRAKEN_KEYS,
  coinbase: COINBASE_KEYS,
  'coinbase-advanced': COINBASE_KEYS,
};
