/** One trade as an exchange reported it: its fields as text, and how the feed spells them. */
import type { ReasonName } from '#schemas/dead-letter';
import { type Json, repeatsKey } from '#tests/support/oracle/json-text';
import { decimalReason, readDecimal, readId } from '#tests/support/oracle/values';

/** Missing (or null), text, or something no field can be. */
export type Field = undefined | string | { readonly unreadable: true };

export interface Fields {
  /** The native symbol; only a string is one. */
  readonly symbol: Field;
  readonly id: Field;
  readonly time: Field;
  readonly price: Field;
  readonly quantity: Field;
  readonly side: Field;
  /** Raw ids an aggregate spans. */
  readonly first?: Field;
  readonly last?: Field;
  readonly sequence?: Field;
  readonly orderType?: Field;
}

export interface Spelling {
  readonly time: (text: string) => number | undefined;
  /** The aggressor's side. */
  readonly side: ReadonlyMap<string, 'BUY' | 'SELL'>;
  readonly orderType?: ReadonlyMap<string, string>;
}

/** What was read: a trade, or the first reason why it is none. */
export type Reading =
  | {
      readonly reason: undefined;
      readonly nativeSymbol: string;
      readonly id: number;
      readonly timeUs: number;
      readonly price: bigint;
      readonly quantity: bigint;
      readonly side: 'BUY' | 'SELL';
      readonly sequence: number | undefined;
      /** Names in the order of TRADE_CONDITIONS. */
      readonly conditions: readonly string[];
      readonly span: readonly [first: number, last: number] | undefined;
    }
  | { readonly reason: ReasonName };

/** The words a feed has for the two sides. */
export function sides(buy: readonly string[], sell: readonly string[]): Spelling['side'] {
  return new Map([
    ...buy.map((word) => [word, 'BUY'] as const),
    ...sell.map((word) => [word, 'SELL'] as const),
  ]);
}

export const MALFORMED: Reading = { reason: 'malformed_trade' };

export function fieldOf(json: Json | undefined): Field {
  if (json === undefined || (json.kind === 'bare' && json.text === 'null')) return undefined;
  return json.kind === 'string' || json.kind === 'bare' ? json.text : { unreadable: true };
}

/** A trade that is a JSON object: `names` says under which keys its fields are. */
export function readObject(
  json: Json,
  names: Readonly<Partial<Record<keyof Fields, string>>>,
  given: Partial<Fields>,
  spelling: Spelling,
  known: ReadonlySet<string>,
  conditions: readonly string[],
): Reading {
  if (json.kind !== 'object' || repeatsKey(json)) return MALFORMED;
  const values = new Map(json.entries);
  const fields: Partial<Record<keyof Fields, Field>> = { ...given };
  for (const [name, key] of Object.entries(names) as [keyof Fields, string][]) {
    const value = values.get(key);
    fields[name] = name === 'symbol' && value?.kind !== 'string' ? undefined : fieldOf(value);
  }
  return readTrade(fields as Fields, spelling, known, conditions);
}

/** The fields in the order of the list of reasons. */
export function readTrade(
  fields: Fields,
  spelling: Spelling,
  known: ReadonlySet<string>,
  conditions: readonly string[],
): Reading {
  const { symbol, id, time, price, quantity, side, first, last, sequence, orderType } = fields;
  const aggregate = conditions.includes('aggregate');
  const is = (reason: ReasonName): Reading => ({ reason });

  if (typeof symbol !== 'string') return is('symbol_missing');
  if (!known.has(symbol)) return is('unknown_symbol');

  if (id === undefined) return is('trade_id_missing');
  if (aggregate && (first === undefined || last === undefined)) return is('trade_id_missing');
  const tradeId = read(id, readId);
  if (tradeId === undefined) return is('trade_id_invalid');
  let span: [number, number] | undefined;
  if (aggregate) {
    const firstId = read(first, readId);
    const lastId = read(last, readId);
    if (firstId === undefined || lastId === undefined || lastId < firstId) {
      return is('trade_id_invalid');
    }
    span = [firstId, lastId];
  }

  if (time === undefined) return is('timestamp_missing');
  const timeUs = read(time, spelling.time);
  if (timeUs === undefined) return is('timestamp_invalid');

  if (price === undefined) return is('price_missing');
  const exactPrice = read(price, readDecimal) ?? 'invalid';
  if (typeof exactPrice === 'string') return is(decimalReason('price', exactPrice));
  if (quantity === undefined) return is('quantity_missing');
  const exactQuantity = read(quantity, readDecimal) ?? 'invalid';
  if (typeof exactQuantity === 'string') return is(decimalReason('quantity', exactQuantity));

  if (side === undefined) return is('side_missing');
  const aggressor = read(side, (text) => spelling.side.get(text));
  if (aggressor === undefined) return is('side_invalid');

  const order = read(orderType, (text) => spelling.orderType?.get(text));
  return {
    reason: undefined,
    nativeSymbol: symbol,
    id: tradeId,
    timeUs,
    price: exactPrice,
    quantity: exactQuantity,
    side: aggressor,
    sequence: read(sequence, readId),
    conditions: order === undefined ? conditions : [...conditions, order],
    span,
  };
}

function read<T>(value: Field, reader: (text: string) => T | undefined): T | undefined {
  return typeof value === 'string' ? reader(value) : undefined;
}
