/**
 * Kraken WebSocket v2 `trade` messages: all fills of a taker order in one, prices as JSON numbers.
 */
import type { FrameFormat } from '#src/simulator/frame-format';
import { SELL, type Tape } from '#src/simulator/tape';
import { piece, type TextWriter } from '#src/simulator/text-writer';

const OPEN = {
  update: '{"channel":"trade","type":"update","data":[',
  snapshot: '{"channel":"trade","type":"snapshot","data":[',
} as const;
const COMMA = piece(',');
const CLOSE = piece(']}');
const BUY_PRICE = piece('","side":"buy","price":');
const SELL_PRICE = piece('","side":"sell","price":');
const QUANTITY = piece(',"qty":');
const LIMIT_ORDER = piece(',"ord_type":"limit","trade_id":');
const MARKET_ORDER = piece(',"ord_type":"market","trade_id":');
const TIME = piece(',"timestamp":"');
const END = piece('"}');
/** Kraken shows every quantity with eight decimals and a price with those of its pair. */
const QUANTITY_DECIMALS = 8;

export class KrakenFrames implements FrameFormat {
  readonly #tapes: readonly Tape[];
  readonly #symbol: readonly Uint8Array[];
  readonly #type: keyof typeof OPEN;
  readonly #open: Uint8Array;

  constructor(tapes: readonly Tape[], type: keyof typeof OPEN) {
    this.#tapes = tapes;
    this.#type = type;
    this.#open = piece(OPEN[type]);
    this.#symbol = tapes.map((tape) => piece(`{"symbol":"${tape.instrument.nativeSymbol}`));
  }

  bytesMax(count: number): number {
    return 64 + 256 * count;
  }

  frame(writer: TextWriter, instrument: number, first: number, count: number): void {
    const tape = this.#tapes[instrument] as Tape;
    let written = 0;
    writer.piece(this.#open);
    for (let row = first; row < first + count; row++) {
      if (tape.lost(row)) continue;
      if (written++ > 0) writer.piece(COMMA);
      this.record(writer, instrument, row);
    }
    writer.piece(CLOSE);
  }

  record(writer: TextWriter, instrument: number, row: number): void {
    const tape = this.#tapes[instrument] as Tape;
    const { priceDecimals, quantityDecimals } = tape.instrument;
    writer.piece(this.#symbol[instrument] as Uint8Array);
    writer.piece(tape.side(row) === SELL ? SELL_PRICE : BUY_PRICE);
    writer.decimal(tape.price.get(row), priceDecimals, priceDecimals);
    writer.piece(QUANTITY);
    writer.decimal(tape.quantity.get(row), quantityDecimals, QUANTITY_DECIMALS);
    writer.piece(tape.marketOrder(row) ? MARKET_ORDER : LIMIT_ORDER);
    writer.integer(tape.id(row));
    writer.piece(TIME);
    writer.time(tape.time.get(row));
    writer.piece(END);
  }

  envelope(records: readonly string[], _instrument: number): string {
    return `${OPEN[this.#type]}${records.join(',')}]}`;
  }
}
