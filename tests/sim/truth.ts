/**
 * What must be true of one exchange: the oracle (tests/support/oracle) fed with the frames that the
 * last epoch covers, and what it makes of them as the lines that files of lines hold.
 */
import type { Exchange } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { TRADE_CONDITIONS } from '#schemas/trade';
import { BronzeMirror } from '#tests/sim/bronze';
import { bytesText, LineSum } from '#tests/sim/line-sum';
import { Violation } from '#tests/sim/violation';
import { deadLetterLine, tradeLine } from '#tests/support/oracle/lines';
import { Oracle, type OracleDeadLetter, type OracleTrade } from '#tests/support/oracle/oracle';

export type Kind = 'silver' | 'gold' | 'dead';

const KIND_WS = 0;
const KIND_REST = 1;

export class Truth {
  readonly exchange: Exchange;
  readonly oracle: Oracle;
  readonly mirror: BronzeMirror;
  readonly codeOf = new Map<string, number>();
  /** The rows that the last epoch has to add. */
  readonly added: Record<Kind, string[]> = { silver: [], gold: [], dead: [] };
  /** All rows up to the last epoch. */
  readonly sums: Readonly<Record<Kind, LineSum>> = {
    silver: new LineSum(),
    gold: new LineSum(),
    dead: new LineSum(),
  };
  readonly #parquet: boolean;
  /** Frames of the mirror the oracle has seen. */
  #fed = 0;
  /** By frame of the mirror: which delivered frame it was; for the ones matched so far. */
  readonly #matched: number[] = [];
  #lifeBegins = 0;

  constructor(
    exchange: Exchange,
    dir: string,
    instruments: readonly Omit<Instrument, 'code'>[],
    rules: { allowedLatenessUs: number; futureToleranceUs: number; ageLimitUs: number },
    parquet: boolean,
  ) {
    this.#parquet = parquet;
    this.exchange = exchange;
    this.mirror = new BronzeMirror(dir);
    this.oracle = new Oracle({ exchange, instruments, ...rules });
    for (const [code, instrument] of instruments.entries()) {
      if (instrument.exchange === exchange) this.codeOf.set(instrument.symbol, code);
    }
  }

  /** Feeds the oracle with the frames below `nextSequence`. */
  cover(nextSequence: number): void {
    const { frames } = this.mirror;
    const { oracle } = this;
    const silver = oracle.silver.length;
    const gold = oracle.gold.length;
    const dead = oracle.deadLetters.length;
    for (; this.#fed < frames.length; this.#fed++) {
      const { bytes, kind, receiveUs, sequence } = frames[this.#fed] as (typeof frames)[number];
      if (sequence >= nextSequence) break;
      oracle.frame(bytes, kind, receiveUs, sequence);
    }
    this.#add(
      'silver',
      oracle.silver.slice(silver).map((trade) => this.#tradeLine(trade)),
    );
    this.#add(
      'gold',
      oracle.gold.slice(gold).map((trade) => this.#tradeLine(trade)),
    );
    this.#add(
      'dead',
      oracle.deadLetters.slice(dead).map((letter) => this.#deadLine(letter)),
    );
  }

  /** All rows once more, for the comparison at the very end. */
  lines(): Record<Kind, string[]> {
    const { silver, gold, deadLetters } = this.oracle;
    return {
      silver: silver.map((trade) => this.#tradeLine(trade)),
      gold: gold.map((trade) => this.#tradeLine(trade)),
      dead: deadLetters.map((letter) => this.#deadLine(letter)),
    };
  }

  #add(kind: Kind, lines: string[]): void {
    this.added[kind] = lines;
    for (const line of lines) this.sums[kind].add(line);
  }

  get covered(): number {
    return this.#fed;
  }

  /** After a crash took frames away that no epoch had covered. */
  forget(): void {
    this.#matched.length = Math.min(this.#matched.length, this.mirror.frames.length);
  }

  /** Whoever took the frames is gone: none of those delivered so far will come into the log any more. */
  endOfLife(delivered: readonly Buffer[]): void {
    this.#lifeBegins = delivered.length;
  }

  /**
   * Every frame of the log is one that was delivered, in that order. A delivered frame may be missing
   * at the end of a client's life (`endOfLife`); elsewhere only where the disk refused it (`mayRefuse`).
   */
  matchDelivered(
    delivered: readonly Buffer[],
    served: readonly Buffer[],
    mayRefuse: boolean,
    powerFailed: boolean,
  ): void {
    const { frames } = this.mirror;
    let at = this.#nextDelivered();
    for (let i = this.#matched.length; i < frames.length; i++) {
      const { bytes, kind, sequence } = frames[i] as (typeof frames)[number];
      if (kind === KIND_REST) {
        const body = bytes.subarray(bytes.indexOf(10) + 1);
        if (!served.some((page) => page.equals(body))) {
          throw new Violation('I3', `${this.exchange} frame ${sequence} is a page nobody served`);
        }
        this.#matched.push(-1);
        continue;
      }
      if (kind !== KIND_WS) throw new Violation('I3', `frame ${sequence} is of kind ${kind}`);
      const from = at;
      while (at < delivered.length && !(delivered[at] as Buffer).equals(bytes)) at++;
      if (at === delivered.length) {
        throw new Violation(
          'I10',
          `${this.exchange} frame ${sequence} is not among the ${delivered.length - from} frames delivered after the one before it: ${bytes.toString().slice(0, 200)}`,
        );
      }
      // Of what was not synced, a power loss may take the earlier and leave the later.
      const before = frames[i - 1]?.sequence ?? -1;
      const isHole = powerFailed && sequence - before - 1 >= at - from;
      if (at > from && !mayRefuse && !isHole) {
        const lost = (delivered[from] as Buffer).toString().slice(0, 200);
        throw new Violation(
          'I3',
          `${this.exchange}: ${at - from} delivered frames are missing before frame ${sequence}, first ${lost}`,
        );
      }
      this.#matched.push(at);
      at++;
    }
  }

  #nextDelivered(): number {
    for (let i = this.#matched.length - 1; i >= 0; i--) {
      const at = this.#matched[i] as number;
      if (at >= 0) return Math.max(at + 1, this.#lifeBegins);
    }
    return this.#lifeBegins;
  }

  #tradeLine(trade: OracleTrade): string {
    if (this.#parquet) return tradeLine(trade);
    const { instrument, id, timeUs, price, quantity, side, conditions, sequence, span } = trade;
    const bits = conditions.reduce(
      (sum, name) => sum | (1 << (TRADE_CONDITIONS as readonly string[]).indexOf(name)),
      0,
    );
    return [
      this.codeOf.get(instrument.symbol),
      id,
      timeUs,
      price,
      quantity,
      side === 'BUY' ? 0 : 1,
      bits,
      sequence ?? -1,
      trade.receiveTimeUs,
      trade.frame,
      trade.index,
      span?.[0] ?? 0,
      span?.[1] ?? 0,
    ].join('|');
  }

  #deadLine(letter: OracleDeadLetter): string {
    if (this.#parquet) return deadLetterLine(letter);
    const { raw, index, reason, receiveTimeUs, frame } = letter;
    return `${this.exchange}|${frame}|${index}|${reason}|${receiveTimeUs}|${bytesText(raw)}`;
  }
}
