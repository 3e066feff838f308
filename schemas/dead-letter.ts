/**
 * Dead letters (`silver_dlq_trades`): records an exchange sent that are not valid trades, with the
 * frame's raw bytes and one reason out of a closed list. Nothing is dropped without one.
 */
import { defineTable } from './schema.js';

/** What kind of rule was broken. */
export const ERROR_TYPES = ['parse', 'schema', 'rule'] as const;
export type ErrorType = (typeof ERROR_TYPES)[number];

/**
 * The closed list, in code order (a code lives in memory only; on disk a reason is its name).
 * Where a record breaks several rules, the first in this list is the reason.
 */
export const REASONS = [
  { name: 'malformed_frame', type: 'parse', doc: 'The frame is not one JSON value (or CSV row).' },
  {
    name: 'unrecognised_frame',
    type: 'schema',
    doc: 'Valid JSON, but no message this exchange sends.',
  },
  {
    name: 'wrong_stream_kind',
    type: 'schema',
    doc: 'trade in an aggTrade directory, or the reverse.',
  },
  { name: 'malformed_trade', type: 'schema', doc: 'The trade is not an object, or repeats a key.' },
  { name: 'symbol_missing', type: 'schema', doc: 'No symbol, or it is not a string.' },
  { name: 'unknown_symbol', type: 'rule', doc: 'The symbol is not a configured instrument.' },
  { name: 'trade_id_missing', type: 'schema', doc: 'No trade id.' },
  { name: 'trade_id_invalid', type: 'schema', doc: 'Not a non-negative integer below 2^53.' },
  { name: 'timestamp_missing', type: 'schema', doc: 'No trade time.' },
  { name: 'timestamp_invalid', type: 'schema', doc: 'The trade time cannot be read.' },
  { name: 'price_missing', type: 'schema', doc: 'No price, or null.' },
  { name: 'price_invalid', type: 'schema', doc: 'The price is not a decimal number.' },
  {
    name: 'price_precision',
    type: 'rule',
    doc: 'More than 8 significant decimals: never rounded.',
  },
  { name: 'price_range', type: 'rule', doc: 'Does not fit DECIMAL(18,8): 10^10 or more.' },
  { name: 'price_not_positive', type: 'rule', doc: 'Zero or negative.' },
  { name: 'quantity_missing', type: 'schema', doc: 'No quantity, or null.' },
  { name: 'quantity_invalid', type: 'schema', doc: 'The quantity is not a decimal number.' },
  {
    name: 'quantity_precision',
    type: 'rule',
    doc: 'More than 8 significant decimals: never rounded.',
  },
  { name: 'quantity_range', type: 'rule', doc: 'Does not fit DECIMAL(18,8): 10^10 or more.' },
  { name: 'quantity_not_positive', type: 'rule', doc: 'Zero or negative.' },
  { name: 'side_missing', type: 'schema', doc: 'No side.' },
  { name: 'side_invalid', type: 'schema', doc: 'A side this exchange does not define.' },
  {
    name: 'timestamp_future',
    type: 'rule',
    doc: 'Later than the receive time by more than the tolerance.',
  },
  { name: 'timestamp_too_old', type: 'rule', doc: 'Live trade older than the age limit.' },
] as const satisfies readonly { name: string; type: ErrorType; doc: string }[];

export type ReasonName = (typeof REASONS)[number]['name'];

/** Code of each reason: its index in REASONS. */
export const REASON = Object.fromEntries(REASONS.map((r, code) => [r.name, code])) as Readonly<
  Record<ReasonName, number>
>;

export const DEAD_LETTERS = 'silver_dlq_trades';

export const DEAD_LETTER = defineTable({
  doc: 'One record that is not a valid trade, kept with its raw bytes and the reason.',
  columns: [
    {
      id: 1,
      name: 'raw_record',
      type: 'binary',
      required: true,
      doc: 'The whole frame, as received.',
    },
    {
      id: 2,
      name: 'record_index',
      type: 'int',
      required: true,
      doc: 'Index of the bad trade in its frame, 0-based; -1 when the frame as a whole is bad, or for all bad trades after the first 64 of a frame.',
    },
    {
      id: 3,
      name: 'error_reason',
      type: 'string',
      required: true,
      doc: 'A name from the closed list.',
    },
    { id: 4, name: 'error_type', type: 'string', required: true, doc: 'parse, schema or rule.' },
    {
      id: 5,
      name: 'error_timestamp',
      type: 'timestamptz',
      required: true,
      doc: 'Receive time of the frame, in microseconds UTC.',
    },
    {
      id: 6,
      name: 'bronze_source',
      type: 'string',
      required: true,
      doc: 'Exchange whose log holds the frame.',
    },
    {
      id: 7,
      name: 'offset',
      type: 'long',
      required: true,
      doc: 'Sequence of the frame in that log.',
    },
    {
      id: 8,
      name: 'dlq_date',
      type: 'date',
      required: true,
      doc: 'UTC date of error_timestamp (partition).',
    },
  ],
  partitionBy: ['dlq_date'],
  sortedBy: ['offset'],
});
