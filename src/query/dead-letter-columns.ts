/** A dead letter as the API gives it: its raw bytes as text, cut to a size. */
import type { Column } from '#schemas/schema';

export const DEAD_LETTER_COLUMNS: readonly Column[] = (
  [
    ['error_timestamp', 'timestamptz', 'Receive time of the frame.'],
    ['bronze_source', 'string', 'Exchange whose log holds the frame.'],
    ['offset', 'long', 'Sequence of the frame in that log.'],
    ['record_index', 'int', 'Index of the bad trade in its frame; -1 for the frame as a whole.'],
    ['error_type', 'string', 'parse, schema or rule.'],
    ['error_reason', 'string', 'A name from the closed list.'],
    ['raw_bytes', 'long', 'Length of the frame as received.'],
    ['raw_record', 'string', 'The first bytes of the frame, as base64 or hex.'],
  ] as const
).map(([name, type, doc], i) => ({ id: i + 1, name, type, required: true, doc }));
