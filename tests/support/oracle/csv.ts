/** Rows of Binance's public files, behind a tag line `<symbol> <trades|aggTrades> <columns>`. */
import { readTrade, type Spelling, sides } from '#tests/support/oracle/record';
import { readEpochTime } from '#tests/support/oracle/values';
import {
  type FrameReading,
  MALFORMED_FRAME,
  OTHER_KIND,
  type Venue,
} from '#tests/support/oracle/venue';

export const CSV_TAG = /^(\S+) (trades|aggTrades) (\d{1,2}(?:,\d{1,2})*)\n/;
const CSV: Spelling = {
  time: readEpochTime,
  side: sides(['false', 'False', '0'], ['true', 'True', '1']),
};

export function readCsv(venue: Venue, text: string, conditions: readonly string[]): FrameReading {
  const tag = CSV_TAG.exec(text);
  if (tag === null) return MALFORMED_FRAME;
  const columns = tag[3]!.split(',').map(Number);
  const wellFormed =
    (columns.length === 5 || columns.length === 7) &&
    new Set(columns).size === columns.length &&
    columns.every((column) => column < 64);
  const row = text.slice(tag[0].length).replace(/\r?\n?$/, '');
  if (!wellFormed || row === '' || /[\r\n]/.test(row)) return MALFORMED_FRAME;
  if ((tag[2] === 'aggTrades') !== venue.aggregates) return OTHER_KIND;
  const cells = row.split(',');
  const [id, price, quantity, time, side, first, last] = columns.map(
    (column) => cells[column] || undefined,
  );
  const all = venue.aggregates ? ['aggregate', ...conditions] : conditions;
  const fields = { symbol: tag[1]!, id, price, quantity, time, side, first, last };
  return { records: [readTrade(fields, CSV, venue.known, all)] };
}
