/** What reading the frames of one exchange asks for and answers with. */
import type { ReasonName } from '#schemas/dead-letter';
import type { Exchange } from '#schemas/exchange';
import type { Json } from '#tests/support/oracle/json-text';
import type { Reading } from '#tests/support/oracle/record';

export type FrameReading =
  | { readonly control: true }
  | { readonly dead: ReasonName }
  | { readonly records: readonly Reading[] };

export interface Venue {
  readonly exchange: Exchange;
  /** Native symbols. */
  readonly known: ReadonlySet<string>;
  readonly aggregates: boolean;
}

export const CONTROL: FrameReading = { control: true };
export const UNRECOGNISED: FrameReading = { dead: 'unrecognised_frame' };
export const MALFORMED_FRAME: FrameReading = { dead: 'malformed_frame' };
export const OTHER_KIND: FrameReading = { dead: 'wrong_stream_kind' };

export type MessageReader = (
  venue: Venue,
  json: Json & { kind: 'object' },
  conditions: readonly string[],
) => FrameReading;
export type PageReader = (venue: Venue, json: Json, symbol: string) => FrameReading;
