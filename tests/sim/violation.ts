/** What the checkers throw: a promise of the product that did not hold. */
import { sumOf } from '#tests/sim/line-sum';

export const INVARIANTS = {
  I1: 'every valid trade in gold exactly once, as the exchange sent it',
  I2: 'every bad record in the dead letters, once, with its reason and its bytes',
  I3: 'frames received = frames in bronze, no other, none twice',
  I4: 'every candle is what its gold trades make it, and no other candle is there',
  I5: 'the same bronze makes the same everything, in any shape',
  I6: 'tables <= state <= durable bronze <= written bronze; none goes back',
  I7: 'epochs go up by one, and no commit is lost or made twice',
  I8: 'what is missing is in the gap ledger, and nothing else is',
  I9: 'rings and slots hold no more than they can',
  I10: 'bronze holds the frames in the order they came',
  I11: 'tables show exactly the files of the last published epoch',
  I13: 'one thread per actor, restarts within the intensity',
  I14: 'what was acknowledged survives any crash',
  I15: 'when the faults end everything comes back and catches up',
  'no-bug': 'nothing throws but what a person can mend',
  determinism: 'the same seed makes the same run',
} as const;

export type Invariant = keyof typeof INVARIANTS;

export class Violation extends Error {
  readonly invariant: Invariant;

  constructor(invariant: Invariant, message: string) {
    super(message);
    this.name = 'Violation';
    this.invariant = invariant;
  }
}

export function hold(invariant: Invariant, condition: boolean, message: () => string): void {
  if (!condition) throw new Violation(invariant, message());
}

/** Two multisets of lines, told apart by the first lines that are in one only. */
export function sameRows(
  invariant: Invariant,
  what: string,
  actual: readonly string[],
  expected: readonly string[],
): void {
  if (sumOf(actual).equals(sumOf(expected))) return;
  const a = [...actual].sort();
  const e = [...expected].sort();
  const length = Math.max(a.length, e.length);
  for (let i = 0; i < length; i++) {
    if (a[i] === e[i]) continue;
    throw new Violation(
      invariant,
      `${what}: ${a.length} rows, ${e.length} expected; first difference\n  is       ${a[i]}\n  expected ${e[i]}`,
    );
  }
}
