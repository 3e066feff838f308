/**
 * How the harness tells a running Bullion to fail: a file in a control directory, which the armed
 * process (armed-process.ts) looks at whenever it comes to a named failpoint. An order strikes once,
 * in whatever thread gets there, however often threads and processes have restarted meanwhile.
 */
import { appendFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const ACTIONS = [
  /** SIGKILL to the whole process. */
  'kill',
  /** SIGTERM, and the call goes on. */
  'term',
  /** SIGSTOP; the harness lets it go on. */
  'stop',
  /** An error nobody expects. */
  'throw',
  /** The thread blocks for ever. */
  'hang',
  /** The thread's heap grows until V8 ends it. */
  'memory',
  /** The disk says so, once. */
  'EIO',
  /** The disk is full for a while, for every call that would take room. */
  'ENOSPC',
  /** The disk takes a part of the bytes and says nothing. */
  'short',
] as const;
export type Action = (typeof ACTIONS)[number];

export interface Order {
  readonly id: number;
  /** A name of failpoints.ts, or one of its two for any disk call. */
  readonly point: string;
  readonly action: Action;
  /** At which of its hits; 1 is the first. */
  readonly hit: number;
  /** Only on threads whose name begins so. */
  readonly thread?: string;
}

/** How long a full disk stays full. */
export const FULL_MS = 400;

/** Environment variable with the control directory's path. */
export const CONTROL = 'VERIFY_CONTROL';

const ORDER = 'order.json';
const CLOCK = 'clock.json';

/** What Date.now says in an armed process: ahead by so much, or always the same. */
export interface ClockOrder {
  readonly aheadMs?: number;
  readonly standsAtMs?: number;
}

export class FaultOrders {
  readonly directory: string;
  #next = 1;

  constructor(directory: string) {
    this.directory = directory;
  }

  give(order: Omit<Order, 'id'>): Order {
    const full = { ...order, id: this.#next++ };
    writeFileSync(join(this.directory, ORDER), JSON.stringify(full));
    return full;
  }

  withdraw(): void {
    rmSync(join(this.directory, ORDER), { force: true });
  }

  setClock(order: ClockOrder | undefined): void {
    const path = join(this.directory, CLOCK);
    if (order === undefined) rmSync(path, { force: true });
    else writeFileSync(path, JSON.stringify(order));
  }

  hasStruck({ id }: Order): boolean {
    return existsSync(join(this.directory, `struck-${id}`));
  }
}

/** Some failpoints are hit by every trade: looking at the directory each time would be all they do. */
const ORDER_AGE_MS_MAX = 3;

/** The other side, on a thread of the armed process; its own disk calls are no hits. */
export class FaultWatch {
  readonly #directory: string;
  #order: Order | undefined;
  #readMs = Number.NEGATIVE_INFINITY;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The order in force, if it has not struck; a few milliseconds old. */
  order(): Order | undefined {
    if (performance.now() - this.#readMs > ORDER_AGE_MS_MAX) {
      this.#order = this.#read();
      this.#readMs = performance.now();
    }
    return this.#order;
  }

  #read(): Order | undefined {
    const path = join(this.#directory, ORDER);
    if (!existsSync(path)) return undefined; // nearly always; an error would cost thirty times as much
    try {
      const order = JSON.parse(readFileSync(path, 'utf8')) as Order;
      return existsSync(this.#struck(order)) ? undefined : order;
    } catch {
      return undefined; // none, or one that is just being written
    }
  }

  /** Counts a hit; answers whether this is the one to strike at, to one caller only. */
  strikes(order: Order): boolean {
    const hits = join(this.#directory, `hits-${order.id}`);
    appendFileSync(hits, '.');
    if (statSync(hits).size < order.hit) return false;
    try {
      writeFileSync(this.#struck(order), '', { flag: 'wx' });
      return true;
    } catch {
      return false;
    }
  }

  /** Since when an order has struck; undefined when it has not. */
  struckMs(order: Pick<Order, 'id'>): number | undefined {
    return statSync(this.#struck(order), { throwIfNoEntry: false })?.mtimeMs;
  }

  clock(): ClockOrder | undefined {
    const path = join(this.#directory, CLOCK);
    if (!existsSync(path)) return undefined;
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as ClockOrder;
    } catch {
      return undefined;
    }
  }

  #struck({ id }: Pick<Order, 'id'>): string {
    return join(this.#directory, `struck-${id}`);
  }
}
