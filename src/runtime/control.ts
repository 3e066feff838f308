/**
 * The control plane of each actor: what the supervisor may ask of a thread (through comlink).
 */
import type { SystemStatus } from '#src/api/health';
import type { IdRange } from '#src/feed/trade-history';
import type { ExchangeProgress } from '#src/runtime/epoch-report';

/** What every actor's control interface has. */
export interface Stoppable {
  /** Ends the actor in order; its thread exits by itself afterwards. */
  stop(): Promise<void>;
}

export interface ValidationControl extends Stoppable {
  /** Asks for barrier `epoch` to be sent after the frames judged so far. */
  barrier(epoch: number): void;
  /** How far each log has been judged. */
  progress(): readonly ExchangeProgress[];
}

export interface CandlesControl extends Stoppable {
  /** The delta handed over last is durable. */
  committed(): void;
}

/** What an ingest actor says of itself. */
export interface IngestStatus {
  readonly state: 'idle' | 'running' | 'disk_full' | 'failed' | 'stopped';
  readonly connections: readonly { readonly state: string; readonly lastFrameAgeMs: number }[];
}

export interface IngestControl extends Stoppable {
  status(): IngestStatus;
  /** Fetches gaps that the ledger shows after an epoch; those asked for before are left alone. */
  fillGaps(gaps: readonly IdRange[]): void;
}

export interface GatewayControl extends Stoppable {
  /** The newest facts for /health. */
  status(status: SystemStatus): void;
  /** The port it listens on. */
  port(): number;
}

/** What an actor's thread file gives to its thread. */
export interface StartedActor<C extends Stoppable = Stoppable> {
  readonly control: C;
  /** Settles when the actor has ended; a rejection is a crash. */
  readonly run: Promise<void>;
}
