/**
 * What is said on `/v1/stream`: one literal per message, for the types, the checks and the documents.
 *
 * A client subscribes to channels; of each it gets a snapshot first and then updates. Decimals are
 * strings. An update of candles carries every candle that has changed, whole, with its revision and
 * is_final: later ones replace earlier ones of the same window_start. Trades are numbered per
 * instrument since the server started; `skipped` says how many of an update's are left out.
 */
import { type Static, Type } from '@sinclair/typebox';
import { EXCHANGES } from '#schemas/exchange';
import { TIMEFRAMES } from '#schemas/timeframe';
import { SIDES } from '#schemas/trade';
import type { CandleRow } from '#src/output/candle-row';

/** Candles of a snapshot: a screen of a chart. */
export const CANDLES_MAX = 500;
/** Trades of a snapshot or an update. */
export const TRADES_MAX = 128;

/** Of either, unless the client says how many. */
export const LIMIT_DEFAULT = 50;

function names<const T extends readonly string[]>(all: T) {
  return Type.Union(
    all.map((name) => Type.Literal(name as T[number])),
    { allowed: `one of ${all.join(', ')}` },
  );
}

function limit(maximum: number) {
  return Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum,
      default: LIMIT_DEFAULT,
      description: 'How many of the newest the snapshot has.',
      allowed: `an integer from 0 to ${maximum}`,
    }),
  );
}

const instrument = {
  exchange: names(EXCHANGES),
  symbol: Type.String({ maxLength: 64, allowed: 'a symbol, as GET /v1/symbols lists them' }),
};
const candles = { channel: Type.Literal('candles'), ...instrument, timeframe: names(TIMEFRAMES) };
const trades = { channel: Type.Literal('trades'), ...instrument };
const strict = { additionalProperties: false };

export const SUBSCRIBE_CANDLES = Type.Object(
  { op: Type.Literal('subscribe'), ...candles, limit: limit(CANDLES_MAX) },
  strict,
);
export const SUBSCRIBE_TRADES = Type.Object(
  { op: Type.Literal('subscribe'), ...trades, limit: limit(TRADES_MAX) },
  strict,
);
export const UNSUBSCRIBE_CANDLES = Type.Object(
  { op: Type.Literal('unsubscribe'), ...candles },
  strict,
);
export const UNSUBSCRIBE_TRADES = Type.Object(
  { op: Type.Literal('unsubscribe'), ...trades },
  strict,
);

/** What a client may say. */
export const REQUEST = Type.Union([
  SUBSCRIBE_CANDLES,
  SUBSCRIBE_TRADES,
  UNSUBSCRIBE_CANDLES,
  UNSUBSCRIBE_TRADES,
]);
export type StreamRequest = Static<typeof REQUEST>;

/** A trade as a stream shows it. */
const TRADE_UPDATE = Type.Object({
  trade_id: Type.String({ description: 'The exchange, a dash and its id of the trade.' }),
  timestamp: Type.String({ description: "The exchange's time, ISO 8601 UTC, microseconds." }),
  price: Type.String({ description: 'Exact decimal.' }),
  quantity: Type.String({ description: 'Exact decimal.' }),
  side: Type.Union(
    SIDES.map((side) => Type.Literal(side)),
    { description: 'The aggressor.' },
  ),
  ingestion_timestamp: Type.String({ description: 'When its frame arrived here.' }),
});
export type TradeUpdate = Static<typeof TRADE_UPDATE>;

const type = Type.Union([Type.Literal('snapshot'), Type.Literal('update')], {
  description: 'A snapshot comes first, and again when a slow client has missed updates.',
});

export const CANDLES_MESSAGE = Type.Object({
  type,
  ...candles,
  candles: Type.Array(Type.Unsafe<CandleRow>(Type.Object({})), {
    description: 'As in GET /v1/ohlcv, oldest first.',
  }),
});

export const TRADES_MESSAGE = Type.Object({
  type,
  ...trades,
  next: Type.Integer({ description: 'Number of the first trade after these.' }),
  skipped: Type.Integer({ description: 'Trades since the last message that are left out.' }),
  trades: Type.Array(TRADE_UPDATE, { description: 'Oldest first, in the order of the log.' }),
});

const UNSUBSCRIBED_MESSAGE = Type.Object({
  type: Type.Literal('unsubscribed'),
  channel: names(['candles', 'trades']),
  ...instrument,
  timeframe: Type.Optional(names(TIMEFRAMES)),
});

const ERROR_MESSAGE = Type.Object({
  type: Type.Literal('error'),
  detail: Type.String({ description: 'Why the last request was refused, in one sentence.' }),
});

/** What the server says. */
export const MESSAGE = Type.Union([
  CANDLES_MESSAGE,
  TRADES_MESSAGE,
  UNSUBSCRIBED_MESSAGE,
  ERROR_MESSAGE,
]);
export type StreamMessage = Static<typeof MESSAGE>;
export type CandlesMessage = Static<typeof CANDLES_MESSAGE>;
export type TradesMessage = Static<typeof TRADES_MESSAGE>;
