/**
 * Coverage marks: places that only trouble leads to, by name. Whoever tests trouble listens and can
 * tell which places it has never reached; in a process nobody listens and a mark costs a comparison.
 * They stand where something went wrong or was put right, never where every frame passes.
 */
export const MARKS = [
  'disk: a short write went on',
  'log: a torn tail was cut',
  'log: damage was quarantined',
  'log: a segment was written anew after a failed fsync',
  'log: a full disk refused a block',
  'log: the writer was poisoned',
  'log: a segment was sealed',
  'log: a reader stepped over damage',
  'ingest: connections closed for a full disk',
  'ingest: the disk took data again',
  'validation: no slot was free',
  'gold: a chunk or a ring was full',
  'epoch: given up before its commit',
  'epoch: committed while its group was ending',
  'recovery: an epoch was published that was committed',
  'recovery: files no epoch names were deleted',
  'tables: one was brought in line',
  'supervision: the processing group restarted',
  'supervision: a child restarted',
  'supervision: an actor hung',
  'supervision: given up',
  'feed: a connection was silent',
  'feed: a connection was refused',
  'feed: a subscription was never answered',
  'feed: a message was too large',
  'backfill: slowed down by the exchange',
  'backfill: a request failed',
  'backfill: a range was given up',
  'backfill: a page could not be stored',
  'backfill: an answer came after the stop',
  'backfill: a gap of the ledger was asked for',
  'candles: a late trade changed a committed candle',
] as const;

export type Mark = (typeof MARKS)[number];

let hear: ((mark: Mark) => void) | undefined;

export function mark(name: Mark): void {
  hear?.(name);
}

/** One listener in a thread; undefined ends it. */
export function onMark(listener: ((mark: Mark) => void) | undefined): void {
  hear = listener;
}
