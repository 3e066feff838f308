/**
 * Frames to trades that may be believed: an exchange's parser, then the rules. Whatever is wrong
 * with a trade, its row says so with one reason; a row without a reason is a valid trade.
 */
import type { FrameParser } from '#src/exchanges/frame-parser';
import {
  FRAME_TRADES,
  type FrameClass,
  NO_REASON,
  type ParsedTrades,
} from '#src/exchanges/parsed-trades';
import { isLive } from '#src/log/frame';
import { brokenRule, RULE_LIMITS, type RuleLimits } from '#src/trades/rules';

export class Validator {
  readonly #parser: FrameParser;
  readonly #limits: RuleLimits;

  constructor(parser: FrameParser, limits: Partial<RuleLimits> = {}) {
    this.#parser = parser;
    this.#limits = { ...RULE_LIMITS, ...limits };
  }

  /** The last frame's trades; overwritten by the next. */
  get parsed(): ParsedTrades {
    return this.#parser.parsed;
  }

  /** Reads and judges the frame [start, end) of the given kind, received at `receiveTimeUs`. */
  validate(
    bytes: Uint8Array,
    start: number,
    end: number,
    kind: number,
    receiveTimeUs: number,
  ): FrameClass {
    const frameClass = this.#parser.parse(bytes, start, end, kind);
    if (frameClass !== FRAME_TRADES) return frameClass;
    const rows = this.#parser.parsed;
    const live = isLive(kind);
    for (let row = 0; row < rows.count; row++) {
      if (rows.reason[row] !== NO_REASON) continue;
      rows.reason[row] = brokenRule(rows.timeUs[row], receiveTimeUs, live, this.#limits);
    }
    return frameClass;
  }
}
