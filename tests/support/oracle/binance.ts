/** Binance's messages and pages: `m` is "the buyer is the maker", so true means that the aggressor sold. */
import { field, isString, type Json, repeatsKey } from '#tests/support/oracle/json-text';
import { MALFORMED, readObject, type Spelling, sides } from '#tests/support/oracle/record';
import { readEpochTime } from '#tests/support/oracle/values';
import {
  CONTROL,
  type FrameReading,
  type MessageReader,
  OTHER_KIND,
  type PageReader,
  UNRECOGNISED,
  type Venue,
} from '#tests/support/oracle/venue';

const BINANCE: Spelling = { time: readEpochTime, side: sides(['false'], ['true']) };
const EVENT = { symbol: 's', id: 't', time: 'T', price: 'p', quantity: 'q', side: 'm' } as const;
const AGGREGATE_EVENT = { ...EVENT, id: 'a', first: 'f', last: 'l' } as const;

export const binanceMessage: MessageReader = (venue, json, conditions) => {
  const stream = field(json, 'stream');
  if (stream === undefined) return binanceEvent(venue, json, conditions);
  const data = field(json, 'data');
  if (stream.kind !== 'string' || data === undefined) return UNRECOGNISED;
  if (repeatsKey(json) || field(json, 'e') !== undefined) return UNRECOGNISED;
  if (data.kind === 'object' && field(data, 'e') !== undefined) {
    return binanceEvent(venue, data, conditions);
  }
  const [own, other] = venue.aggregates ? ['@aggTrade', '@trade'] : ['@trade', '@aggTrade'];
  if (data.kind !== 'object' && stream.text.endsWith(own)) return { records: [MALFORMED] };
  return stream.text.endsWith(own) || stream.text.endsWith(other) ? UNRECOGNISED : CONTROL;
};

function binanceEvent(
  venue: Venue,
  json: Json & { kind: 'object' },
  conditions: readonly string[],
): FrameReading {
  const event = field(json, 'e');
  const own = venue.aggregates ? 'aggTrade' : 'trade';
  if (isString(event, own)) {
    const names = venue.aggregates ? AGGREGATE_EVENT : EVENT;
    const all = venue.aggregates ? ['aggregate', ...conditions] : conditions;
    return { records: [readObject(json, names, {}, BINANCE, venue.known, all)] };
  }
  if (isString(event, 'trade') || isString(event, 'aggTrade')) return OTHER_KIND;
  const answers = ['result', 'error', 'code', 'lastUpdateId', 'u'];
  const recognised =
    event === undefined
      ? answers.some((key) => field(json, key) !== undefined)
      : event.kind === 'string';
  return recognised && !repeatsKey(json) ? CONTROL : UNRECOGNISED;
}

const ROW = { id: 'id', time: 'time', price: 'price', quantity: 'qty', side: 'isBuyerMaker' };
const { symbol: _, ...AGGREGATE_ROW } = AGGREGATE_EVENT;

export const binancePage: PageReader = (venue, json, symbol) => {
  if (field(json, 'code') !== undefined) return CONTROL;
  if (json.kind !== 'array') return UNRECOGNISED;
  const [own, other] = venue.aggregates ? ['a', 'id'] : ['id', 'a'];
  const first = json.items[0];
  if (field(first, own) === undefined && field(first, other) !== undefined) return OTHER_KIND;
  const names = venue.aggregates ? AGGREGATE_ROW : ROW;
  const conditions = venue.aggregates ? ['aggregate'] : [];
  return {
    records: json.items.map((row) =>
      readObject(row, names, { symbol }, BINANCE, venue.known, conditions),
    ),
  };
};
