/**
 * The bronze tables (`bronze_<exchange>_trades`): every frame of an exchange's log exactly as it was
 * received, in log order. Made from sealed log segments; the log itself stays the source of truth.
 */
import type { ExchangeKey } from './exchange.js';
import { defineTable } from './schema.js';

export function bronzeTable(exchange: ExchangeKey): `bronze_${ExchangeKey}_trades` {
  return `bronze_${exchange}_trades`;
}

export const BRONZE = defineTable({
  doc: 'One message exactly as it was received from one exchange, or as it was imported.',
  columns: [
    {
      id: 1,
      name: 'sequence',
      type: 'long',
      required: true,
      doc: "Position of the frame in the exchange's log; a dead letter's offset is this number.",
    },
    {
      id: 2,
      name: 'receive_timestamp',
      type: 'timestamptz',
      required: true,
      doc: 'When the frame arrived here, in microseconds UTC; never falls from one frame to the next.',
    },
    {
      id: 3,
      name: 'kind',
      type: 'string',
      required: true,
      doc: 'How the bytes are to be read: ws, rest, import, csv or replay.',
    },
    {
      id: 4,
      name: 'connection',
      type: 'int',
      required: true,
      doc: 'Which of the connections to the exchange it came through; 0 for imports.',
    },
    {
      id: 5,
      name: 'raw_frame',
      type: 'binary',
      required: true,
      doc: 'The bytes as received; rest and csv frames have one line of ours in front.',
    },
    {
      id: 6,
      name: 'receive_date',
      type: 'date',
      required: true,
      doc: 'UTC date of receive_timestamp (partition).',
    },
  ],
  partitionBy: ['receive_date'],
  sortedBy: ['sequence'],
});
