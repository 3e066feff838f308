/**
 * The simulator's end of one client connection, as the exchange protocols see it. With sockets it
 * is a Session; offline it is a list of frames. A protocol only talks and keeps `wants` up to date;
 * sending trades is the caller's work.
 */
import type { Clock } from '#src/base/clock';
import type { FaultProfile } from '#src/simulator/faults';
import type { Feed, FrameFormat } from '#src/simulator/frame-format';
import type { Journal } from '#src/simulator/journal';
import type { Limits } from '#src/simulator/limits';
import type { Market } from '#src/simulator/market';

export interface Peer {
  /** Number of the connection, from 1, over all venues. */
  readonly connection: number;
  text(message: string): void;
  /** Sends units of a feed in a format of the protocol's choice: snapshots, replays. */
  trades(feed: Feed, format: FrameFormat, instrument: number, first: number, count: number): void;
  /** Per instrument of the feed: 1 when the client is subscribed. */
  wants(feed: Feed): Uint8Array;
  /** The format the feed's messages are sent in from now on. */
  setFormat(feed: Feed, format: FrameFormat): void;
  ping(payload: string): void;
  close(code: number, reason: string): void;
  /** Monotonic time at which something was last sent. */
  readonly lastSentMs: number;
}

/** What a protocol knows of the exchange it speaks for. */
export interface VenueState {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly market: Market;
  readonly journal: Journal;
  readonly profile: FaultProfile;
  /** The feeds this venue sends; a subscription to another one stays silent. */
  readonly feeds: readonly Feed[];
}

/** One connection's protocol state. */
export interface Protocol {
  /** A text message of the client. */
  message(text: string): void;
  pong(payload: string): void;
  /** Called every few milliseconds. */
  tick(nowMs: number): void;
  /** The planned end of the connection is near (Binance tells its clients). */
  announceShutdown(): void;
}

export type OpenProtocol = (peer: Peer, venue: VenueState, url: string) => Protocol;

/** The index of each native symbol in a market. */
export function symbolIndex(market: Market): ReadonlyMap<string, number> {
  return new Map(market.tapes.map((tape, index) => [tape.instrument.nativeSymbol, index]));
}

/** The `replay` fault: the last trades again, as if the exchange had lost its place. */
export function replayTrades(
  peer: Peer,
  venue: VenueState,
  feed: Feed,
  format: FrameFormat,
  instrument: number,
): void {
  const tape = venue.market.tapes[instrument]!;
  const end = feed === 'binance-aggtrade' ? tape.aggregates : tape.rows;
  const oldest = feed === 'binance-aggtrade' ? tape.firstAggregate : tape.firstRow;
  const first = Math.max(oldest, end - venue.profile.replayTrades);
  if (first >= end) return;
  const { nativeSymbol, startId } = tape.instrument;
  const { connection } = peer;
  const firstId = startId + first;
  const count = end - first;
  venue.journal.fault({ feed, fault: 'replay', connection, nativeSymbol, firstId, count });
  for (let unit = first; unit < end; unit++) {
    if (feed === 'binance-aggtrade' || !tape.lost(unit)) {
      peer.trades(feed, format, instrument, unit, 1);
    }
  }
}
