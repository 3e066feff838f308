/**
 * Names of what can be subscribed to, read strictly: one sentence says what is wrong with a request.
 */
import type { Instrument } from '#schemas/instrument';
import { isTimeframe, TIMEFRAMES, type Timeframe } from '#schemas/timeframe';
import { firstFault } from '#src/config/check';
import {
  type StreamRequest,
  SUBSCRIBE_CANDLES,
  SUBSCRIBE_TRADES,
  UNSUBSCRIBE_CANDLES,
  UNSUBSCRIBE_TRADES,
} from '#src/push/messages';

/** What a topic is about. */
export interface Subject {
  readonly instrument: Instrument;
  /** Undefined for trades. */
  readonly timeframe: Timeframe | undefined;
}

/** One text per subject: the key of its topic. */
export function subjectName({ instrument, timeframe }: Subject): string {
  return `${timeframe === undefined ? 'trades' : 'candles'} ${instrument.code} ${timeframe ?? ''}`;
}

export function findInstrument(
  instruments: readonly Instrument[],
  exchange: string,
  symbol: string,
): Instrument | undefined {
  return instruments.find((one) => one.exchange === exchange && one.symbol === symbol);
}

const SCHEMAS = {
  subscribe: { candles: SUBSCRIBE_CANDLES, trades: SUBSCRIBE_TRADES },
  unsubscribe: { candles: UNSUBSCRIBE_CANDLES, trades: UNSUBSCRIBE_TRADES },
} as const;

/** A request out of a client's text; a string is the sentence that refuses it. */
export function readRequest(text: string): StreamRequest | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'The message is not JSON.';
  }
  const { op, channel } = (value ?? {}) as { op?: unknown; channel?: unknown };
  if (op !== 'subscribe' && op !== 'unsubscribe') return 'op must be subscribe or unsubscribe.';
  if (channel !== 'candles' && channel !== 'trades') return 'channel must be candles or trades.';
  const fault = firstFault(SCHEMAS[op][channel], value);
  return fault === undefined ? (value as StreamRequest) : `${fault.sentence}.`;
}

/**
 * A subject as a query parameter: `BINANCE:BTCUSDT:1m` for candles, `KRAKEN:BTCUSD` for trades.
 * A string is the sentence that refuses it.
 */
export function readSubject(
  instruments: readonly Instrument[],
  channel: 'candles' | 'trades',
  text: string,
): Subject | string {
  const [exchange = '', symbol = '', timeframe, more] = text.split(':');
  const isForm = channel === 'trades' ? timeframe === undefined : timeframe !== undefined;
  if (!isForm || more !== undefined) {
    const form = channel === 'trades' ? 'KRAKEN:BTCUSD' : 'BINANCE:BTCUSDT:1m';
    return `${channel} must look like ${form}.`;
  }
  const instrument = findInstrument(instruments, exchange, symbol);
  if (instrument === undefined) return unknownInstrument();
  if (timeframe !== undefined && !isTimeframe(timeframe)) {
    return `The timeframe must be one of ${TIMEFRAMES.join(', ')}.`;
  }
  return { instrument, timeframe };
}

export function unknownInstrument(): string {
  return 'There is no such symbol on that exchange: GET /v1/symbols lists them.';
}
