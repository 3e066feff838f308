/**
 * Collects the dead letters of a validation shard and hands them to the lake pool, at each epoch or
 * as soon as `bytesMax` raw bytes are waiting, so that a flood of garbage stays bounded in memory.
 */
import type { DeadLetterRow } from '#src/lake/job';
import type { StagedFile } from '#src/lake/staged-file';
import type { Lake } from '#src/lake/trade-sink';

export interface DeadLetterSinkOptions {
  readonly lake: Lake;
  readonly bytesMax: number;
  /** Jobs that may be under way at once before the shard has to wait. */
  readonly jobsMax: number;
  readonly nextName: () => string;
  readonly onFree: () => void;
}

export class DeadLetterSink {
  readonly #options: DeadLetterSinkOptions;
  #rows: DeadLetterRow[] = [];
  #bytes = 0;
  #jobs = 0;
  #staged: Promise<readonly StagedFile[]>[] = [];
  #failure: unknown;

  constructor(options: DeadLetterSinkOptions) {
    this.#options = options;
  }

  /** Throws the pool's error once an encoding has failed: the files of an epoch will not come. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Whether a dead letter can be added now; throws like `check`. */
  ready(): boolean {
    this.check();
    if (this.#bytes < this.#options.bytesMax) return true;
    if (this.#jobs === this.#options.jobsMax) return false;
    this.#submit();
    return true;
  }

  /** Adds a dead letter; `row.raw` must be the sink's own copy. */
  add(row: DeadLetterRow): void {
    this.#rows.push(row);
    this.#bytes += row.raw.byteLength;
  }

  /** Ends the epoch's share: every row added so far is in one of the files it resolves with. */
  async cut(): Promise<StagedFile[]> {
    if (this.#rows.length > 0) this.#submit();
    const staged = this.#staged;
    this.#staged = [];
    return (await Promise.all(staged)).flat();
  }

  #submit(): void {
    const rows = this.#rows;
    this.#rows = [];
    this.#bytes = 0;
    this.#jobs++;
    const { lake, nextName, onFree } = this.#options;
    const files = lake.run({ kind: 'dead-letters', rows, name: nextName() }).then((staged) => {
      this.#jobs--;
      onFree();
      return staged;
    });
    files.catch((error: unknown) => {
      this.#failure = error;
      onFree();
    });
    this.#staged.push(files);
  }
}
