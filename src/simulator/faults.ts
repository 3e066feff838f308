/**
 * What can go wrong, as data: a probability per message for each fault, and their bounds.
 *
 * Per message at most one fault is drawn. Faults of a message (duplicate to drip) are planned once
 * per feed, whoever listens; faults of a connection (disconnect to drip) hit one open connection.
 */
import { REASONS, type ReasonName } from '#schemas/dead-letter';

export const MESSAGE_FAULTS = [
  /** Sent again, at once or a few messages later. */
  'duplicate',
  /** Sent up to `reorderWindow` messages later. */
  'reorder',
  /** Sent `lateUs` later. */
  'late',
  /** Never sent on the feed; REST still has it. */
  'drop',
  /** A record that breaks one rule is sent besides it. */
  'invalid',
  /** Bytes that are no message are sent besides it. */
  'garbage',
  /** An error or notice frame is sent besides it. */
  'control',
  /** A frame of more than 4 MiB is sent besides it. */
  'oversize',
  /** A connection is closed with a close frame. */
  'disconnect',
  /** A connection's socket is destroyed without a word. */
  'abort',
  /** A connection goes silent and stops reading, but stays open. */
  'halfOpen',
  /** A connection's next bytes arrive a few at a time. */
  'drip',
] as const;
export type MessageFault = (typeof MESSAGE_FAULTS)[number];

/** `utf8`: a text frame that is not UTF-8; clients that check close the connection on it. */
export const GARBAGE = ['truncated', 'text', 'binary', 'empty', 'utf8'] as const;
export type Garbage = (typeof GARBAGE)[number];

export type FaultProfile = Readonly<Record<MessageFault, number>> & {
  /** Probability that a trade is lost by the exchange itself: no feed, no REST, a gap for ever. */
  readonly lose: number;
  /** Probability that a connection attempt is refused. */
  readonly refuse: number;
  /** A message held back for `reorder` or repeated for `duplicate` waits at most so many others. */
  readonly reorderWindow: number;
  readonly lateUs: readonly [min: number, max: number];
  /** Trades per instrument sent again to a connection that subscribes. */
  readonly replayTrades: number;
  readonly garbageKinds: readonly Garbage[];
  readonly invalidReasons: readonly ReasonName[];
};

export const NO_FAULTS: FaultProfile = {
  duplicate: 0,
  reorder: 0,
  late: 0,
  drop: 0,
  invalid: 0,
  garbage: 0,
  control: 0,
  oversize: 0,
  disconnect: 0,
  abort: 0,
  halfOpen: 0,
  drip: 0,
  lose: 0,
  refuse: 0,
  reorderWindow: 8,
  lateUs: [60_000_000, 300_000_000],
  replayTrades: 0,
  // A client that checks UTF-8 never sees the frame, so `utf8` is for explicit use.
  garbageKinds: ['truncated', 'text', 'binary', 'empty'],
  invalidReasons: REASONS.map((reason) => reason.name),
};
