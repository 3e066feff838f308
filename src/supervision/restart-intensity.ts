/**
 * Restart intensity, as in Erlang/OTP: at most `restartsMax` restarts within `periodMs`; one more
 * and the supervisor gives up, because restarting does not mend what is wrong.
 */
export interface RestartIntensity {
  readonly restartsMax: number;
  readonly periodMs: number;
}

/**
 * Adds a restart at `nowMs` (monotonic) to the earlier ones.
 * Answers the restarts still inside the period, or undefined when the intensity is exceeded.
 */
export function addRestart(
  earlier: readonly number[],
  nowMs: number,
  { restartsMax, periodMs }: RestartIntensity,
): readonly number[] | undefined {
  const recent = [...earlier.filter((atMs) => nowMs - atMs < periodMs), nowMs];
  return recent.length > restartsMax ? undefined : recent;
}
