/**
 * Frames that are wrong in exactly one way. Each is made from a valid frame of a true trade, by
 * editing its text, so key order and spelling stay the exchange's own.
 */
import type { ReasonName } from '#schemas/dead-letter';
import { assert } from '#src/base/errors';
import { Random } from '#src/base/random';
import type { Garbage } from '#src/simulator/faults';
import {
  type Feed,
  FIELD_KEYS,
  type FieldKeys,
  type FrameFormat,
} from '#src/simulator/frame-format';
import { TextWriter } from '#src/simulator/text-writer';

export const OPCODE_TEXT = 1;
export const OPCODE_BINARY = 2;

export interface FaultyFrame {
  readonly bytes: Buffer;
  readonly opcode: number;
  readonly reason: ReasonName;
  /** Index of the bad record in the frame, -1 for the frame as a whole. */
  readonly recordIndex: number;
  /** Whether the frame also carries the true trade, at index 0. */
  readonly carriesTrade: boolean;
}

/** 2015: too old for any age limit of a live trade, yet 13 digits in milliseconds. */
const OLD_MS = 1_420_070_400_000;
const HOUR_US = 3_600_000_000;

/** The frame of one true unit, as text. */
export function frameText(format: FrameFormat, instrument: number, unit: number): string {
  const writer = new TextWriter(new Uint8Array(format.bytesMax(1)));
  format.frame(writer, instrument, unit, 1);
  return Buffer.from(writer.bytes.subarray(0, writer.at)).toString();
}

function recordText(format: FrameFormat, instrument: number, unit: number): string {
  const writer = new TextWriter(new Uint8Array(format.bytesMax(1)));
  format.record(writer, instrument, unit);
  return Buffer.from(writer.bytes.subarray(0, writer.at)).toString();
}

export function invalidFrame(
  feed: Feed,
  format: FrameFormat,
  instrument: number,
  unit: number,
  timeUs: number,
  reason: ReasonName,
): FaultyFrame {
  const text = (value: string, recordIndex: number): FaultyFrame => ({
    bytes: Buffer.from(value),
    opcode: OPCODE_TEXT,
    reason,
    recordIndex,
    carriesTrade: recordIndex > 0,
  });
  if (reason === 'malformed_frame') {
    return text(frameText(format, instrument, unit).slice(0, -2), -1);
  }
  if (reason === 'unrecognised_frame') return text('{"hello":"world","answer":42}', -1);
  const good = recordText(format, instrument, unit);
  if (reason === 'wrong_stream_kind') {
    const frame = format.envelope([otherKind(feed, good)], instrument);
    const from = feed === 'binance-trade' ? '@trade"' : '@aggTrade"';
    const to = feed === 'binance-trade' ? '@aggTrade"' : '@trade"';
    return text(frame.replace(from, to), -1);
  }
  const bad = brokenRecord(feed, good, reason, timeUs);
  // Where a message holds many records, a good one goes first: it must survive its neighbour.
  const many = feed === 'kraken' || feed === 'coinbase-advanced';
  return many
    ? text(format.envelope([good, bad], instrument), 1)
    : text(format.envelope([bad], instrument), 0);
}

/** A `trade` event as an `aggTrade` one, and the reverse. */
function otherKind(feed: Feed, record: string): string {
  assert(feed.startsWith('binance'), `${feed} has one kind of trade message only`);
  if (feed === 'binance-trade') {
    return record
      .replace('"e":"trade"', '"e":"aggTrade"')
      .replace(/"t":(\d+),(.*),"T":/, '"a":$1,$2,"f":$1,"l":$1,"T":');
  }
  return record
    .replace('"e":"aggTrade"', '"e":"trade"')
    .replace('"a":', '"t":')
    .replace(/,"f":\d+,"l":\d+/, '');
}

function brokenRecord(feed: Feed, record: string, reason: ReasonName, timeUs: number): string {
  const keys = FIELD_KEYS[feed];
  const edit = (field: keyof FieldKeys, change: (raw: string) => string | undefined): string =>
    editField(record, keys[field], change);
  /** Prices are JSON numbers on Kraken and strings everywhere else. */
  const decimal = (value: string): string => (feed === 'kraken' ? value : `"${value}"`);
  const absent = (): undefined => undefined;
  switch (reason) {
    case 'malformed_trade':
      if (feed === 'kraken' || feed === 'coinbase-advanced') return '17';
      return editField(record, keys.price, (raw) => `${raw},"${keys.price}":${raw}`);
    case 'symbol_missing':
      return edit('symbol', absent);
    case 'unknown_symbol':
      return edit('symbol', () => '"NOSUCH-PAIR"');
    case 'trade_id_missing':
      return edit('id', absent);
    case 'trade_id_invalid':
      return edit('id', (raw) => (raw.startsWith('"') ? '"12x"' : '-7'));
    case 'timestamp_missing':
      return edit('time', absent);
    case 'timestamp_invalid':
      return edit('time', () => '"yesterday"');
    case 'timestamp_future':
      return edit('time', (raw) => movedTime(raw, (timeUs + HOUR_US) / 1000));
    case 'timestamp_too_old':
      return edit('time', (raw) => movedTime(raw, OLD_MS));
    case 'side_missing':
      return edit('side', absent);
    case 'side_invalid':
      return edit('side', () => '"hold"');
    case 'price_missing':
      return edit('price', () => 'null');
    case 'price_invalid':
      return edit('price', () => '"cheap"');
    case 'price_precision':
      return edit('price', () => decimal('0.123456789'));
    case 'price_range':
      return edit('price', () => decimal('10000000000.5'));
    case 'price_not_positive':
      return edit('price', () => decimal('0.00000000'));
    case 'quantity_missing':
      return edit('quantity', absent);
    case 'quantity_invalid':
      return edit('quantity', () => '"much"');
    case 'quantity_precision':
      return edit('quantity', () => decimal('1.000000001'));
    case 'quantity_range':
      return edit('quantity', () => decimal('98765432109'));
    case 'quantity_not_positive':
      return edit('quantity', () => decimal('-1.5'));
    default:
      throw new Error(`no record can be broken by ${reason}`);
  }
}

/** Replaces the raw value of a key, or takes key and value out. */
function editField(
  record: string,
  key: string,
  change: (raw: string) => string | undefined,
): string {
  const field = new RegExp(`"${key}":("[^"]*"|[^,}]+)(,?)`);
  const found = field.exec(record);
  assert(found !== null, `no key ${key} in ${record}`);
  const value = change(found[1] as string);
  if (value !== undefined) return record.replace(field, () => `"${key}":${value}${found[2]}`);
  return record.replace(field, '').replace(/,\}$/, '}');
}

/** The time in the spelling of `raw`: text, milliseconds or microseconds. */
function movedTime(raw: string, timeMs: number): string {
  const whole = Math.floor(timeMs);
  if (raw.startsWith('"')) return `"${new Date(whole).toISOString().slice(0, -1)}000Z"`;
  return raw.length > 13 ? String(whole * 1000) : String(whole);
}

/** Bytes that are no message; always the dead letter `malformed_frame`. */
export function garbageFrame(kind: Garbage, validText: () => string, draw: number): FaultyFrame {
  const frame = (bytes: Buffer, opcode = OPCODE_TEXT): FaultyFrame => ({
    bytes,
    opcode,
    reason: 'malformed_frame',
    recordIndex: -1,
    carriesTrade: false,
  });
  switch (kind) {
    case 'truncated': {
      const valid = validText();
      return frame(Buffer.from(valid.slice(0, 1 + (draw % (valid.length - 2)))));
    }
    case 'text':
      return frame(Buffer.from('upstream connect error or disconnect/reset before headers'));
    case 'empty':
      return frame(Buffer.alloc(0));
    case 'binary': {
      const random = new Random(draw);
      const bytes = Buffer.from(Array.from({ length: 64 }, () => random.below(256)));
      bytes[0] = 0; // no JSON value starts with a zero byte
      return frame(bytes, OPCODE_BINARY);
    }
    case 'utf8': {
      const bytes = Buffer.from(validText());
      bytes[bytes.length - 3] = 0xff;
      return frame(bytes);
    }
  }
}

/** Valid JSON of more than the 4 MiB a receiver takes. */
export function oversizeFrame(): Buffer {
  return Buffer.from(`{"type":"error","message":"${'x'.repeat(4 * 1024 * 1024)}"}`);
}

/** Errors and notices seen on the wire: none is a trade, none is a dead letter. */
export const CONTROL_FRAMES: Readonly<Record<Feed, readonly string[]>> = {
  'binance-trade': [
    '{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":2}',
    '{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}',
    '{"result":null,"id":1}',
  ],
  'binance-aggtrade': ['{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":2}'],
  kraken: [
    'CloudFlare WebSocket proxy restarting',
    '{"error":"Unsupported event","method":"subscribe","req_id":0,"success":false,' +
      '"time_in":"2026-07-07T23:00:03.515033Z","time_out":"2026-07-07T23:00:03.515064Z"}',
    '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"maintenance",' +
      '"api_version":"v2","connection_id":4421894013101914413}]}',
  ],
  coinbase: [
    '{"message":"Failed to subscribe","reason":"No channels provided","type":"error"}',
    '{"type":"error","message":"Failed to subscribe","reason":"YFI-USD is delisted"}',
  ],
  'coinbase-advanced': ['{"type":"error","message":"channel is not available"}'],
};
