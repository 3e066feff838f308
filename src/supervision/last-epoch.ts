/** The last epoch of an orderly stop: over everything the logs hold, if there is time to judge it. */
import type { Exchange } from '#schemas/exchange';
import type { Clock } from '#src/base/clock';
import { pause, type Timers } from '#src/base/timers';
import type { ProcessingGroup } from '#src/supervision/processing-group';

/** How long a stop may wait for the logs to be processed to their ends. */
const DRAIN_MS_MAX = 4_000;
const POLL_MS = 10;

interface Time {
  readonly clock: Clock;
  readonly timers: Timers;
}

/** `ends`: the sequence after the newest frame of each log. */
export async function lastEpoch(
  group: ProcessingGroup,
  ends: ReadonlyMap<Exchange, number>,
  { clock, timers }: Time,
): Promise<void> {
  const untilMs = clock.monotonicMs() + DRAIN_MS_MAX;
  while (clock.monotonicMs() < untilMs && !(await isJudged(group, ends))) {
    await pause(timers, POLL_MS);
  }
  while (group.epochs.running) await pause(timers, POLL_MS);
  await group.epochs.run();
}

async function isJudged(
  group: ProcessingGroup,
  ends: ReadonlyMap<Exchange, number>,
): Promise<boolean> {
  const { positions } = await group.progress();
  return [...ends].every(([exchange, end]) => (positions.get(exchange)?.nextSequence ?? 0) >= end);
}
