/**
 * One exchange, live: its lanes, its budget of connection attempts, its trade marks and its backfill.
 *
 * The session stores every frame through its sink before it looks at it. What it learns from frames
 * only steers connections and requests; nothing it decides changes what is stored.
 */

import type { Instrument } from '#schemas/instrument';
import { mark } from '#src/base/marks';
import type { Timer } from '#src/base/timers';
import { KIND_REST, KIND_WS } from '#src/log/frame';
import { AttemptBudget } from './attempt-budget.js';
import { BACKFILL_LIMITS, Backfill, type BackfillOwner } from './backfill.js';
import type { FeedConnection } from './connection.js';
import type { FeedCounters } from './counters.js';
import { historyOf } from './history-of.js';
import { FeedLane, type LaneOwner, type LaneState } from './lane.js';
import type { FeedOptions } from './options.js';
import type { FeedPorts } from './ports.js';
import type { Control, FeedProtocol } from './protocol.js';
import { protocolOf } from './protocol-of.js';
import { type ConnectionEnd, describeEnd } from './reconnect-decision.js';
import { plannedAge } from './rotation.js';
import { SilentSymbols, type SilentSymbolsOwner } from './silent-symbols.js';
import { evenGroups } from './subscription-plan.js';
import type { Rejection } from './subscription-tracker.js';
import { listingOf } from './symbol-listing.js';
import type { IdRange, PageTrades } from './trade-history.js';
import { TradeIdScanner } from './trade-id-scanner.js';
import { TradeMarks } from './trade-marks.js';

const TICK_MS = 1_000;
/** Notices of the exchange passed on per tick: a flood of garbage must not become a flood of logs. */
const NOTICES_PER_TICK = 5;
/** Connection number of pages fetched over REST. */
const REST_CONNECTION = 0;
/** Connection numbers stay within 16 bits and never take REST's. */
const CONNECTION_NUMBERS = 0xffff;

/** Where frames go. */
export interface FrameSink {
  /** Stores a frame; answers its receive time in us, or -1 when nothing can be stored now. */
  store(frame: Uint8Array, kind: number, connection: number): number;
}

export interface FeedEvent {
  readonly level: 'info' | 'warn' | 'error';
  /** A stable name for counting and alerting. */
  readonly event:
    | 'connected'
    | 'disconnected'
    | 'oversize'
    | 'symbol_rejected'
    | 'ack_missing'
    | 'notice'
    | 'shutdown_notice'
    | 'rate_limited'
    | 'backfilled'
    | 'backfill_given_up';
  /** One sentence. */
  readonly text: string;
}

export interface LaneStatus {
  readonly connection: number;
  readonly state: LaneState;
  readonly host: string;
  readonly symbols: number;
  /** Start of the present state of affairs: live since, or opened at. */
  readonly sinceUs: number;
  readonly frames: number;
  /** Age of the last frame, ms, or -1 before the first. */
  readonly lastFrameAgeMs: number;
  readonly reconnects: number;
  readonly lastError: string;
}

export interface SessionSpec {
  readonly exchange: Instrument['exchange'];
  readonly options: FeedOptions;
  readonly instruments: readonly Instrument[];
}

export class ExchangeSession implements LaneOwner, BackfillOwner, SilentSymbolsOwner {
  readonly #spec: SessionSpec;
  readonly #protocol: FeedProtocol;
  readonly #ports: FeedPorts;
  readonly #sink: FrameSink;
  readonly #counters: FeedCounters;
  readonly #report: (event: FeedEvent) => void;
  readonly #url: string;
  readonly #lanes: readonly FeedLane[];
  /** Wire symbol to index in the session's instruments. */
  readonly #index: ReadonlyMap<string, number>;
  readonly #marks: TradeMarks;
  readonly #scanner: TradeIdScanner;
  readonly #backfill: Backfill | undefined;
  readonly #silent: SilentSymbols | undefined;
  /** Instruments with a range waiting or under way: one at a time, later suspicions wait. */
  readonly #filling = new Set<number>();
  /** The last range given up, by instrument. */
  readonly #givenUp = new Map<number, Pick<IdRange, 'lo' | 'hi'>>();
  /** Gaps of the ledger asked for already, of those it showed last: each is asked for once. */
  #askedGaps = new Set<string>();
  readonly #reported = new Set<string>();
  readonly #encoder = new TextEncoder();
  #lastConnection = 0;
  #receiveTimeUs = 0;
  #notices = 0;
  #tick: Timer | undefined;

  constructor(
    spec: SessionSpec,
    ports: FeedPorts,
    sink: FrameSink,
    counters: FeedCounters,
    report: (event: FeedEvent) => void,
  ) {
    const { exchange, options, instruments } = spec;
    const protocol = protocolOf(exchange, options.channel);
    this.#spec = spec;
    this.#protocol = protocol;
    this.#ports = ports;
    this.#sink = sink;
    this.#counters = counters;
    this.#report = report;
    this.#url = options.url ?? protocol.url;
    const symbols = instruments.map((instrument) => protocol.wireSymbol(instrument.nativeSymbol));
    this.#index = new Map(symbols.map((symbol, index) => [symbol, index]));
    this.#marks = new TradeMarks(instruments.length);
    this.#scanner = new TradeIdScanner(protocol.tradeKeys, symbols, (index, id) =>
      this.#marks.note(index, id, this.#receiveTimeUs),
    );
    instruments.forEach((instrument, index) => {
      const left = options.resume?.[instrument.nativeSymbol];
      if (left !== undefined) this.#marks.resume(index, left.tradeId, left.timeUs);
    });
    this.#lanes = this.#planLanes(symbols);
    counters.lanes = this.#lanes.length;
    this.#backfill = options.backfill === false ? undefined : this.#newBackfill();
    this.#silent = this.#newSilentSymbols();
  }

  start(): void {
    for (const lane of this.#lanes) lane.start();
    this.#backfill?.start();
    this.#tickLater();
  }

  /** Ends all connections; resolves when the last one has. `orderly` takes what is under way. */
  async stop(orderly: boolean): Promise<void> {
    this.#tick?.cancel();
    this.#backfill?.stop();
    await Promise.all(this.#lanes.map((lane) => lane.stop(orderly)));
  }

  /**
   * The gaps that the ledger shows after an epoch. What this session saw missing it fetches by itself;
   * these are the gaps of an earlier life whose log was judged after this one began.
   */
  fillGaps(gaps: readonly IdRange[]): void {
    const asked = this.#askedGaps;
    this.#askedGaps = new Set();
    for (const gap of gaps) {
      const index = this.#index.get(this.#protocol.wireSymbol(gap.symbol));
      if (index === undefined) continue;
      // Below what was given up the exchange may well have older trades.
      const givenUp = this.#givenUp.get(index);
      if (givenUp !== undefined && givenUp.lo <= gap.lo && gap.hi <= givenUp.hi) continue;
      const wasAsked = asked.has(gapName(gap));
      if (wasAsked || this.#marks.suspectGap(index, gap.lo, gap.hi, gap.sinceUs)) {
        if (!wasAsked) mark('backfill: a gap of the ledger was asked for');
        this.#askedGaps.add(gapName(gap));
      }
    }
  }

  status(): LaneStatus[] {
    const nowUs = this.#ports.clock.nowUs();
    const host = new URL(this.#url).host;
    return this.#lanes.map((lane) => {
      const { connection } = lane;
      const lastFrameUs = connection?.lastFrameUs ?? 0;
      return {
        connection: connection?.number ?? 0,
        state: lane.state,
        host,
        symbols: lane.symbols.length,
        sinceUs: lane.sinceUs,
        frames: connection?.frames ?? 0,
        lastFrameAgeMs: lastFrameUs === 0 ? -1 : (nowUs - lastFrameUs) / 1000,
        reconnects: lane.reconnects,
        lastError: lane.lastError,
      };
    });
  }

  nextConnectionNumber(): number {
    this.#counters.connectionsOpened++;
    if (this.#counters.connectionsOpened > this.#lanes.length) this.#counters.reconnects++;
    this.#lastConnection = (this.#lastConnection % CONNECTION_NUMBERS) + 1;
    return this.#lastConnection;
  }

  onFrame(connection: FeedConnection, frame: Uint8Array, isTrade: boolean): void {
    const receiveTimeUs = this.#sink.store(frame, KIND_WS, connection.number);
    if (receiveTimeUs === -1) return;
    connection.lastFrameUs = receiveTimeUs;
    if (!isTrade) {
      this.#counters.controlFrames++;
      return;
    }
    this.#receiveTimeUs = receiveTimeUs;
    this.#scanner.scan(frame);
  }

  onControl(_lane: FeedLane, connection: FeedConnection, control: Control): void {
    switch (control.kind) {
      case 'progress':
        this.#onProgress(control.symbol, control.tradeId);
        return;
      case 'notice':
        this.#notice('notice', `connection ${connection.number}: ${control.text}`);
        return;
      case 'reject':
        this.#notice('notice', `connection ${connection.number} was told: ${control.text}`);
        return;
      case 'shutdown':
        this.#notice('shutdown_notice', `connection ${connection.number} is about to be cut`);
    }
  }

  onLive(lane: FeedLane, connection: FeedConnection, resumed: boolean): void {
    const symbols = lane.symbols.length;
    const text = `connection ${connection.number} is live with ${symbols} symbols`;
    this.#say('info', 'connected', text);
    this.#countConnected();
    if (!resumed && this.#spec.options.resume === undefined) return;
    for (const symbol of lane.symbols) this.#marks.suspectTail(this.#index.get(symbol)!);
  }

  hasTraded(index: number): boolean {
    return this.#marks.isNoted(index);
  }

  onUnlisted(index: number, why: string): void {
    const symbol = this.#spec.instruments[index]!.nativeSymbol;
    this.onRejected([{ symbol, text: why }]);
  }

  onRejected(rejections: readonly Rejection[]): void {
    for (const { symbol, text } of rejections) {
      if (!this.#isNews(symbol)) continue;
      this.#counters.symbolsRejected++;
      this.#say('error', 'symbol_rejected', `${symbol} was refused (${text}); the rest goes on`);
    }
  }

  onUnanswered(symbols: readonly string[]): void {
    for (const symbol of symbols) {
      if (!this.#isNews(symbol)) continue;
      this.#counters.acksMissing++;
      this.#say('error', 'ack_missing', `${symbol} was never acknowledged; the rest goes on`);
    }
  }

  onEnded(connection: FeedConnection, end: ConnectionEnd, retryMs: number | undefined): void {
    this.#countConnected();
    if (end.kind === 'oversize') {
      mark('feed: a message was too large');
      this.#counters.oversize++;
    }
    if (end.kind === 'silent') {
      mark('feed: a connection was silent');
      this.#counters.silences++;
    }
    if (end.kind === 'refused') mark('feed: a connection was refused');
    if (end.kind === 'refused' && (end.status === 429 || end.status === 418)) {
      this.#counters.rateLimited++;
    }
    if (end.kind === 'done') return;
    const retry = retryMs === undefined ? '' : `; next attempt in ${Math.ceil(retryMs)} ms`;
    const text = `connection ${connection.number}: ${describeEnd(end)}${retry}`;
    this.#say('warn', end.kind === 'oversize' ? 'oversize' : 'disconnected', text);
  }

  onPage(range: IdRange, body: Uint8Array, page: PageTrades): boolean {
    const tag = this.#encoder.encode(`${range.symbol}\n`);
    const frame = new Uint8Array(tag.length + body.length);
    frame.set(tag);
    frame.set(body, tag.length);
    if (this.#sink.store(frame, KIND_REST, REST_CONNECTION) === -1) return false;
    this.#counters.backfillPages++;
    this.#marks.fill(this.#indexOf(range.symbol), page.firstId, page.lastId);
    return true;
  }

  onRangeEnded(range: IdRange, shortfall: string | undefined): void {
    const index = this.#indexOf(range.symbol);
    this.#filling.delete(index);
    const ids = `${range.symbol} trades ${range.lo} to ${Number.isFinite(range.hi) ? range.hi : 'now'}`;
    if (shortfall === undefined) {
      this.#say('info', 'backfilled', `${ids} fetched`);
      return;
    }
    this.#counters.backfillGivenUp++;
    mark('backfill: a range was given up');
    // Of an open range nobody knows how much of what is missing by now it was about.
    const isOpen = range.hi === Number.POSITIVE_INFINITY;
    this.#givenUp.set(index, isOpen ? { lo: range.hi, hi: this.#marks.mark(index) } : range);
    this.#say(
      'warn',
      'backfill_given_up',
      `${ids} given up: ${shortfall}; what is missing stays a gap`,
    );
  }

  onRateLimited(waitMs: number, text: string): void {
    this.#counters.rateLimited++;
    this.#say('warn', 'rate_limited', `backfill pauses for ${Math.ceil(waitMs / 1000)} s: ${text}`);
  }

  #planLanes(symbols: readonly string[]): FeedLane[] {
    const { options } = this.#spec;
    const protocol = this.#protocol;
    const budget = new AttemptBudget(protocol.attempts);
    const silenceMs = options.silenceMs ?? protocol.silenceMs;
    const age = plannedAge(options.connectionAgeMs, protocol.age);
    const sizeMax = options.streamsPerConnectionMax ?? protocol.streamsPerConnectionMax;
    return evenGroups(symbols, Math.min(sizeMax, protocol.streamsPerConnectionMax)).map(
      (group) =>
        new FeedLane(
          { url: this.#url, protocol, symbols: group, silenceMs, age },
          this.#ports,
          budget,
          this,
        ),
    );
  }

  #newBackfill(): Backfill {
    const { exchange, options } = this.#spec;
    const history = historyOf(exchange, options.channel);
    const baseUrl = options.restUrl ?? history.baseUrl;
    return new Backfill(history, baseUrl, this.#ports, BACKFILL_LIMITS, this);
  }

  #newSilentSymbols(): SilentSymbols | undefined {
    const { exchange, options, instruments } = this.#spec;
    const listing = listingOf(exchange);
    if (listing === undefined) return undefined;
    const symbols = instruments.map(({ nativeSymbol }) => nativeSymbol);
    const baseUrl = options.restUrl ?? listing.baseUrl;
    return new SilentSymbols(symbols, listing, baseUrl, this.#ports, this);
  }

  #tickLater(): void {
    this.#tick = this.#ports.timers.after(TICK_MS, () => {
      this.#onTick();
      this.#tickLater();
    });
  }

  #onTick(): void {
    this.#notices = 0;
    if (this.#counters.connected > 0) this.#silent?.tick();
    const backfill = this.#backfill;
    if (backfill === undefined) return;
    this.#marks.tick();
    this.#spec.instruments.forEach(({ nativeSymbol }, index) => {
      const range = this.#filling.has(index) ? undefined : this.#marks.take(index);
      if (range === undefined) return;
      this.#filling.add(index);
      this.#counters.backfillRanges++;
      backfill.add({ symbol: nativeSymbol, ...range });
    });
    this.#counters.backfillWaiting = backfill.waiting;
  }

  /** The exchange says an instrument has come as far as `tradeId`. */
  #onProgress(symbol: string, tradeId: number): void {
    const index = this.#index.get(symbol);
    if (index === undefined || this.#filling.has(index)) return;
    // The exchange's claims up to there are not believed again.
    if (tradeId <= (this.#givenUp.get(index)?.hi ?? -1)) return;
    this.#marks.suspect(index, this.#marks.mark(index) + 1, tradeId);
  }

  #indexOf(nativeSymbol: string): number {
    return this.#index.get(this.#protocol.wireSymbol(nativeSymbol))!;
  }

  #countConnected(): void {
    const states = this.#lanes.map((lane) => lane.state);
    this.#counters.connected = states.filter((s) => s === 'live' || s === 'rotating').length;
  }

  #isNews(symbol: string): boolean {
    if (this.#reported.has(symbol)) return false;
    this.#reported.add(symbol);
    return true;
  }

  #notice(event: 'notice' | 'shutdown_notice', text: string): void {
    if (this.#notices++ < NOTICES_PER_TICK) this.#say('warn', event, text);
  }

  #say(level: FeedEvent['level'], event: FeedEvent['event'], text: string): void {
    this.#report({ level, event, text: `${this.#spec.exchange}: ${text}` });
  }
}

function gapName({ symbol, lo, hi }: IdRange): string {
  return `${symbol} ${lo} ${hi}`;
}
