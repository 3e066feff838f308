/** Ways to damage a file that lies on a disk, each undone by writing the old bytes back. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Random } from '#src/base/random';

export const INJURIES = [
  'bits flipped',
  'cut short',
  'page zeroed',
  'pages swapped',
  'page copied over another',
  'file swapped with another',
  'file gone empty',
] as const;
export type Injury = (typeof INJURIES)[number];

const PAGE = 4096;

export interface Injured {
  readonly kind: Injury;
  /** What was done where. */
  readonly what: string;
  readonly undo: () => void;
}

/** Damages `path`; `others` are files of the same kind. */
export function injure(path: string, others: readonly string[], random: Random): Injured {
  const before = readFileSync(path);
  const undo = (): void => writeFileSync(path, before);
  const kind = random.chance(0.6) ? 'bits flipped' : random.pick(INJURIES);
  const other = random.pick(others);
  const after = Buffer.from(before);
  const pages = Math.max(1, Math.ceil(before.length / PAGE));
  let what = '';
  switch (kind) {
    case 'bits flipped':
      for (let flips = random.between(1, 8); flips > 0; flips--) {
        const at = random.below(after.length);
        after[at] = (after[at] as number) ^ (1 << random.below(8));
        what += ` ${at}`;
      }
      writeFileSync(path, after);
      break;
    case 'cut short': {
      const bytes = random.below(before.length);
      what = ` to ${bytes} of ${before.length}`;
      writeFileSync(path, before.subarray(0, bytes));
      break;
    }
    case 'page zeroed': {
      const page = random.below(pages);
      after.fill(0, page * PAGE, Math.min(after.length, (page + 1) * PAGE));
      what = ` ${page}`;
      writeFileSync(path, after);
      break;
    }
    case 'pages swapped': {
      const a = random.below(pages);
      const b = random.below(pages);
      before.copy(after, a * PAGE, b * PAGE, Math.min(before.length, (b + 1) * PAGE));
      before.copy(after, b * PAGE, a * PAGE, Math.min(before.length, (a + 1) * PAGE));
      what = ` ${a} and ${b}`;
      writeFileSync(path, after);
      break;
    }
    case 'page copied over another': {
      const from = random.below(pages);
      const to = random.below(pages);
      before.copy(after, to * PAGE, from * PAGE, Math.min(before.length, (from + 1) * PAGE));
      what = ` ${from} over ${to}`;
      writeFileSync(path, after);
      break;
    }
    case 'file swapped with another': {
      what = ` ${other}`;
      writeFileSync(path, readFileSync(other));
      break;
    }
    case 'file gone empty':
      writeFileSync(path, '');
  }
  return { kind, what: `${kind}${what}`, undo };
}
