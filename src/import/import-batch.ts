/** What every reader hands on: many raw frames at once, each a piece of one buffer. */
import type { KIND_CSV, KIND_IMPORT } from '#src/log/frame';

/** A line no frame could be made of, because no frame may be that large. */
export interface RefusedLine {
  /** File, and entry where the file is an archive. */
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly bytes: number;
}

export interface ImportBatch {
  readonly kind: typeof KIND_IMPORT | typeof KIND_CSV;
  /** Frame i is bytes[starts[i], ends[i]); the bytes stay valid after the next batch. */
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly count: number;
  /** Bytes of the source read so far; ends at the source's bytesTotal. */
  readonly bytesRead: number;
  readonly refused: readonly RefusedLine[];
}
