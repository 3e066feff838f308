/**
 * The journal: what is true, written down before it is sent.
 *
 * It knows every trade that happened, how often each feed sent it, whether REST served it, and
 * every faulty frame with the reason a receiver must find. From it a test computes the expected
 * gold, dead letters and gaps without looking at the code under test. "Sent" means handed to an
 * open connection's socket: bytes in flight when a socket is destroyed (`abort`) may never arrive,
 * so after an abort the sent set bounds the received set from above; a clean close loses nothing.
 */
import type { ReasonName } from '#schemas/dead-letter';
import type { Exchange } from '#schemas/exchange';
import { assert } from '#src/base/errors';
import { ByteColumn } from '#src/simulator/column';
import { decimalText } from '#src/simulator/decimal-text';
import type { Garbage, MessageFault } from '#src/simulator/faults';
import { FEED_EXCHANGE, type Feed } from '#src/simulator/frame-format';
import type { Market } from '#src/simulator/market';
import { BUY, type Tape } from '#src/simulator/tape';

export interface JournalTrade {
  readonly exchange: Exchange;
  readonly nativeSymbol: string;
  readonly symbol: string;
  readonly id: number;
  readonly timeUs: number;
  /** Exact, with all decimals of the tick size. */
  readonly price: string;
  readonly quantity: string;
  /** The aggressor's. */
  readonly side: 'BUY' | 'SELL';
  /** On the aggTrade feed: the raw trades it is made of. */
  readonly firstId: number;
  readonly lastId: number;
  /** The exchange itself lost it. */
  readonly lost: boolean;
  /** Kept from the feed on purpose; REST has it. */
  readonly dropped: boolean;
  /** Times sent on a connection, up to 255. */
  readonly sends: number;
  /** Served in a REST answer. */
  readonly served: boolean;
}

/** A fault as it happened. */
export interface JournalFault {
  readonly feed: Feed;
  readonly fault: MessageFault | 'replay' | 'refuse';
  /** 0 for what no connection has seen (drop) or every one may see (duplicate, reorder, late). */
  readonly connection: number;
  readonly nativeSymbol?: string;
  readonly firstId?: number;
  readonly count?: number;
  /** What a receiver must find: one dead letter with this reason, at this index of the frame. */
  readonly reason?: ReasonName;
  readonly recordIndex?: number;
  readonly garbage?: Garbage;
  readonly closeCode?: number;
  readonly bytes?: Uint8Array;
  readonly byteLength?: number;
}

export interface JournalGap {
  readonly nativeSymbol: string;
  readonly firstId: number;
  readonly lastId: number;
  /** Times of the delivered trades just before and just after. */
  readonly afterUs: number;
  readonly beforeUs: number;
}

interface FeedRecord {
  readonly market: Market;
  readonly sends: readonly ByteColumn[];
  readonly served: readonly ByteColumn[];
  readonly dropped: readonly ByteColumn[];
  sent: number;
}

export class Journal {
  readonly #feeds = new Map<Feed, FeedRecord>();
  readonly #faults: JournalFault[] = [];
  readonly #line: ((line: string) => void) | undefined;

  /** `line` is given each entry as one line of NDJSON, ending in a newline. */
  constructor(line?: (line: string) => void) {
    this.#line = line;
  }

  addFeed(feed: Feed, market: Market): void {
    assert(!this.#feeds.has(feed), `feed ${feed} is in the journal already`);
    const columns = (): ByteColumn[] => market.tapes.map(() => new ByteColumn());
    const record = {
      market,
      sends: columns(),
      served: columns(),
      dropped: columns(),
      sent: 0,
    };
    this.#feeds.set(feed, record);
  }

  /** Rows [first, first + count) happened. Only written out: the tape itself is the record. */
  happened(tape: Tape, first: number, count: number): void {
    if (this.#line === undefined) return;
    for (let row = first; row < first + count; row++) {
      this.#line(`${JSON.stringify({ entry: 'trade', ...tradeTruth(tape, row) })}\n`);
    }
  }

  /** Units [first, first + count) are about to be sent on a connection. Lost trades never are. */
  sent(feed: Feed, instrument: number, first: number, count: number, connection: number): void {
    const record = this.#record(feed);
    const column = record.sends[instrument] as ByteColumn;
    const tape = record.market.tapes[instrument] as Tape;
    const aggregate = feed === 'binance-aggtrade';
    for (let unit = first; unit < first + count; unit++) {
      if (!aggregate && tape.lost(unit)) continue;
      record.sent++;
      column.set(unit, Math.min(255, column.get(unit) + 1));
    }
    if (this.#line === undefined) return;
    const { nativeSymbol, startId } = tape.instrument;
    const entry = {
      entry: 'sent',
      feed,
      connection,
      nativeSymbol,
      firstId: startId + first,
      count,
    };
    this.#line(`${JSON.stringify(entry)}\n`);
  }

  /** A unit is about to be served in a REST answer. */
  served(feed: Feed, instrument: number, unit: number): void {
    const record = this.#feeds.get(feed);
    if (record === undefined) return;
    record.served[instrument]!.set(unit, 1);
  }

  fault(fault: JournalFault): void {
    this.#faults.push(fault);
    if (this.#line === undefined) return;
    const bytes =
      fault.bytes === undefined ? undefined : Buffer.from(fault.bytes).toString('base64');
    this.#line(`${JSON.stringify({ entry: 'fault', ...fault, bytes })}\n`);
  }

  dropped(feed: Feed, instrument: number, first: number, count: number): void {
    const column = this.#record(feed).dropped[instrument] as ByteColumn;
    for (let unit = first; unit < first + count; unit++) column.set(unit, 1);
  }

  /** Every fault so far, in order. */
  faults(): readonly JournalFault[] {
    return this.#faults;
  }

  /** Faulty frames a receiver must turn into a dead letter, one entry per send. */
  deadLetters(feed: Feed): readonly JournalFault[] {
    return this.#faults.filter((fault) => fault.feed === feed && fault.reason !== undefined);
  }

  /** Trades sent, counting every send on every connection. */
  sends(feed: Feed): number {
    return this.#record(feed).sent;
  }

  /** Every trade (on the aggTrade feed: every aggregate) still held, by instrument and id. */
  *trades(feed: Feed): Generator<JournalTrade> {
    const record = this.#record(feed);
    const aggregate = feed === 'binance-aggtrade';
    for (const [instrument, tape] of record.market.tapes.entries()) {
      const first = aggregate ? tape.firstAggregate : tape.firstRow;
      const end = aggregate ? tape.aggregates : tape.rows;
      for (let unit = first; unit < end; unit++) {
        yield {
          ...(aggregate ? aggregateTruth(tape, unit) : tradeTruth(tape, unit)),
          dropped: record.dropped[instrument]!.get(unit) === 1,
          sends: record.sends[instrument]!.get(unit),
          served: record.served[instrument]!.get(unit) === 1,
        };
      }
    }
  }

  /** Ids neither sent nor served between two that were. `rest: false` leaves REST out. */
  gaps(feed: Feed, { rest = true } = {}): JournalGap[] {
    const gaps: JournalGap[] = [];
    let last: JournalTrade | undefined;
    for (const trade of this.trades(feed)) {
      if (trade.sends === 0 && !(rest && trade.served)) continue;
      const { nativeSymbol, id, timeUs } = trade;
      if (last?.nativeSymbol === nativeSymbol && id > last.id + 1) {
        const afterUs = last.timeUs;
        gaps.push({
          nativeSymbol,
          firstId: last.id + 1,
          lastId: id - 1,
          afterUs,
          beforeUs: timeUs,
        });
      }
      last = trade;
    }
    return gaps;
  }

  #record(feed: Feed): FeedRecord {
    const record = this.#feeds.get(feed);
    assert(record !== undefined, `the ${FEED_EXCHANGE[feed]} feed ${feed} is not simulated`);
    return record;
  }
}

type Truth = Omit<JournalTrade, 'dropped' | 'sends' | 'served'>;

function tradeTruth(tape: Tape, row: number): Truth {
  const { exchange, nativeSymbol, symbol, priceDecimals, quantityDecimals } = tape.instrument;
  const id = tape.id(row);
  return {
    exchange,
    nativeSymbol,
    symbol,
    id,
    timeUs: tape.time.get(row),
    price: decimalText(tape.price.get(row), priceDecimals),
    quantity: decimalText(tape.quantity.get(row), quantityDecimals),
    side: tape.side(row) === BUY ? 'BUY' : 'SELL',
    firstId: id,
    lastId: id,
    lost: tape.lost(row),
  };
}

/** An aggregate is never lost: `lose` is about single trades. */
function aggregateTruth(tape: Tape, aggregate: number): Truth {
  const first = tape.aggregateRow(aggregate);
  const end = tape.aggregateRow(aggregate + 1);
  let lots = 0n;
  for (let row = first; row < end; row++) lots += BigInt(tape.quantity.get(row));
  return {
    ...tradeTruth(tape, first),
    id: tape.instrument.startId + aggregate,
    quantity: decimalText(lots, tape.instrument.quantityDecimals),
    lastId: tape.id(end - 1),
    lost: false,
  };
}
