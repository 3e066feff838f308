/**
 * The warehouse port: where the tables are, their data files and their metadata. A folder of this
 * machine and a bucket of an object store are the two there are.
 *
 * Files are whole or not there, durable once the call has resolved, and never changed but for the few
 * small ones `put` replaces. Paths are relative to the warehouse, with `/`. Errors carry a `code` as
 * the system's do: ENOENT for what is not there, EIO or another for what could not be done.
 */
import { EXIT, UserError } from '#src/base/errors';

export interface WarehouseFile {
  readonly path: string;
  readonly bytes: number;
}

/**
 * The points a `create` passes: about to take the name; the name is taken, the commit point; and
 * that is durable. An object store takes the last two in one step.
 */
export type CreatePoint = 'staged' | 'named' | 'durable';

export interface Warehouse {
  /** Of its root, without a slash at the end: `file:///...` or `s3://bucket/prefix`. */
  readonly uri: string;
  /** Calls that may usefully be under way at once. */
  readonly parallel: number;
  get(path: string): Promise<Buffer>;
  /** `length` bytes from `start`; fewer only at the end of the file. */
  getRange(path: string, start: number, length: number): Promise<Buffer>;
  /** Undefined when there is no such file. */
  size(path: string): Promise<number | undefined>;
  /** Replaces what is there. */
  put(path: string, bytes: Uint8Array): Promise<void>;
  /**
   * False when there is a file of that name with other bytes: somebody else was first. One that was
   * made by an earlier attempt of this very call, whose answer was lost, counts as made.
   */
  create(path: string, bytes: Uint8Array, passed?: (point: CreatePoint) => void): Promise<boolean>;
  /** Every file below a folder (`''`: all), leftovers of writing included, by path. */
  list(folder: string): Promise<WarehouseFile[]>;
  /** One that is gone already is no matter. */
  delete(paths: readonly string[]): Promise<void>;
}

/** What could not be done in a warehouse that is not this machine's disk, as one sentence. */
export class WarehouseError extends UserError {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(EXIT.io, message, options);
    this.name = 'WarehouseError';
    this.code = code;
  }
}

/** Paths go into URIs as they are, not escaped: that is what readers take them for. */
export function uriOf({ uri }: Pick<Warehouse, 'uri'>, path: string): string {
  return `${uri}/${path}`;
}

/** Undefined for what is not in the warehouse. */
export function pathIn({ uri }: Pick<Warehouse, 'uri'>, fileUri: string): string | undefined {
  return fileUri.startsWith(`${uri}/`) ? fileUri.slice(uri.length + 1) : undefined;
}

/** Does `work` for every item, as many at once as the warehouse takes; the first error is thrown. */
export async function forEachOf<T>(
  { parallel }: Pick<Warehouse, 'parallel'>,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    while (next < items.length && !failed) {
      try {
        await work(items[next++] as T);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = Array.from({ length: Math.min(parallel, items.length) }, lane);
  // All have ended before anybody hears of the first error: nothing goes on behind the caller's back.
  await Promise.allSettled(lanes);
  await Promise.all(lanes);
}
