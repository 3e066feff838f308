/** Coinbase Exchange `match` and `last_match` messages; `side` is the maker's. */
import { mix32 } from '#src/base/random';
import type { FrameFormat } from '#src/simulator/frame-format';
import { SELL, type Tape } from '#src/simulator/tape';
import { piece, type TextWriter } from '#src/simulator/text-writer';

const MAKER_ORDER = piece(',"maker_order_id":"');
const TAKER_ORDER = piece('","taker_order_id":"');
/** The taker sold, so the maker bought; and the reverse. */
const MAKER_BUY = piece('","side":"buy","size":"');
const MAKER_SELL = piece('","side":"sell","size":"');
const PRICE = piece('","price":"');
const TIME = piece(',"time":"');
const END = piece('"}');

/**
 * The product's book sequence at a trade: it counts all events of the book, so it jumps between
 * matches. A function of the row: the same trade always has the same one.
 */
export function bookSequence(instrument: number, row: number): number {
  return 132_235_025_345 + 40 * row + (mix32(row, instrument) % 40);
}

export class CoinbaseFrames implements FrameFormat {
  readonly #tapes: readonly Tape[];
  readonly #open: Uint8Array;
  readonly #product: readonly Uint8Array[];

  constructor(tapes: readonly Tape[], type: 'match' | 'last_match') {
    this.#tapes = tapes;
    this.#open = piece(`{"type":"${type}","trade_id":`);
    this.#product = tapes.map((tape) =>
      piece(`","product_id":"${tape.instrument.nativeSymbol}","sequence":`),
    );
  }

  bytesMax(count: number): number {
    return 512 * count;
  }

  frame(writer: TextWriter, instrument: number, first: number, _count: number): void {
    this.record(writer, instrument, first);
  }

  record(writer: TextWriter, instrument: number, row: number): void {
    const tape = this.#tapes[instrument] as Tape;
    const { priceDecimals, quantityDecimals } = tape.instrument;
    writer.piece(this.#open);
    writer.integer(tape.id(row));
    writer.piece(MAKER_ORDER);
    uuid(writer, instrument, 2 * row + 1);
    writer.piece(TAKER_ORDER);
    uuid(writer, instrument, 2 * tape.orderRow.get(row));
    writer.piece(tape.side(row) === SELL ? MAKER_BUY : MAKER_SELL);
    // Recordings leave trailing zeros out of most sizes, and keep all eight decimals in a few.
    const lots = tape.quantity.get(row);
    if ((mix32(row, 8) & 7) === 0) writer.decimal(lots, quantityDecimals, 8);
    else writer.shortDecimal(lots, quantityDecimals);
    writer.piece(PRICE);
    writer.shortDecimal(tape.price.get(row), priceDecimals);
    writer.piece(this.#product[instrument] as Uint8Array);
    writer.integer(bookSequence(instrument, row));
    writer.piece(TIME);
    writer.time(tape.time.get(row));
    writer.piece(END);
  }

  envelope(records: readonly string[], _instrument: number): string {
    return records[0] as string;
  }
}

const DASH = 45;

/** A version 4 UUID that follows from the instrument and an order number. */
function uuid(writer: TextWriter, instrument: number, order: number): void {
  const a = mix32(order, instrument);
  const b = mix32(a, order);
  const c = mix32(b, 0x5bd1e995);
  writer.hex32(a);
  writer.bytes[writer.at++] = DASH;
  writer.hex16(b >>> 16);
  writer.bytes[writer.at++] = DASH;
  writer.hex16(0x4000 | (b & 0xfff));
  writer.bytes[writer.at++] = DASH;
  writer.hex16(0x8000 | (c & 0x3fff));
  writer.bytes[writer.at++] = DASH;
  writer.hex32(mix32(c, a));
  writer.hex16(c >>> 16);
}
