/**
 * How the machine room is, as the supervisor tells the gateway four times a second: plain data.
 */

import type { IngestStatus } from '#src/feed/ingest-status';
import type { GoldTotal } from '#src/supervision/epochs';

export type { IngestStatus };

export interface ActorStatus {
  readonly id: string;
  readonly cores: readonly number[];
  readonly up: boolean;
  readonly heartbeat: number;
  readonly restarts: number;
  readonly counters: Readonly<Record<string, number>>;
}

export interface SystemStatus {
  readonly dataDir: string;
  readonly actors: readonly ActorStatus[];
  readonly ingest: readonly IngestStatus[];
  /** The newest durable epoch. */
  readonly epoch: number;
  /** Totals of that epoch. */
  readonly gold: readonly GoldTotal[];
  readonly memoryRssBytes: number;
}
