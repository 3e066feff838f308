/**
 * Ingest of one exchange: from its sockets to its bronze log.
 *
 *   idle --start--> running <--> disk_full        running | disk_full --stop--> stopped
 *                      +--------------+--> failed (the supervisor starts a new actor)
 *
 * Owns the exchange's session and writes its log. Promises: every frame received while running is
 * appended as it came, in the order it came, with the time its event-loop turn began; it is written
 * when the turn ends and durable `syncIntervalMs` later. When the disk takes no more, the sockets are
 * closed rather than frames dropped in silence: on return the exchange's snapshots and the
 * backfill bring what was missed, and the gap ledger shows the rest. Any other write error, and any
 * error of a sync, ends the actor: what the kernel did with those pages is unknown.
 */

import type { Exchange } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { errorCode } from '#src/base/errors';
import { mark } from '#src/base/marks';
import type { Timer } from '#src/base/timers';
import { backoffCeilingMs, backoffDelayMs, failuresAfter } from '#src/feed/backoff';
import { type FeedCounters, newFeedCounters } from '#src/feed/counters';
import type { FeedOptions } from '#src/feed/options';
import type { FeedPorts } from '#src/feed/ports';
import { ExchangeSession, type FeedEvent, type LaneStatus } from '#src/feed/session';
import type { IdRange } from '#src/feed/trade-history';

const SYNC_INTERVAL_MS = 100;
/** Room comes back when retention or a person makes it: within seconds or not for minutes. */
const DISK_BACKOFF = { baseMs: 1_000, capMs: 30_000, stableMs: 60_000 };

/** Full, not broken: goes away when someone makes room. EFBIG is a file size limit. */
const DISK_FULL_CODES = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** The writing end of a bronze log (src/log). */
export interface FrameLog {
  /** Copies a frame into the block being filled; answers its sequence. May write a full block. */
  append(bytes: Uint8Array, kind: number, connection: number, receiveTimeUs: number): number;
  /** Writes the block. When the disk is full it throws, and the block stays to be written later. */
  flush(): void;
  /** Makes everything written durable. */
  sync(): Promise<void>;
  /** Sequence of the first frame not yet written, and not yet durable. */
  readonly writtenThrough: number;
  readonly durableThrough: number;
  /** Why nothing can be written any more, if so. */
  readonly poisoned: Error | undefined;
  close(): Promise<void>;
}

export interface IngestPorts extends FeedPorts {
  /** New frames can be read from the log. */
  onAppended(): void;
  onEvent(event: FeedEvent | IngestEvent): void;
  /** The actor has failed and must be replaced. */
  onFailure(error: Error): void;
}

export interface IngestEvent {
  readonly level: 'info' | 'warn' | 'error';
  readonly event: 'disk_full' | 'disk_free' | 'failed';
  readonly text: string;
}

export type IngestState = 'idle' | 'running' | 'disk_full' | 'failed' | 'stopped';

export interface IngestStatus {
  readonly exchange: Exchange;
  readonly state: IngestState;
  readonly lastError: string;
  readonly connections: readonly LaneStatus[];
}

export interface IngestSpec {
  readonly exchange: Exchange;
  readonly options: FeedOptions;
  /** The exchange's own instruments only. */
  readonly instruments: readonly Instrument[];
  readonly ports: IngestPorts;
  readonly log: FrameLog;
}

export class IngestActor {
  readonly counters: FeedCounters = newFeedCounters();
  readonly #exchange: Exchange;
  readonly #ports: IngestPorts;
  readonly #log: FrameLog;
  readonly #session: ExchangeSession;
  readonly #syncIntervalMs: number;
  #state: IngestState = 'idle';
  #lastError = '';
  /** Receive time of the event-loop turn under way, or -1 outside of one. */
  #turnUs = -1;
  #syncTimer: Timer | undefined;
  #syncing: Promise<void> | undefined;
  #diskTimer: Timer | undefined;
  #diskFailures = 0;
  #runningSinceMs = 0;
  /** What the readers have been told of. */
  #announced: number;
  #stopping: Promise<void> | undefined;

  constructor({ exchange, options, instruments, ports, log }: IngestSpec) {
    this.#exchange = exchange;
    this.#ports = ports;
    this.#log = log;
    this.#announced = log.writtenThrough;
    this.#syncIntervalMs = options.syncIntervalMs ?? SYNC_INTERVAL_MS;
    this.#session = new ExchangeSession(
      { exchange, options, instruments },
      ports,
      this,
      this.counters,
      (event) => ports.onEvent(event),
    );
  }

  start(): void {
    if (this.#state !== 'idle') return;
    this.#run();
  }

  status(): IngestStatus {
    return {
      exchange: this.#exchange,
      state: this.#state,
      lastError: this.#lastError,
      connections: this.#session.status(),
    };
  }

  /** Fetches what the gap ledger shows missing after an epoch, once each (src/feed/session.ts). */
  fillGaps(gaps: readonly IdRange[]): void {
    this.#session.fillGaps(gaps);
  }

  /** Resolves when every frame stored so far is durable; rejects when that cannot be promised. */
  async sync(): Promise<void> {
    if (this.#state === 'running') this.#flush();
    while (this.#syncing !== undefined) await this.#syncing;
    if (this.#log.durableThrough < this.#log.writtenThrough) await this.#startSync();
  }

  /** The orderly end: takes what is under way, then makes it durable and closes the log. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** The session's sink. Called per frame. */
  store(frame: Uint8Array, kind: number, connection: number): number {
    if (this.#state !== 'running') {
      this.counters.framesRefused++;
      return -1;
    }
    if (this.#turnUs === -1) this.#beginTurn();
    // A failing write ends the turn, so its time is kept here.
    const receiveTimeUs = this.#turnUs;
    try {
      this.#log.append(frame, kind, connection, receiveTimeUs);
    } catch (error) {
      this.counters.framesRefused++;
      this.#onWriteError(error);
      return -1;
    }
    this.counters.frames++;
    this.counters.bytes += frame.length;
    return receiveTimeUs;
  }

  #run(): void {
    this.#state = 'running';
    this.#runningSinceMs = this.#ports.clock.monotonicMs();
    this.#session.start();
  }

  async #stop(): Promise<void> {
    this.#diskTimer?.cancel();
    await this.#session.stop(true);
    try {
      if (this.#state === 'disk_full') this.#retryWrite();
      if (this.#state !== 'failed') await this.sync();
    } finally {
      this.#syncTimer?.cancel();
      this.#diskTimer?.cancel();
      this.#state = 'stopped';
      await this.#log.close();
    }
  }

  #beginTurn(): void {
    this.#turnUs = this.#ports.clock.nowUs();
    this.#ports.timers.afterTurn(() => {
      this.#turnUs = -1;
      if (this.#state === 'running') this.#flush();
    });
  }

  #flush(): void {
    try {
      this.#log.flush();
    } catch (error) {
      this.#onWriteError(error);
      return;
    }
    this.#onWritten();
  }

  #isUnsynced(): boolean {
    return this.#log.durableThrough < this.#log.writtenThrough;
  }

  #onWritten(): void {
    // append() writes as well, when a block is full: compare with what was told, not with before.
    if (this.#log.writtenThrough > this.#announced) {
      this.#announced = this.#log.writtenThrough;
      this.#ports.onAppended();
    }
    this.#syncLater();
  }

  #syncLater(): void {
    if (this.#syncTimer !== undefined || this.#syncing !== undefined || !this.#isUnsynced()) return;
    this.#syncTimer = this.#ports.timers.after(this.#syncIntervalMs, () => {
      this.#syncTimer = undefined;
      // A failure has been reported by the time it gets here; the timer has nobody to tell.
      if (this.#syncing === undefined) this.#startSync().catch(() => undefined);
    });
  }

  #startSync(): Promise<void> {
    this.#syncTimer?.cancel();
    this.#syncTimer = undefined;
    this.#syncing = this.#log.sync().then(
      () => {
        this.#syncing = undefined;
        this.counters.syncs++;
        this.#syncLater();
      },
      (error: unknown) => {
        this.#syncing = undefined;
        this.#fail(error);
        throw error;
      },
    );
    return this.#syncing;
  }

  #onWriteError(error: unknown): void {
    if (this.#log.poisoned !== undefined || !isDiskFull(error)) {
      this.#fail(error);
      return;
    }
    this.#lastError = messageOf(error);
    if (this.#state === 'running') {
      const upMs = this.#ports.clock.monotonicMs() - this.#runningSinceMs;
      this.#diskFailures = failuresAfter(this.#diskFailures, upMs, DISK_BACKOFF);
      this.counters.diskFull++;
      mark('ingest: connections closed for a full disk');
      this.#state = 'disk_full';
      this.#say('error', 'disk_full', `${this.#lastError}; connections are closed until then`);
      // Nothing more is taken, so there is nothing to wait for.
      void this.#session.stop(false);
    } else {
      this.#diskFailures++;
    }
    this.#retryWriteLater();
  }

  #retryWriteLater(): void {
    const retry = Math.max(0, this.#diskFailures - 1);
    // Half fixed, half drawn: a full disk is not worth asking again at once.
    const fixedMs = backoffCeilingMs(retry, DISK_BACKOFF) / 2;
    const drawnMs = backoffDelayMs(retry, DISK_BACKOFF, this.#ports.random) / 2;
    this.#diskTimer = this.#ports.timers.after(fixedMs + drawnMs, () => {
      if (this.#retryWrite()) this.#run();
    });
  }

  /** Tries to write the block that did not fit; true when it has been written. */
  #retryWrite(): boolean {
    try {
      this.#log.flush();
    } catch (error) {
      this.#onWriteError(error);
      return false;
    }
    mark('ingest: the disk took data again');
    this.#say('info', 'disk_free', 'the disk takes data again: connecting');
    this.#onWritten();
    return true;
  }

  #fail(error: unknown): void {
    if (this.#state === 'failed' || this.#state === 'stopped') return;
    this.#state = 'failed';
    this.#lastError = messageOf(error);
    this.#diskTimer?.cancel();
    this.#syncTimer?.cancel();
    this.#syncTimer = undefined;
    void this.#session.stop(false);
    this.#say('error', 'failed', this.#lastError);
    this.#ports.onFailure(error instanceof Error ? error : new Error(this.#lastError));
  }

  #say(level: IngestEvent['level'], event: IngestEvent['event'], text: string): void {
    this.#ports.onEvent({ level, event, text: `${this.#exchange}: ${text}` });
  }
}

/** The system error itself, or the one an explanation was made from. */
function isDiskFull(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return DISK_FULL_CODES.has(errorCode(error)) || DISK_FULL_CODES.has(errorCode(cause));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
