/** Coinbase's messages and pages, of both feeds: `side` is the maker's, the aggressor's is the other one. */
import { field, isString, repeatsKey } from '#tests/support/oracle/json-text';
import {
  fieldOf,
  type Reading,
  readObject,
  type Spelling,
  sides,
} from '#tests/support/oracle/record';
import { readRfc3339Time } from '#tests/support/oracle/values';
import {
  CONTROL,
  type MessageReader,
  type PageReader,
  UNRECOGNISED,
} from '#tests/support/oracle/venue';

const COINBASE: Spelling = { time: readRfc3339Time, side: sides(['sell'], ['buy']) };
const ADVANCED: Spelling = { time: readRfc3339Time, side: sides(['SELL'], ['BUY']) };
const COINBASE_ROW = {
  id: 'trade_id',
  time: 'time',
  price: 'price',
  quantity: 'size',
  side: 'side',
} as const;
const ADVANCED_TRADE = { ...COINBASE_ROW, symbol: 'product_id' } as const;
const MATCH = { ...ADVANCED_TRADE, sequence: 'sequence' } as const;

export const coinbaseMessage: MessageReader = (venue, json, conditions) => {
  const type = field(json, 'type');
  const channel = field(json, 'channel');
  const advanced = isString(channel, 'market_trades');
  const last = isString(type, 'last_match');
  if (last || isString(type, 'match')) {
    if (advanced) return UNRECOGNISED;
    const all = last ? ['snapshot', ...conditions] : conditions;
    return { records: [readObject(json, MATCH, {}, COINBASE, venue.known, all)] };
  }
  if (repeatsKey(json)) return UNRECOGNISED;
  if (!advanced) return isString(type) || isString(channel) ? CONTROL : UNRECOGNISED;
  const events = field(json, 'events');
  if (events?.kind !== 'array') return UNRECOGNISED;
  const sequence = fieldOf(field(json, 'sequence_num'));
  const records: Reading[] = [];
  for (const event of events.items) {
    const trades = field(event, 'trades');
    const snapshot = isString(field(event, 'type'), 'snapshot');
    const update = isString(field(event, 'type'), 'update');
    if (trades?.kind !== 'array' || repeatsKey(event) || !(snapshot || update)) {
      return UNRECOGNISED;
    }
    const all = snapshot ? ['snapshot', ...conditions] : conditions;
    for (const trade of trades.items) {
      const given = { sequence };
      records.push(readObject(trade, ADVANCED_TRADE, given, ADVANCED, venue.known, all));
    }
  }
  return { records };
};

export const coinbasePage: PageReader = (venue, json, symbol) => {
  if (field(json, 'message') !== undefined) return CONTROL;
  if (json.kind !== 'array') return UNRECOGNISED;
  return {
    records: json.items.map((row) =>
      readObject(row, COINBASE_ROW, { symbol }, COINBASE, venue.known, []),
    ),
  };
};
