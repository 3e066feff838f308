/** The stretch of time a question about history is about. */
import { bad, optional, time } from '#src/api/parameters';
import { DAY_US, HOUR_US } from '#src/lake/partition';

const DAYS_MAX = 31;

export const RANGE = {
  start: optional(time('First time, inclusive; an hour before the end unless given.')),
  end: optional(time('Time to stop before; now unless given.')),
};

export interface Range {
  readonly startUs: number;
  readonly endUs: number;
}

/** At most 31 days. */
export function rangeOf(
  start: number | undefined,
  end: number | undefined,
  nowUs: number,
  daysMax = DAYS_MAX,
): Range {
  const longest = daysMax * DAY_US;
  const endUs =
    end ?? (start === undefined ? nowUs : Math.max(start, Math.min(nowUs, start + longest)));
  const startUs = start ?? Math.max(0, endUs - HOUR_US);
  if (startUs > endUs) throw bad('start', 'must not be after end');
  if (endUs - startUs > longest) throw bad('end', `must be at most ${daysMax} days after start`);
  return { startUs, endUs };
}
