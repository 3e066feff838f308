/**
 * What the oracle expects, as one line of text per row: the same text that tests/pipeline/held-lines.ts makes of the
 * product's tables and records. A line holds every column, so two equal lists are equal tables.
 */
import { createHash } from 'node:crypto';
import { REASONS } from '#schemas/dead-letter';
import { decimalText, type OracleCandle, vwap } from '#tests/support/oracle/candles';
import type { OracleDeadLetter, OracleGap, OracleTrade } from '#tests/support/oracle/oracle';

/** UTC date of a time in microseconds. */
function dateOf(timeUs: number): string {
  return new Date(Math.floor(timeUs / 1000)).toISOString().slice(0, 10);
}

const prefixes = new Map<string, string>();

/** UUIDv8: 60 bits of the instrument's hash, version 8, variant 2, 62 bits of trade id. */
function messageId(exchange: string, symbol: string, id: number): string {
  const name = `${exchange}|${symbol}`;
  let prefix = prefixes.get(name);
  if (prefix === undefined) {
    const hash = createHash('sha256').update(name).digest('hex');
    prefix = `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(12, 15)}`;
    prefixes.set(name, prefix);
  }
  const low = ((2n << 62n) | BigInt(id)).toString(16);
  return `${prefix}-${low.slice(0, 4)}-${low.slice(4)}`;
}

/** The 17 columns of schemas/trade.ts. */
export function tradeLine(trade: OracleTrade): string {
  const { instrument, id, timeUs, price, quantity, side, conditions, span } = trade;
  const { exchange, symbol, quoteAsset } = instrument;
  return [
    messageId(exchange, symbol, id),
    `${exchange}-${id}`,
    symbol,
    exchange,
    'crypto',
    timeUs,
    decimalText(price, 8),
    decimalText(quantity, 8),
    quoteAsset,
    side,
    conditions.join('+'),
    trade.sequence ?? 'null',
    trade.receiveTimeUs,
    BigInt(trade.frame) * 131_072n + BigInt(trade.index),
    span === undefined ? '' : `first_trade_id=${span[0]}+last_trade_id=${span[1]}`,
    dateOf(timeUs),
    Math.floor(timeUs / 3_600_000_000) % 24,
  ].join('|');
}

/** The 8 columns of schemas/dead-letter.ts. */
export function deadLetterLine(letter: OracleDeadLetter): string {
  const { raw, index, reason, receiveTimeUs, exchange, frame } = letter;
  const type = REASONS.find(({ name }) => name === reason)?.type;
  const date = dateOf(receiveTimeUs);
  const hex = raw.toString('hex').toUpperCase();
  return [exchange, frame, index, reason, type, receiveTimeUs, date, hex].join('|');
}

export function gapLine(exchange: string, gap: OracleGap): string {
  const { symbol, fromId, toId, afterUs, beforeUs } = gap;
  return [exchange, symbol, fromId, toId, toId - fromId + 1, afterUs, beforeUs].join('|');
}

/** The 18 columns of schemas/candle.ts. */
export function candleLine(candle: OracleCandle): string {
  const { instrument, timeframe, startUs, endUs, open, close, high, low, volume } = candle;
  return [
    instrument.symbol,
    instrument.exchange,
    startUs,
    endUs,
    dateOf(startUs),
    decimalText(open.price, 8),
    decimalText(high, 8),
    decimalText(low, 8),
    decimalText(close.price, 8),
    decimalText(volume, 8),
    candle.count,
    decimalText(vwap(candle), 8),
    decimalText(candle.quoteVolume, 16),
    candle.firstId,
    candle.lastId,
    1 + candle.late[timeframe]!,
    candle.isFinal,
    candle.isComplete,
  ].join('|');
}

/** The fields of a candle record (176 bytes, layout in src/candles/record.ts). */
export function recordLine(candle: OracleCandle): string {
  const { instrument, timeframe, startUs, open, close, isFinal, isComplete } = candle;
  return [
    `${instrument.exchange} ${instrument.symbol}`,
    timeframe,
    (isFinal ? 1 : 0) + (isComplete ? 2 : 0),
    startUs,
    [open.price, open.timeUs, open.id],
    candle.high,
    candle.low,
    [close.price, close.timeUs, close.id],
    [candle.firstId, candle.lastId, candle.count],
    candle.volume,
    candle.quoteVolume,
    candle.late,
    'rest zero',
  ].join('|');
}
