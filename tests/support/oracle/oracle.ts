/**
 * The oracle: the whole pipeline for one exchange as a plain program. Frames in log order go in;
 * silver, gold, dead letters, gaps and candles come out. Sets, maps, BigInts and whole histories in
 * memory, no batches, no epochs, nothing of the product but the names in schemas/.
 */
import type { ReasonName } from '#schemas/dead-letter';
import type { Exchange } from '#schemas/exchange';
import { TIMEFRAME_US } from '#schemas/timeframe';
import { FRAME_KIND, readFrame } from '#tests/support/oracle/frames';
import type { Reading } from '#tests/support/oracle/record';
import type { Venue } from '#tests/support/oracle/venue';

export interface OracleInstrument {
  readonly exchange: Exchange;
  readonly nativeSymbol: string;
  readonly symbol: string;
  readonly quoteAsset: string;
}

export interface OracleOptions {
  readonly exchange: Exchange;
  /** Of any exchange; the others are left out. */
  readonly instruments: readonly OracleInstrument[];
  /** Binance in aggTrade mode. */
  readonly aggregates?: boolean;
  readonly allowedLatenessUs: number;
  readonly futureToleranceUs: number;
  readonly ageLimitUs: number;
}

export interface OracleTrade {
  readonly instrument: OracleInstrument;
  readonly id: number;
  readonly timeUs: number;
  readonly price: bigint;
  readonly quantity: bigint;
  readonly side: 'BUY' | 'SELL';
  readonly conditions: readonly string[];
  readonly sequence: number | undefined;
  readonly span: readonly [first: number, last: number] | undefined;
  readonly receiveTimeUs: number;
  /** Sequence of its frame in the log, and its place in the frame. */
  readonly frame: number;
  readonly index: number;
}

export interface AcceptedTrade extends OracleTrade {
  /** Per timeframe: whether it came after its window had closed for good. */
  readonly late: readonly boolean[];
}

export interface OracleDeadLetter {
  readonly exchange: Exchange;
  readonly raw: Buffer;
  readonly index: number;
  readonly reason: ReasonName;
  readonly receiveTimeUs: number;
  readonly frame: number;
}

export interface OracleGap {
  readonly symbol: string;
  readonly fromId: number;
  readonly toId: number;
  readonly afterUs: number;
  readonly beforeUs: number;
}

const BAD_RECORDS_MAX = 64;

/** What is known of one instrument: every accepted trade by id, and the newest of their times. */
interface History {
  readonly trades: Map<number, AcceptedTrade>;
  newestUs: number;
}

export class Oracle {
  readonly exchange: Exchange;
  readonly silver: OracleTrade[] = [];
  readonly gold: AcceptedTrade[] = [];
  readonly deadLetters: OracleDeadLetter[] = [];
  frames = 0;
  control = 0;
  /** Largest receive time so far. */
  watermarkUs = 0;
  readonly #options: OracleOptions;
  readonly #venue: Venue;
  readonly #byNativeSymbol: ReadonlyMap<string, OracleInstrument>;
  readonly #histories = new Map<string, History>();

  constructor(options: OracleOptions) {
    const { exchange, aggregates = false } = options;
    this.exchange = exchange;
    this.#options = options;
    const instruments = options.instruments.filter((known) => known.exchange === exchange);
    this.#byNativeSymbol = new Map(instruments.map((known) => [known.nativeSymbol, known]));
    this.#venue = { exchange, aggregates, known: new Set(this.#byNativeSymbol.keys()) };
  }

  get allowedLatenessUs(): number {
    return this.#options.allowedLatenessUs;
  }

  /**
   * The next frame of the log; its sequence where the log has lost some. A receive time below the
   * last one counts as the last one.
   */
  frame(bytes: Uint8Array, kind: number, receivedUs: number, sequence = this.frames): void {
    const frame = sequence;
    this.frames++;
    const receiveTimeUs = Math.max(receivedUs, this.watermarkUs);
    this.watermarkUs = receiveTimeUs;
    const reading = readFrame(this.#venue, bytes, kind);
    const dead = (index: number, reason: ReasonName): void => {
      const { exchange } = this;
      const raw = Buffer.from(bytes);
      this.deadLetters.push({ exchange, raw, index, reason, receiveTimeUs, frame });
    };
    if ('control' in reading) {
      this.control++;
      return;
    }
    if ('dead' in reading) {
      dead(-1, reading.dead);
      return;
    }
    let bad = 0;
    const live = kind === FRAME_KIND.ws || kind === FRAME_KIND.rest;
    for (const [index, record] of reading.records.entries()) {
      const reason = record.reason ?? this.#brokenRule(record, receiveTimeUs, live);
      if (record.reason !== undefined || reason !== undefined) {
        // The first 64 bad records of a frame get a letter each, one more stands for the others.
        if (bad < BAD_RECORDS_MAX) dead(index, reason as ReasonName);
        else if (bad === BAD_RECORDS_MAX) dead(-1, reason as ReasonName);
        bad++;
        continue;
      }
      const { nativeSymbol, reason: _, ...values } = record;
      const instrument = this.#byNativeSymbol.get(nativeSymbol)!;
      this.#trade({ ...values, instrument, receiveTimeUs, frame, index });
    }
  }

  /** Trade ids missing between two that are there, by symbol and id. */
  gaps(): OracleGap[] {
    const gaps: OracleGap[] = [];
    for (const [symbol, { trades }] of this.#histories) {
      const ids = [...trades.keys()].sort((a, b) => a - b);
      for (const [i, id] of ids.entries()) {
        const before = ids[i - 1];
        if (before === undefined || before + 1 === id) continue;
        gaps.push({
          symbol,
          fromId: before + 1,
          toId: id - 1,
          afterUs: trades.get(before)!.timeUs,
          beforeUs: trades.get(id)!.timeUs,
        });
      }
    }
    return gaps;
  }

  /** Whether a trade of that id is in gold. */
  has(symbol: string, id: number): boolean {
    return this.#histories.get(symbol)?.trades.has(id) ?? false;
  }

  #brokenRule(
    { timeUs }: Reading & { reason: undefined },
    receiveTimeUs: number,
    live: boolean,
  ): ReasonName | undefined {
    const { futureToleranceUs, ageLimitUs } = this.#options;
    if (timeUs > receiveTimeUs + futureToleranceUs) return 'timestamp_future';
    return live && timeUs < receiveTimeUs - ageLimitUs ? 'timestamp_too_old' : undefined;
  }

  #trade(trade: OracleTrade): void {
    this.silver.push(trade);
    const { symbol } = trade.instrument;
    let history = this.#histories.get(symbol);
    if (history === undefined) {
      history = { trades: new Map(), newestUs: -1 };
      this.#histories.set(symbol, history);
    }
    if (history.trades.has(trade.id)) return;
    const { timeUs, receiveTimeUs, conditions } = trade;
    const { newestUs } = history;
    const imported = conditions.includes('imported');
    const late = TIMEFRAME_US.map((lengthUs) => {
      const endUs = timeUs - (timeUs % lengthUs) + lengthUs;
      const closedUs = endUs + this.#options.allowedLatenessUs;
      return newestUs >= closedUs || (!imported && receiveTimeUs >= closedUs);
    });
    const accepted = { ...trade, late };
    history.trades.set(trade.id, accepted);
    history.newestUs = Math.max(newestUs, timeUs);
    this.gold.push(accepted);
  }
}
