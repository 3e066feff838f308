/**
 * A frame: one message exactly as it was received, the unit of the bronze log.
 *
 * `kind` says how to read the bytes. Live kinds (ws, rest) obey the age limit; the others carry
 * history. `rest` and `csv` frames are tagged: the first line, up to the first newline, says what
 * the record itself does not, and the bytes after it are as received:
 *   rest: `<native symbol>\n<response body>`
 *   csv:  `<native symbol> <trades|aggTrades> <column indexes>\n<one row>`, the comma-separated column
 *         indexes being those of id, price, quantity, time, is-buyer-maker (and first id, last id).
 */
export const FRAME_KINDS = ['ws', 'rest', 'import', 'csv', 'replay'] as const;

export const KIND_WS = 0;
/** A page of an exchange's REST API, fetched to fill a gap. */
export const KIND_REST = 1;
/** A WebSocket frame recorded earlier, read from a file. */
export const KIND_IMPORT = 2;
/** One row of a public dump file. */
export const KIND_CSV = 3;
/** A dead letter's raw frame, appended again by `bullion dlq replay`; received at the log's end, as
 * receive times never go back. */
export const KIND_REPLAY = 4;

/** Whether the age limit holds: history may be as old as it likes. */
export function isLive(kind: number): boolean {
  return kind === KIND_WS || kind === KIND_REST;
}

/** Frames above this size are never stored; the socket's payload limit refuses them first. */
export const FRAME_BYTES_MAX = 4 * 1024 * 1024;
