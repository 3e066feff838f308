/**
 * The bronze tables' share of an epoch: sealed segments that the epoch covers become data files.
 *
 * The state remembers up to which sequence each log is in its table and learns of the files in the
 * same commit: a crash before it leaves files no epoch names, and the next epoch makes them again.
 * Segments come in order and whole, so a frame is in its table once or, while its segment is still
 * open, not yet.
 *
 * Compressing raw frames takes as much processor time as everything else that is done with them, and
 * nobody waits for it: while the pipeline is behind its logs, segments stay for a later epoch.
 */
import { join } from 'node:path';
import { exchangeKey } from '#schemas/exchange';
import type { Disk } from '#src/base/disk';
import type { LakeJob } from '#src/lake/job';
import { ROWS_PER_FILE_MAX } from '#src/lake/rows-per-file';
import type { StagedFile } from '#src/lake/staged-file';
import { listSegments, readSeal } from '#src/log/segment-files';
import type { ExchangeProgress } from '#src/runtime/epoch-report';
import type { BronzeTabled } from '#src/state/epoch-record';

/**
 * Bytes of segments one epoch takes of a log, at least one segment: a directory full of segments
 * that were never tabled must not hold up its first epoch (a lake thread reads 150 MB/s).
 */
const LOG_BYTES_PER_EPOCH_MAX = 512 * 1024 * 1024;
/** Bytes of segments taken between two looks at the pipeline; one segment at least. */
const STRETCH_BYTES_MAX = 256 * 1024 * 1024;

/** Sequences [first, next) of a log: whole segments. */
interface Stretch {
  readonly first: number;
  next: number;
  bytes: number;
}

export interface BronzeTables {
  readonly disk: Disk;
  /** The folder that holds the logs of all exchanges. */
  readonly bronzeDir: string;
  readonly lake: (job: LakeJob) => Promise<readonly StagedFile[]>;
  /** Prefix of the files' names, new for every generation of the processing group. */
  readonly filePrefix: string;
  /** Whether the pipeline has too far to go to the ends of its logs; asked before every stretch. */
  readonly isBehind: () => Promise<boolean>;
}

export interface BronzeShare {
  readonly files: readonly StagedFile[];
  readonly bronze: readonly BronzeTabled[];
}

/** `tabled`: as the last epoch left it. `progress`: what this epoch covers of each log. */
export async function tableBronze(
  { disk, bronzeDir, lake, filePrefix, isBehind }: BronzeTables,
  tabled: readonly BronzeTabled[],
  progress: readonly ExchangeProgress[],
): Promise<BronzeShare> {
  const files: StagedFile[] = [];
  const bronze: BronzeTabled[] = [];
  for (const { exchange, nextSequence: covered } of progress) {
    const key = exchangeKey(exchange);
    const dir = join(bronzeDir, key);
    const from = tabled.find((before) => before.exchange === exchange)?.nextSequence ?? 0;
    let nextSequence = from;
    for (const stretch of sealedStretches(disk, dir, from, covered)) {
      if (await isBehind()) break;
      // A file at a time, so that the stages' own jobs get their turn between them.
      for (let at = stretch.first; at < stretch.next; at += ROWS_PER_FILE_MAX) {
        const staged = await lake({
          kind: 'bronze',
          exchange,
          dir,
          fromSequence: at,
          toSequence: Math.min(at + ROWS_PER_FILE_MAX, stretch.next),
          name: `${filePrefix}-bronze-${key}-${at}`,
        });
        files.push(...staged);
      }
      nextSequence = stretch.next;
    }
    if (nextSequence > from) bronze.push({ exchange, nextSequence });
  }
  return { files, bronze };
}

/**
 * The sealed segments from sequence `from` on that lie below `covered`, as many as an epoch takes:
 * small ones together, so that a file is not smaller than it has to be.
 */
function sealedStretches(disk: Disk, dir: string, from: number, covered: number): Stretch[] {
  const stretches: Stretch[] = [];
  let bytes = 0;
  for (const first of listSegments(disk, dir)) {
    if (first < from) continue;
    if (first >= covered) break;
    const seal = readSeal(disk, dir, first);
    // A segment whose seal is damaged waits until the log's next writer has made it again.
    if (seal === undefined || seal.lastSequence >= covered) break;
    if (bytes > 0 && bytes + seal.bytes > LOG_BYTES_PER_EPOCH_MAX) break;
    bytes += seal.bytes;
    const segment = { first, next: seal.lastSequence + 1, bytes: seal.bytes };
    const last = stretches.at(-1);
    if (last === undefined || last.bytes + segment.bytes > STRETCH_BYTES_MAX) {
      stretches.push(segment);
    } else {
      last.next = segment.next;
      last.bytes += segment.bytes;
    }
  }
  return stretches;
}
