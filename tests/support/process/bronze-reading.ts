/**
 * Bronze read by other means: the bytes of the segments by offsets of their own, the frames with
 * JSON.parse. Slow, obvious, and nothing shared with the code under test.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Exchange } from '#schemas/exchange';

const SEGMENT_HEADER = 64;
const BLOCK_HEADER = 40;
const FRAME_HEADER = 12;
const BLOCK_MAGIC = 'BBLK';

export interface BronzeFrame {
  readonly sequence: number;
  readonly receiveUs: number;
  readonly kind: number;
  readonly bytes: Buffer;
}

export interface SegmentBytes {
  readonly name: string;
  /** The whole blocks: what a torn tail is cut off from. */
  readonly bytes: Buffer;
  readonly frames: readonly BronzeFrame[];
}

/** Every segment of one log, up to its last whole block. */
export function readSegments(dir: string): SegmentBytes[] {
  const names = readdirSync(dir).filter((name) => name.endsWith('.log'));
  return names.sort().map((name) => readSegment(name, readFileSync(join(dir, name))));
}

function readSegment(name: string, file: Buffer): SegmentBytes {
  const frames: BronzeFrame[] = [];
  let at = SEGMENT_HEADER;
  while (at + BLOCK_HEADER <= file.length) {
    if (file.toString('latin1', at, at + 4) !== BLOCK_MAGIC) break;
    const end = at + BLOCK_HEADER + file.readUInt32LE(at + 8);
    if (end > file.length || crc32(file.subarray(at + 8, end)) !== file.readUInt32LE(at + 4)) break;
    let sequence = Number(file.readBigUInt64LE(at + 16));
    const timeUs = Number(file.readBigUInt64LE(at + 24));
    let frame = at + BLOCK_HEADER;
    for (let i = 0; i < file.readUInt32LE(at + 12); i++) {
      const from = frame + FRAME_HEADER;
      const to = from + file.readUInt32LE(frame);
      frames.push({
        sequence: sequence++,
        receiveUs: timeUs + file.readUInt32LE(frame + 4),
        kind: file.readUInt8(frame + 10),
        bytes: file.subarray(from, to),
      });
      frame = to;
    }
    at = end;
  }
  return { name, bytes: file.subarray(0, at), frames };
}

/** A trade as a frame tells it; whether it is a valid one is for the journal to say. */
export interface ToldTrade {
  readonly nativeSymbol: string;
  readonly id: number;
  readonly price: number;
  readonly quantity: number;
  readonly timeUs: number;
  /** The aggressor's. */
  readonly side: 'BUY' | 'SELL' | undefined;
  /** Its place in the log, as `platform_sequence` counts. */
  readonly place: bigint;
}

const PLACES_PER_FRAME = 131_072n;

type Json = Record<string, unknown>;
type Told = Omit<ToldTrade, 'place'>;

/** The trades of a frame, in order; records without a number for an id are left out. */
export function tradesOf(exchange: Exchange, { bytes, kind, sequence }: BronzeFrame): ToldTrade[] {
  const text = bytes.toString('utf8');
  const cut = kind === 1 ? text.indexOf('\n') : -1;
  let body: unknown;
  try {
    body = JSON.parse(kind === 1 ? quotedTimes(text.slice(cut + 1)) : text);
  } catch {
    return []; // garbage and the ends of cut frames
  }
  if (typeof body !== 'object' || body === null) return [];
  const told = kind === 1 ? page(exchange, text.slice(0, cut), body) : message(exchange, body);
  return told.flatMap((trade, index) =>
    trade !== undefined && Number.isSafeInteger(trade.id)
      ? [{ ...trade, place: BigInt(sequence) * PLACES_PER_FRAME + BigInt(index) }]
      : [],
  );
}

function message(exchange: Exchange, body: object): (Told | undefined)[] {
  const outer = body as Json;
  if (exchange === 'BINANCE') {
    const event = (outer.data ?? outer) as Json;
    if (event.e !== 'trade') return [];
    return [
      told(event.s, event.t, event.p, event.q, Number(event.T), sideOf(event.m, true, false)),
    ];
  }
  if (exchange === 'COINBASE') {
    if (outer.type !== 'match' && outer.type !== 'last_match') return [];
    return [coinbaseTrade(outer.product_id, outer)];
  }
  if (outer.channel !== 'trade' || !Array.isArray(outer.data)) return [];
  return outer.data.map((record: unknown) => {
    if (typeof record !== 'object' || record === null) return undefined;
    const { symbol, trade_id, price, qty, timestamp, side } = record as Json;
    return told(symbol, trade_id, price, qty, isoUs(timestamp), sideOf(side, 'sell', 'buy'));
  });
}

function page(exchange: Exchange, symbol: string, body: object): (Told | undefined)[] {
  if (exchange === 'BINANCE') {
    return (body as Json[]).map((row) =>
      told(
        symbol,
        row.id,
        row.price,
        row.qty,
        Number(row.time),
        sideOf(row.isBuyerMaker, true, false),
      ),
    );
  }
  if (exchange === 'COINBASE') return (body as Json[]).map((row) => coinbaseTrade(symbol, row));
  const result = (body as { result: Json }).result;
  const key = Object.keys(result).find((name) => name !== 'last') as string;
  return (result[key] as unknown[][]).map((row) =>
    told(symbol, row[6], row[0], row[1], secondsUs(String(row[2])), sideOf(row[3], 's', 'b')),
  );
}

/** Coinbase tells the maker's side. */
function coinbaseTrade(symbol: unknown, record: Json): Told {
  const { trade_id, price, size, time, side } = record;
  return told(symbol, trade_id, price, size, isoUs(time), sideOf(side, 'buy', 'sell'));
}

function told(
  symbol: unknown,
  id: unknown,
  price: unknown,
  quantity: unknown,
  timeUs: number,
  side: ToldTrade['side'],
): Told {
  return {
    nativeSymbol: String(symbol),
    id: typeof id === 'number' ? id : Number.NaN,
    price: price === null ? Number.NaN : Number(price),
    quantity: quantity === null ? Number.NaN : Number(quantity),
    timeUs,
    side,
  };
}

/** SELL for one spelling, BUY for the other, and nothing for any third. */
function sideOf(told: unknown, sell: unknown, buy: unknown): ToldTrade['side'] {
  return told === sell ? 'SELL' : told === buy ? 'BUY' : undefined;
}

/** Kraken's REST times are numbers with more digits than a double holds: kept as texts. */
function quotedTimes(page: string): string {
  return page.replace(/",(\d{9,}(?:\.\d+)?),"/g, '","$1","');
}

function secondsUs(text: string): number {
  const [second = '', fraction = ''] = text.split('.');
  return Number(second) * 1e6 + Number(fraction.padEnd(6, '0').slice(0, 6));
}

function isoUs(text: unknown): number {
  const [, second = '', fraction = ''] = /^(.*?)(?:\.(\d+))?Z$/.exec(String(text)) ?? [];
  return Date.parse(`${second}Z`) * 1000 + Number(fraction.padEnd(6, '0').slice(0, 6));
}
