/**
 * The row builder of a stage: collects trades for one or more tables in chunks of shared memory and hands each
 * full chunk to the lake pool, so that Parquet encoding runs beside the stage, not in it.
 *
 * Files come out staged; `cut` closes the current epoch's share and answers with its files. At most
 * `chunksMax` chunks exist; when all are being encoded the stage has to wait (`room` is 0), which
 * is how a slow disk slows validation down instead of filling memory.
 */
import { TradeBatch } from '#src/columns/trade-batch';
import type { LakeJob } from '#src/lake/job';
import type { StagedFile } from '#src/lake/staged-file';

/** Whoever turns jobs into files: the pool, or a thread's line to it. */
export interface Lake {
  run(job: LakeJob): Promise<readonly StagedFile[]>;
}

export interface TradeSinkOptions {
  readonly lake: Lake;
  /** Where every row goes. */
  readonly tables: readonly string[];
  readonly chunkRows: number;
  readonly chunksMax: number;
  /** A fresh file name, unique in the data directory. */
  readonly nextName: () => string;
  /** Called when a chunk has become free again. */
  readonly onFree: () => void;
}

type Chunk = TradeBatch & { readonly memory: SharedArrayBuffer };

export class TradeSink {
  readonly #options: TradeSinkOptions;
  readonly #free: Chunk[] = [];
  #chunksMade = 0;
  #current: Chunk | undefined;
  #staged: Promise<readonly StagedFile[]>[] = [];
  #failure: unknown;

  constructor(options: TradeSinkOptions) {
    this.#options = options;
  }

  /** Throws the pool's error once an encoding has failed: the files of an epoch will not come. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** How many rows can be added now; throws like `check`. */
  room(): number {
    this.check();
    if (this.#current !== undefined) {
      const left = this.#current.capacity - this.#current.rows;
      if (left > 0) return left;
      this.#seal(this.#current);
    }
    this.#current = this.#free.pop() ?? this.#allocate();
    return this.#current?.capacity ?? 0;
  }

  /** Adds `count` rows of `from`, from row `first` on: at most as many as `room` said. */
  add(from: TradeBatch, first: number, count: number): void {
    const chunk = this.#current as Chunk;
    const at = chunk.rows;
    chunk.copyRows(at, from, first, count);
    chunk.rows = at + count;
  }

  /** Ends the epoch's share: every row added so far is in one of the files it resolves with. */
  async cut(): Promise<StagedFile[]> {
    if (this.#current !== undefined && this.#current.rows > 0) this.#seal(this.#current);
    const staged = this.#staged;
    this.#staged = [];
    return (await Promise.all(staged)).flat();
  }

  #allocate(): Chunk | undefined {
    if (this.#chunksMade === this.#options.chunksMax) return undefined;
    this.#chunksMade++;
    return TradeBatch.allocate(this.#options.chunkRows);
  }

  #seal(chunk: Chunk): void {
    this.#current = undefined;
    const { lake, tables, nextName, onFree } = this.#options;
    const { memory, capacity, rows } = chunk;
    const files = lake
      .run({ kind: 'trades', tables, memory, capacity, rows, name: nextName() })
      .then((staged) => {
        chunk.rows = 0;
        this.#free.push(chunk);
        onFree();
        return staged;
      });
    files.catch((error: unknown) => {
      this.#failure = error; // rethrown by check() and by cut(): the stage crashes, is supervised
      onFree();
    });
    this.#staged.push(files);
  }
}
