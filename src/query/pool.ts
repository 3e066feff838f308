/**
 * The query pool: history is read on niced threads of its own, so that what clients ask for neither
 * slows the gateway nor the stages. A query that takes too long, or more heap than it may, ends with
 * its thread; one more than `concurrency` is refused at once.
 */
import { Piscina } from 'piscina';
import { errorCode } from '#src/base/errors';
import { threadsLoaded } from '#src/base/loading-threads';
import { poolThread } from '#src/base/pool-thread';
import type { CatalogSpec } from '#src/iceberg/open-catalog';
import type { Query, QueryAnswer } from '#src/query/job';
import type { WarehouseSpec } from '#src/warehouse/open-warehouse';

export interface QueryWorkerData {
  readonly warehouse: WarehouseSpec;
  readonly catalog: CatalogSpec;
}

export interface QueryPoolOptions extends QueryWorkerData {
  /** Compiled file of the worker. */
  readonly worker: URL;
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly memoryMb: number;
}

/** Why a query has no answer. */
export type Overrun = 'busy' | 'timeout' | 'memory';

/** A thread that was not needed for this long is ended. */
const IDLE_MS_MAX = 30_000;

export class QueryPool {
  readonly #piscina: Piscina<Query, QueryAnswer>;
  readonly #concurrency: number;
  readonly #timeoutMs: number;
  #running = 0;

  constructor(options: QueryPoolOptions) {
    const { worker, warehouse, catalog, concurrency, timeoutMs, memoryMb } = options;
    this.#concurrency = concurrency;
    this.#timeoutMs = timeoutMs;
    this.#piscina = new Piscina({
      ...poolThread<QueryWorkerData>(worker, { warehouse, catalog }),
      minThreads: 0,
      maxThreads: concurrency,
      idleTimeout: IDLE_MS_MAX,
      resourceLimits: { maxOldGenerationSizeMb: memoryMb },
      recordTiming: false,
    });
  }

  async run(query: Query): Promise<QueryAnswer | Overrun> {
    if (this.#running >= this.#concurrency) return 'busy';
    this.#running++;
    try {
      return await this.#piscina.run(query, { signal: AbortSignal.timeout(this.#timeoutMs) });
    } catch (error) {
      if (error instanceof Error && error.name === 'AbortError') return 'timeout';
      if (errorCode(error) === 'ERR_WORKER_OUT_OF_MEMORY') return 'memory';
      throw error;
    } finally {
      this.#running--;
    }
  }

  async destroy(): Promise<void> {
    await threadsLoaded();
    await this.#piscina.destroy();
  }
}
