/** Kraken's messages and pages: prices are JSON numbers, sides the taker's. */
import { field, isString, repeatsKey } from '#tests/support/oracle/json-text';
import {
  fieldOf,
  MALFORMED,
  type Reading,
  readObject,
  readTrade,
  type Spelling,
  sides,
} from '#tests/support/oracle/record';
import { readRfc3339Time, readSecondsTime } from '#tests/support/oracle/values';
import {
  CONTROL,
  type MessageReader,
  type PageReader,
  UNRECOGNISED,
} from '#tests/support/oracle/venue';

const KRAKEN: Spelling = {
  time: readRfc3339Time,
  side: sides(['buy'], ['sell']),
  orderType: new Map([
    ['market', 'market_order'],
    ['limit', 'limit_order'],
  ]),
};
const KRAKEN_TRADE = {
  symbol: 'symbol',
  id: 'trade_id',
  time: 'timestamp',
  price: 'price',
  quantity: 'qty',
  side: 'side',
  orderType: 'ord_type',
} as const;

export const krakenMessage: MessageReader = (venue, json, conditions) => {
  if (repeatsKey(json)) return UNRECOGNISED;
  const channel = field(json, 'channel');
  if (!isString(channel, 'trade')) {
    const answers = ['method', 'error', 'event', 'errorMessage'];
    const recognised =
      channel === undefined
        ? answers.some((key) => field(json, key) !== undefined)
        : channel.kind === 'string';
    return recognised ? CONTROL : UNRECOGNISED;
  }
  const type = field(json, 'type');
  const data = field(json, 'data');
  const snapshot = isString(type, 'snapshot');
  if (data?.kind !== 'array' || !(snapshot || isString(type, 'update'))) return UNRECOGNISED;
  const all = snapshot ? ['snapshot', ...conditions] : conditions;
  return {
    records: data.items.map((row) => readObject(row, KRAKEN_TRADE, {}, KRAKEN, venue.known, all)),
  };
};

const KRAKEN_PAGE: Spelling = {
  time: readSecondsTime,
  side: sides(['b'], ['s']),
  orderType: new Map([
    ['m', 'market_order'],
    ['l', 'limit_order'],
  ]),
};

/** Rows `[price, volume, time, side, order type, misc, trade id]` under a name of Kraken's own. */
export const krakenPage: PageReader = (venue, json, symbol) => {
  if (json.kind !== 'object' || repeatsKey(json)) return UNRECOGNISED;
  const result = field(json, 'result');
  const lists = result?.kind === 'object' ? result.entries.filter(([key]) => key !== 'last') : [];
  const rows = lists[0]?.[1];
  if (lists.length !== 1 || rows?.kind !== 'array') {
    const error = field(json, 'error');
    return error?.kind === 'array' && error.items.length > 0 ? CONTROL : UNRECOGNISED;
  }
  const records = rows.items.map((row): Reading => {
    if (row.kind !== 'array') return MALFORMED;
    const [price, quantity, time, side, orderType, , id] = row.items.map(fieldOf);
    const fields = { symbol, id, time, price, quantity, side, orderType };
    return readTrade(fields, KRAKEN_PAGE, venue.known, []);
  });
  return { records };
};
