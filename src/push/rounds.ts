/**
 * When rounds are made: as soon as something has changed, and not more often than is good.
 *
 * A round at 50,000 trades/s finds every subscribed candle changed; made back to back they would
 * take the whole thread and everybody's share of its core. So after each one there is a pause of at
 * least a millisecond, and of three times as long as a round takes: rounds get at most a quarter of
 * the thread, and a slower machine coalesces more. What a round takes is the shorter one of the last
 * two: on a busy core one of them may last ten times as long as it works, and the pause after it
 * would be thirty times. While nobody is subscribed nothing is looked at.
 */
import type { Clock } from '#src/base/clock';

/** Rings when live trades or candles have changed (src/ring/doorbell.ts). */
export interface Bell {
  readonly count: number;
  rest(seen: number, timeoutMs: number): Promise<void>;
}

export interface RoundsOptions {
  readonly bell: Bell;
  readonly clock: Clock;
  readonly pause: (ms: number) => Promise<void>;
  readonly round: () => void;
  /** Resolves when there is somebody to make rounds for; at once while there is. */
  readonly wanted: () => Promise<void>;
  readonly stopped: () => boolean;
}

const PAUSE_MS_MIN = 1;
const PAUSE_PER_ROUND = 3;
/** Milliseconds without news after which slow clients are looked after all the same. */
const QUIET_MS = 250;

export async function makeRounds(options: RoundsOptions): Promise<void> {
  const { bell, clock, pause, round, wanted, stopped } = options;
  let beforeMs = 0;
  for (;;) {
    await wanted();
    if (stopped()) return;
    const seen = bell.count;
    const startMs = clock.monotonicMs();
    round();
    const tookMs = clock.monotonicMs() - startMs;
    await pause(Math.max(PAUSE_MS_MIN, PAUSE_PER_ROUND * Math.min(tookMs, beforeMs)));
    beforeMs = tookMs;
    if (stopped()) return;
    await bell.rest(seen, QUIET_MS);
  }
}
