/**
 * What a parser says of one frame: what it is, and its trades as columns.
 *
 * A parser owns one ParsedTrades, overwrites it for every frame and allocates nothing per trade.
 * Row i is the trade at index i of the frame, in the frame's own order.
 */
export const FRAME_TRADES = 0;
/** Acknowledgements, heartbeats, errors, other channels: counted, nothing else. */
export const FRAME_CONTROL = 1;
/** Not a message this exchange sends: a dead letter as a whole; `frameReason` says why. */
export const FRAME_DEAD = 2;
export type FrameClass = typeof FRAME_TRADES | typeof FRAME_CONTROL | typeof FRAME_DEAD;

/** `reason` of a row that is a trade. */
export const NO_REASON = -1;

export class ParsedTrades {
  /** Trades in the frame, good and bad. */
  count = 0;
  /** Reason code when the class is FRAME_DEAD. */
  frameReason: number = NO_REASON;

  /** NO_REASON, or the code of the first reason in list order (schemas/dead-letter.ts). */
  reason: Int32Array;
  /** Dictionary code of the instrument. */
  instrument: Int32Array;
  tradeId: Float64Array;
  timeUs: Float64Array;
  /** Price x 10^8 as int64 pairs (base/int64.ts). */
  price: Int32Array;
  /** Quantity x 10^8 as int64 pairs. */
  quantity: Int32Array;
  /** Aggressor: 0 BUY, 1 SELL. */
  side: Uint8Array;
  /** Bits of TRADE_CONDITIONS. */
  condition: Uint8Array;
  /** The exchange's own sequence, or -1. */
  sourceSequence: Float64Array;
  firstId: Float64Array;
  lastId: Float64Array;

  constructor(capacity = 1024) {
    this.reason = new Int32Array(capacity);
    this.instrument = new Int32Array(capacity);
    this.tradeId = new Float64Array(capacity);
    this.timeUs = new Float64Array(capacity);
    this.price = new Int32Array(2 * capacity);
    this.quantity = new Int32Array(2 * capacity);
    this.side = new Uint8Array(capacity);
    this.condition = new Uint8Array(capacity);
    this.sourceSequence = new Float64Array(capacity);
    this.firstId = new Float64Array(capacity);
    this.lastId = new Float64Array(capacity);
  }

  /** Makes room for at least one row more; called by a parser when a frame outgrows the columns. */
  grow(): void {
    const wider = new ParsedTrades(2 * this.reason.length);
    wider.reason.set(this.reason);
    wider.instrument.set(this.instrument);
    wider.tradeId.set(this.tradeId);
    wider.timeUs.set(this.timeUs);
    wider.price.set(this.price);
    wider.quantity.set(this.quantity);
    wider.side.set(this.side);
    wider.condition.set(this.condition);
    wider.sourceSequence.set(this.sourceSequence);
    wider.firstId.set(this.firstId);
    wider.lastId.set(this.lastId);
    const { count, frameReason } = this;
    Object.assign(this, wider, { count, frameReason });
  }
}
