/** Binance `trade` and `aggTrade` events, raw or combined, in milliseconds or microseconds. */
import { mix32 } from '#src/base/random';
import type { FrameFormat } from '#src/simulator/frame-format';
import { SELL, type Tape } from '#src/simulator/tape';
import { piece, type TextWriter } from '#src/simulator/text-writer';

export interface BinanceFormat {
  readonly aggregate: boolean;
  /** Wrapped as `{"stream":...,"data":...}`. */
  readonly combined: boolean;
  /** 1000 for milliseconds, 1 for microseconds. */
  readonly timeUnitUs: 1 | 1000;
}

const QUANTITY = piece('","q":"');
const FIRST = piece('","f":');
const LAST = piece(',"l":');
const TRADE_TIME = piece('","T":');
const AGGREGATE_TIME = piece(',"T":');
const MAKER = piece(',"m":true,"M":true}');
const TAKER = piece(',"m":false,"M":true}');
const CLOSE = piece('}');
const NOTHING = piece('');
const PRICE = piece(',"p":"');
/** Binance pads every price and quantity to eight decimals. */
const DECIMALS = 8;

export function streamName(nativeSymbol: string, aggregate: boolean): string {
  return `${nativeSymbol.toLowerCase()}@${aggregate ? 'aggTrade' : 'trade'}`;
}

export class BinanceFrames implements FrameFormat {
  readonly #tapes: readonly Tape[];
  readonly #format: BinanceFormat;
  readonly #open: readonly Uint8Array[];
  readonly #symbol: readonly Uint8Array[];
  readonly #event: Uint8Array;
  readonly #close: Uint8Array;

  constructor(tapes: readonly Tape[], format: BinanceFormat) {
    const { aggregate, combined } = format;
    this.#tapes = tapes;
    this.#format = format;
    this.#open = tapes.map((tape) => piece(this.#opening(tape)));
    this.#close = combined ? CLOSE : NOTHING;
    this.#event = piece(`{"e":"${aggregate ? 'aggTrade' : 'trade'}","E":`);
    const id = aggregate ? 'a' : 't';
    this.#symbol = tapes.map(({ instrument }) =>
      piece(`,"s":"${instrument.nativeSymbol}","${id}":`),
    );
  }

  #opening(tape: Tape): string {
    const { aggregate, combined } = this.#format;
    const stream = streamName(tape.instrument.nativeSymbol, aggregate);
    return combined ? `{"stream":"${stream}","data":` : '';
  }

  bytesMax(count: number): number {
    return 512 * count;
  }

  frame(writer: TextWriter, instrument: number, first: number, _count: number): void {
    writer.piece(this.#open[instrument] as Uint8Array);
    this.record(writer, instrument, first);
    writer.piece(this.#close);
  }

  record(writer: TextWriter, instrument: number, unit: number): void {
    const tape = this.#tapes[instrument] as Tape;
    const { aggregate, timeUnitUs } = this.#format;
    const { priceDecimals, quantityDecimals } = tape.instrument;
    const row = aggregate ? tape.aggregateRow(unit) : unit;
    const end = aggregate ? tape.aggregateRow(unit + 1) : unit + 1;
    let lots = 0;
    for (let fill = row; fill < end; fill++) lots += tape.quantity.get(fill);
    const timeUs = tape.time.get(row);
    // Published at once or a moment later, as in recordings.
    const delay = mix32(row, instrument);
    const sentUs = timeUs + ((delay & 3) === 0 ? 1000 : 0) + (timeUnitUs === 1 ? delay % 900 : 0);
    writer.piece(this.#event);
    writer.integer(Math.floor(sentUs / timeUnitUs));
    writer.piece(this.#symbol[instrument] as Uint8Array);
    writer.integer(tape.instrument.startId + unit);
    writer.piece(PRICE);
    writer.decimal(tape.price.get(row), priceDecimals, DECIMALS);
    writer.piece(QUANTITY);
    writer.decimal(lots, quantityDecimals, DECIMALS);
    if (aggregate) {
      writer.piece(FIRST);
      writer.integer(tape.id(row));
      writer.piece(LAST);
      writer.integer(tape.id(end - 1));
      writer.piece(AGGREGATE_TIME);
    } else writer.piece(TRADE_TIME);
    writer.integer(Math.floor(timeUs / timeUnitUs));
    writer.piece(tape.side(row) === SELL ? MAKER : TAKER);
  }

  envelope(records: readonly string[], instrument: number): string {
    const { combined } = this.#format;
    return `${this.#opening(this.#tapes[instrument] as Tape)}${records[0]}${combined ? '}' : ''}`;
  }
}
