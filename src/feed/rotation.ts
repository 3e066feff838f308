/**
 * When to replace a connection before the exchange cuts it.
 *
 * Binance ends every connection at 24 h. Ours is replaced at `ageMaxMs` give or take `jitterMs`, so
 * that connections opened together are not all replaced together; the rest of the day is the time
 * left for the replacement to fail and be tried again.
 */
export interface ConnectionAge {
  readonly ageMaxMs: number;
  readonly jitterMs: number;
}

/** The configured age over the exchange's own; its jitter stays a small part of the age. */
export function plannedAge(
  ageMaxMs: number | undefined,
  own: ConnectionAge | undefined,
): ConnectionAge | undefined {
  if (ageMaxMs === undefined) return own;
  return { ageMaxMs, jitterMs: Math.min(own?.jitterMs ?? 600_000, ageMaxMs / 20) };
}

/** Age at which to open the replacement: in [ageMaxMs - jitterMs, ageMaxMs + jitterMs). */
export function rotationAgeMs(age: ConnectionAge, random: () => number): number {
  return age.ageMaxMs + (2 * random() - 1) * age.jitterMs;
}
