/**
 * Coinbase Advanced Trade `market_trades` messages: what traded in one product within 250 ms,
 * newest first, in an envelope with a sequence number per connection.
 */
import { timeText } from '#src/simulator/decimal-text';
import type { FrameFormat } from '#src/simulator/frame-format';
import { SELL, type Tape } from '#src/simulator/tape';
import { piece, type TextWriter } from '#src/simulator/text-writer';

const ID = piece('{"trade_id":"');
const PRODUCT = piece('","product_id":"');
const PRICE = piece('","price":"');
const SIZE = piece('","size":"');
/** The documents define `side` as the maker's. */
const MAKER_BUY = piece('","side":"BUY","time":"');
const MAKER_SELL = piece('","side":"SELL","time":"');
const END = piece('"}');
const COMMA = piece(',');
const OPEN = piece('{"channel":"market_trades","client_id":"","timestamp":"');
const SEQUENCE = piece('","sequence_num":');
const UPDATE = piece(',"events":[{"type":"update","trades":[');
const SNAPSHOT = piece(',"events":[{"type":"snapshot","trades":[');
const CLOSE = piece(']}]}');

/** The next message number of a connection; every message of any channel takes one. */
export interface SequenceSource {
  next(): number;
}

export class AdvancedFrames implements FrameFormat {
  readonly #tapes: readonly Tape[];
  readonly #product: readonly Uint8Array[];
  readonly #snapshot: boolean;
  readonly #sequence: SequenceSource;

  constructor(tapes: readonly Tape[], type: 'update' | 'snapshot', sequence: SequenceSource) {
    this.#tapes = tapes;
    this.#product = tapes.map((tape) => piece(tape.instrument.nativeSymbol));
    this.#snapshot = type === 'snapshot';
    this.#sequence = sequence;
  }

  bytesMax(count: number): number {
    return 256 + 256 * count;
  }

  frame(writer: TextWriter, instrument: number, first: number, count: number): void {
    const tape = this.#tapes[instrument] as Tape;
    let written = 0;
    writer.piece(OPEN);
    writer.time(tape.time.get(first + count - 1) + 1500); // published 1.5 ms after the newest
    writer.piece(SEQUENCE);
    writer.integer(this.#sequence.next());
    writer.piece(this.#snapshot ? SNAPSHOT : UPDATE);
    for (let row = first + count - 1; row >= first; row--) {
      if (tape.lost(row)) continue;
      if (written++ > 0) writer.piece(COMMA);
      this.record(writer, instrument, row);
    }
    writer.piece(CLOSE);
  }

  record(writer: TextWriter, instrument: number, row: number): void {
    const tape = this.#tapes[instrument] as Tape;
    const { priceDecimals, quantityDecimals } = tape.instrument;
    writer.piece(ID);
    writer.integer(tape.id(row));
    writer.piece(PRODUCT);
    writer.piece(this.#product[instrument] as Uint8Array);
    writer.piece(PRICE);
    writer.shortDecimal(tape.price.get(row), priceDecimals);
    writer.piece(SIZE);
    writer.shortDecimal(tape.quantity.get(row), quantityDecimals);
    writer.piece(tape.side(row) === SELL ? MAKER_BUY : MAKER_SELL);
    writer.time(tape.time.get(row));
    writer.piece(END);
  }

  envelope(records: readonly string[], instrument: number): string {
    const tape = this.#tapes[instrument] as Tape;
    const time = timeText(tape.time.get(tape.rows - 1) + 1500);
    const head = `{"channel":"market_trades","client_id":"","timestamp":"${time}"`;
    const type = this.#snapshot ? 'snapshot' : 'update';
    const events = `"events":[{"type":"${type}","trades":[${records.join(',')}]}]`;
    return `${head},"sequence_num":${this.#sequence.next()},${events}}`;
  }
}
