/** Trades as a model, the frames exchanges would send of them, and the rows a parser must make. */
import fc from 'fast-check';
import type { Exchange } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { formatScaled } from '#src/base/decimal';
import { INSTRUMENTS } from '#tests/support/instruments';

export interface TradeModel {
  readonly instrument: Instrument;
  readonly id: number;
  readonly timeUs: number;
  /** Scaled by 10^8. */
  readonly price: bigint;
  readonly quantity: bigint;
  /** 0 BUY, 1 SELL. */
  readonly side: number;
  readonly sequence: number;
  /** Ids in a Binance aggregate, beyond the first. */
  readonly span: number;
  readonly market: boolean;
}

export function instrumentsOf(exchange: Exchange): Instrument[] {
  return INSTRUMENTS.filter((each) => each.exchange === exchange);
}

const id = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, Number.MAX_SAFE_INTEGER));
const scaled = fc.oneof(
  { arbitrary: fc.bigInt({ min: 1n, max: 10n ** 13n }), weight: 3 },
  fc.bigInt({ min: 1n, max: 10n ** 18n - 1n }),
  fc.constantFrom(1n, 10n ** 8n, 10n ** 18n - 1n),
);

/** A trade between 2010 and 2100, in whole milliseconds when `stepUs` says so. */
export function tradeOf(exchange: Exchange, stepUs: number): fc.Arbitrary<TradeModel> {
  return fc.record({
    instrument: fc.constantFrom(...instrumentsOf(exchange)),
    id,
    timeUs: fc
      .integer({ min: 1.2623e15 / stepUs, max: 4.1e15 / stepUs })
      .map((steps) => steps * stepUs),
    price: scaled,
    quantity: scaled,
    side: fc.nat(1),
    sequence: id,
    span: fc.nat(9),
    market: fc.boolean(),
  });
}

/** With all 8 decimals, as Binance and Coinbase often write them. */
export function fixed(value: bigint): string {
  return formatScaled(value, 8);
}

/** With the zeros cut off, as Kraken writes numbers: at least one decimal. */
export function short(value: bigint): string {
  return formatScaled(value, 8).replace(/0{1,7}$/, '');
}

export function rfc3339(timeUs: number): string {
  const second = new Date(Math.floor(timeUs / 1e6) * 1000).toISOString().slice(0, 19);
  return `${second}.${String(timeUs % 1e6).padStart(6, '0')}Z`;
}

export function binanceEvent(trade: TradeModel, aggregate: boolean, microseconds: boolean): string {
  const time = microseconds ? trade.timeUs : trade.timeUs / 1000;
  const kind = aggregate ? 'aggTrade' : 'trade';
  const span = aggregate ? `"f":${firstId(trade)},"l":${lastId(trade)},` : '';
  return (
    `{"e":"${kind}","E":${time},"s":"${trade.instrument.nativeSymbol}",` +
    `"${aggregate ? 'a' : 't'}":${trade.id},"p":"${fixed(trade.price)}",` +
    `"q":"${fixed(trade.quantity)}",${span}"T":${time},"m":${trade.side === 1},"M":true}`
  );
}

export function firstId(trade: TradeModel): number {
  return Math.min(trade.sequence, Number.MAX_SAFE_INTEGER - trade.span);
}

export function lastId(trade: TradeModel): number {
  return firstId(trade) + trade.span;
}

export function combined(trade: TradeModel, event: string): string {
  return `{"stream":"${trade.instrument.nativeSymbol.toLowerCase()}@trade","data":${event}}`;
}

export function krakenMessage(trades: readonly TradeModel[], snapshot: boolean): string {
  const data = trades.map(
    (trade) =>
      `{"symbol":"${trade.instrument.nativeSymbol}","side":"${trade.side === 1 ? 'sell' : 'buy'}",` +
      `"price":${short(trade.price)},"qty":${short(trade.quantity)},` +
      `"ord_type":"${trade.market ? 'market' : 'limit'}","trade_id":${trade.id},` +
      `"timestamp":"${rfc3339(trade.timeUs)}"}`,
  );
  return `{"channel":"trade","type":"${snapshot ? 'snapshot' : 'update'}","data":[${data}]}`;
}

/** The maker's side is the other one. */
function makerSide(trade: TradeModel): string {
  return trade.side === 1 ? 'buy' : 'sell';
}

export function coinbaseMatch(trade: TradeModel, last: boolean): string {
  return (
    `{"type":"${last ? 'last_match' : 'match'}","trade_id":${trade.id},` +
    `"maker_order_id":"15bc13f2-e38c-4693-8c0b-e8c6152b9c1d",` +
    `"taker_order_id":"13d7d08f-7396-421b-9dba-94eac92f3d78","side":"${makerSide(trade)}",` +
    `"size":"${short(trade.quantity)}","price":"${short(trade.price)}",` +
    `"product_id":"${trade.instrument.nativeSymbol}","sequence":${trade.sequence},` +
    `"time":"${rfc3339(trade.timeUs)}"}`
  );
}

export function advancedMessage(
  events: readonly { readonly type: string; readonly trades: readonly TradeModel[] }[],
  sequence: number,
): string {
  const parts = events.map(({ type, trades }) => {
    const list = trades.map(
      (trade) =>
        `{"trade_id":"${trade.id}","product_id":"${trade.instrument.nativeSymbol}",` +
        `"price":"${short(trade.price)}","size":"${short(trade.quantity)}",` +
        `"side":"${makerSide(trade).toUpperCase()}","time":"${rfc3339(trade.timeUs).slice(0, -1)}789Z"}`,
    );
    return `{"type":"${type}","trades":[${list}]}`;
  });
  return (
    `{"channel":"market_trades","client_id":"","timestamp":"2023-02-09T20:19:35.39625135Z",` +
    `"sequence_num":${sequence},"events":[${parts}]}`
  );
}

export function binancePage(trades: readonly TradeModel[], aggregate: boolean): string {
  const rows = trades.map((trade) =>
    aggregate
      ? `{"a":${trade.id},"p":"${fixed(trade.price)}","q":"${fixed(trade.quantity)}",` +
        `"f":${firstId(trade)},"l":${lastId(trade)},"T":${trade.timeUs},` +
        `"m":${trade.side === 1},"M":true}`
      : `{"id":${trade.id},"price":"${fixed(trade.price)}","qty":"${fixed(trade.quantity)}",` +
        `"quoteQty":"1.0","time":${trade.timeUs},"isBuyerMaker":${trade.side === 1},` +
        `"isBestMatch":true}`,
  );
  return `[${rows}]`;
}

export function krakenPage(trades: readonly TradeModel[]): string {
  const rows = trades.map((trade) => {
    const time = `${Math.floor(trade.timeUs / 1e6)}.${String(trade.timeUs % 1e6).padStart(6, '0')}9`;
    return (
      `["${fixed(trade.price)}","${fixed(trade.quantity)}",${time},` +
      `"${trade.side === 1 ? 's' : 'b'}","${trade.market ? 'm' : 'l'}","",${trade.id}]`
    );
  });
  return `{"error":[],"result":{"XXBTZUSD":[${rows}],"last":"1688671969993150842"}}`;
}

export function coinbasePage(trades: readonly TradeModel[]): string {
  const rows = trades.map(
    (trade) =>
      `{"trade_id":${trade.id},"side":"${makerSide(trade)}","size":"${fixed(trade.quantity)}",` +
      `"price":"${fixed(trade.price)}","time":"${rfc3339(trade.timeUs)}"}`,
  );
  return `[${rows}]`;
}

/** A row of Binance's public dumps, spot layout, microseconds. */
export function csvRow(trade: TradeModel, aggregate: boolean): string {
  const flag = trade.side === 1 ? 'True' : 'False';
  const symbol = trade.instrument.nativeSymbol;
  const price = fixed(trade.price);
  const quantity = fixed(trade.quantity);
  return aggregate
    ? `${symbol} aggTrades 0,1,2,5,6,3,4\n` +
        `${trade.id},${price},${quantity},${firstId(trade)},${lastId(trade)},${trade.timeUs},${flag},True`
    : `${symbol} trades 0,1,2,4,5\n` +
        `${trade.id},${price},${quantity},1.5,${trade.timeUs},${flag},True`;
}
