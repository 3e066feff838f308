/** What one exchange's ingest counts: a plain object of numbers, since its start. */
export interface FeedCounters {
  /** Frames stored, of any kind, and their bytes. */
  frames: number;
  bytes: number;
  /** WebSocket frames that are no trades: acknowledgements, heartbeats, errors, garbage. */
  controlFrames: number;
  /** Frames that came while the disk took none. */
  framesRefused: number;
  connectionsOpened: number;
  /** Connections opened to come back or to rotate. */
  reconnects: number;
  /** Lanes with a live connection now. */
  connected: number;
  lanes: number;
  symbolsRejected: number;
  acksMissing: number;
  /** Messages refused for being larger than a frame may be. */
  oversize: number;
  /** Connections dropped because nothing came. */
  silences: number;
  rateLimited: number;
  backfillRanges: number;
  backfillPages: number;
  backfillGivenUp: number;
  backfillWaiting: number;
  syncs: number;
  /** Times the disk was found full. */
  diskFull: number;
}

export function newFeedCounters(): FeedCounters {
  return {
    frames: 0,
    bytes: 0,
    controlFrames: 0,
    framesRefused: 0,
    connectionsOpened: 0,
    reconnects: 0,
    connected: 0,
    lanes: 0,
    symbolsRejected: 0,
    acksMissing: 0,
    oversize: 0,
    silences: 0,
    rateLimited: 0,
    backfillRanges: 0,
    backfillPages: 0,
    backfillGivenUp: 0,
    backfillWaiting: 0,
    syncs: 0,
    diskFull: 0,
  };
}
