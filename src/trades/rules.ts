/**
 * The rules a well-formed trade must obey. They compare with the receive time stored in its frame,
 * never with the clock, so a replay of the log gives the same answer at any time.
 */
import { REASON } from '#schemas/dead-letter';
import { NO_REASON } from '#src/exchanges/parsed-trades';

export interface RuleLimits {
  /** How far an exchange's clock may run ahead of ours, us. */
  readonly futureToleranceUs: number;
  /** How old a trade may be when it arrives live, us. History may be as old as it likes. */
  readonly ageLimitUs: number;
}

export const RULE_LIMITS: RuleLimits = {
  futureToleranceUs: 5 * 1e6,
  ageLimitUs: 365 * 86_400 * 1e6,
};

/** NO_REASON, or the reason code of the first rule that a trade of `timeUs` breaks. */
export function brokenRule(
  timeUs: number,
  receiveTimeUs: number,
  live: boolean,
  limits: RuleLimits,
): number {
  if (timeUs > receiveTimeUs + limits.futureToleranceUs) return REASON.timestamp_future;
  if (live && timeUs < receiveTimeUs - limits.ageLimitUs) return REASON.timestamp_too_old;
  return NO_REASON;
}
