/** The maintenance jobs: each does its work once and answers what it did. */
import { join } from 'node:path';
import { EXCHANGES, exchangeKey } from '#schemas/exchange';
import type { Clock } from '#src/base/clock';
import type { Disk } from '#src/base/disk';
import type { Turns } from '#src/base/turns';
import type { Config } from '#src/config/schema';
import {
  expireTables,
  mergeTableManifests,
  shownEpochs,
  tidyTables,
} from '#src/iceberg/publication';
import type { Lake } from '#src/iceberg/table-place';
import { COMPACTED_NAMES } from '#src/lake/compacted-names';
import type { CompactionResult } from '#src/lake/compaction';
import { DAY_US } from '#src/lake/partition';
import type { StagedFile } from '#src/lake/staged-file';
import { dropSegmentsBelow } from '#src/log/retention';
import { cursorText, parseCursor } from '#src/maintenance/audit';
import type { JobName } from '#src/maintenance/job-names';
import { pastLog } from '#src/maintenance/log-retention';
import type { OrphanSightings } from '#src/maintenance/orphan-sightings';
import {
  type CompactionRules,
  type CompactionTask,
  type PlannedInput,
  planCompaction,
} from '#src/maintenance/plan-compaction';
import { planRetention } from '#src/maintenance/plan-retention';
import type { UpkeepChange } from '#src/maintenance/upkeep-queue';
import type { Steps } from '#src/maintenance/upkeep-steps';
import type { AnswerOf, WorkerJob } from '#src/maintenance/worker-job';
import { type JobRun, NO_FIGURES } from '#src/state/job-run';
import { deleteRemoved } from '#src/state/recovery';
import type { StateStore } from '#src/state/store';

export interface JobPlace {
  readonly config: Config['maintenance'];
  readonly store: StateStore;
  readonly disk: Disk;
  readonly bronzeDir: string;
  readonly tables: Lake;
  /** Commits to the tables and deletions, one after the other. */
  readonly turns: Turns;
  readonly step: Steps;
  readonly clock: Clock;
  /** On the maintenance thread. */
  readonly work: <J extends WorkerJob>(job: J) => Promise<AnswerOf<J>>;
  /** Makes a change part of an epoch; resolves when that is published. */
  readonly commit: (change: UpkeepChange) => Promise<void>;
  /** Nothing else writes to the directory: nothing needs to settle first. */
  readonly isAlone: boolean;
  /** A fresh file name, unique in the data directory. */
  readonly nextName: () => string;
  /** Whether a file that nothing names may still be about to be committed. */
  readonly isInFlight: (path: string) => boolean;
  readonly sightings: OrphanSightings;
}

export type JobReport = Omit<JobRun, 'job' | 'startedUs' | 'tookMs'>;

/** Tasks of one run: their outputs wait for the next epoch, and a stop throws them away. */
const TASKS_PER_RUN_MAX = 32;

const MINUTE_US = 60_000_000;
const HOUR_MS = 3_600_000;
const MIB = 1024 * 1024;

export const JOB_WORK: Readonly<
  Record<JobName, (place: JobPlace, last: JobRun | undefined) => Promise<JobReport>>
> = { compaction, retention, snapshots, manifests, orphans, audit };

const NOTHING: JobReport = { outcome: 'idle', ...NO_FIGURES, detail: '' };

export function compactionRules(
  { compaction: keys }: Config['maintenance'],
  isAlone: boolean,
): CompactionRules {
  return {
    settleUs: isAlone ? 0 : keys.settle_minutes * MINUTE_US,
    rowsMax: keys.rows_max,
    bytesMax: keys.mb_max * MIB,
    filesMax: keys.files_max,
  };
}

async function compaction(place: JobPlace): Promise<JobReport> {
  const { store, clock, config, commit, isAlone, step } = place;
  const nowUs = clock.nowUs();
  const rules = compactionRules(config, isAlone);
  const due = COMPACTED_NAMES.flatMap((table) => planCompaction(store.files(table), nowUs, rules));
  const most = (a: CompactionTask, b: CompactionTask): number => b.inputs.length - a.inputs.length;
  const tasks = due.sort(most).slice(0, TASKS_PER_RUN_MAX);
  const inputs: PlannedInput[] = [];
  const outputs: StagedFile[] = [];
  for (const task of tasks) {
    const { file, inputs: used } = await compact(place, task, outputs);
    if (file === undefined) continue;
    step('upkeep-staged', task.table);
    outputs.push(file);
    inputs.push(...task.inputs.filter(({ path }) => used.includes(path)));
  }
  if (outputs.length === 0) return NOTHING;
  await commit({ added: outputs, retired: inputs.map(({ path }) => path), expired: [] });
  const left = due.length - tasks.length;
  return {
    outcome: 'done',
    ...figures(inputs, outputs),
    detail: left > 0 ? `${left} more are due` : '',
  };
}

/**
 * One task, on the maintenance thread. When it fails or is cut short, the run comes to nothing and
 * what was `staged` before is deleted: no epoch was offered it, and a run that fails at its last task
 * every ten minutes would have left a dozen sets of files by the time the sweep takes the first.
 */
async function compact(
  { work, nextName, tables }: JobPlace,
  task: CompactionTask,
  staged: readonly StagedFile[],
): Promise<CompactionResult> {
  try {
    return await work({ kind: 'compact', job: { ...task, name: nextName() } });
  } catch (error) {
    const { warehouse } = tables;
    // What cannot be deleted now is an orphan: the sweep's, or the next start's.
    await warehouse.delete(staged.map(({ path }) => path)).catch(() => {});
    throw error;
  }
}

async function retention(place: JobPlace): Promise<JobReport> {
  const { store, clock, config, commit } = place;
  const nowUs = clock.nowUs();
  const { candlesFromUs: from } = store.epoch();
  const files = (table: string) => store.files(table);
  const { expired, candlesFromUs } = planRetention(files, from, nowUs, config.retention_days);
  if (expired.length > 0) {
    const paths = expired.map(({ path }) => path);
    await commit({ added: [], retired: [], expired: paths, candlesFromUs });
  }
  const log = dropPastLogs(place, nowUs);
  if (expired.length === 0 && log.segments === 0) return NOTHING;
  const detail = log.segments > 0 ? `${log.segments} log segments, ${log.bytes} bytes` : '';
  return { outcome: 'done', ...figures(expired, []), detail };
}

/** Log segments that the last epoch and the bronze table cover, past the bronze table's time. */
function dropPastLogs(
  { store, config, disk, bronzeDir }: JobPlace,
  nowUs: number,
): { segments: number; bytes: number } {
  const sum = { segments: 0, bytes: 0 };
  const days = config.retention_days.bronze;
  if (days === 0) return sum;
  const { progress, bronze } = store.epoch();
  for (const exchange of EXCHANGES) {
    const nextOf = (all: readonly { exchange: string; nextSequence: number }[]): number =>
      all.find((one) => one.exchange === exchange)?.nextSequence ?? 0;
    const covered = Math.min(nextOf(progress), nextOf(bronze));
    const dir = join(bronzeDir, exchangeKey(exchange));
    const { keepFrom, segments, bytes } = pastLog(disk, dir, covered, nowUs - days * DAY_US);
    if (segments === 0) continue;
    dropSegmentsBelow(disk, dir, keepFrom);
    sum.segments += segments;
    sum.bytes += bytes;
  }
  return sum;
}

function snapshots({ turns, tables, store, clock }: JobPlace): Promise<JobReport> {
  return turns.take(async () => {
    const expired = await expireTables(tables, Math.floor(clock.nowUs() / 1000));
    const before = store.removedFiles();
    const { warehouse } = tables;
    await deleteRemoved({ warehouse, store }, (names) => shownEpochs(tables, names));
    const left = new Set(store.removedFiles().map(({ path }) => path));
    const deleted = before.filter(({ path }) => !left.has(path));
    if (expired === 0 && deleted.length === 0) return NOTHING;
    return { outcome: 'done', ...figures(deleted, []), detail: `${expired} snapshots forgotten` };
  });
}

function manifests({ turns, tables, clock, config }: JobPlace): Promise<JobReport> {
  return turns.take(async () => {
    const nowMs = Math.floor(clock.nowUs() / 1000);
    const { before, after } = await mergeTableManifests(tables, nowMs, config.manifests_max);
    if (before === 0) return NOTHING;
    return { ...NOTHING, outcome: 'done', filesIn: before, filesOut: after };
  });
}

async function orphans(place: JobPlace): Promise<JobReport> {
  const { work, turns, tables, sightings, clock, config, isAlone } = place;
  const { warehouse } = tables;
  const found = (await work({ kind: 'orphans' })).filter((path) => !place.isInFlight(path));
  return turns.take(async () => {
    const ageUs = isAlone ? 0 : config.orphan_age_minutes * MINUTE_US;
    const old = sightings.see(found, clock.nowUs(), ageUs);
    let bytes = 0;
    for (const path of old) bytes += (await warehouse.size(path)) ?? 0;
    await warehouse.delete(old);
    await tidyTables(tables);
    if (old.length === 0) return NOTHING;
    return { ...NOTHING, outcome: 'done', filesIn: old.length, bytesIn: bytes };
  });
}

async function audit({ work, config }: JobPlace, last: JobRun | undefined): Promise<JobReport> {
  const cursor = parseCursor(last?.cursor);
  const report = await work({ kind: 'audit', cursor, filesMax: config.audit_files });
  return {
    ...NOTHING,
    outcome: report.problems.length === 0 ? 'done' : 'failed',
    filesIn: report.files,
    bytesIn: report.bytes,
    rowsIn: report.rows,
    detail: report.problems.join('; '),
    cursor: cursorText(report.cursor),
  };
}

type Counted = Pick<StagedFile, 'rows' | 'bytes'>;

function figures(before: readonly Counted[], after: readonly Counted[]) {
  const rows = (files: readonly Counted[]): number => files.reduce((sum, f) => sum + f.rows, 0);
  const bytes = (files: readonly Counted[]): number => files.reduce((sum, f) => sum + f.bytes, 0);
  return {
    filesIn: before.length,
    filesOut: after.length,
    rowsIn: rows(before),
    rowsOut: rows(after),
    bytesIn: bytes(before),
    bytesOut: bytes(after),
  };
}

/** How far back snapshots are kept, as the tables take it. */
export function snapshotRetention({ snapshots: keys }: Config['maintenance']): Lake['retention'] {
  return {
    snapshotsMin: keys.keep_min,
    snapshotsMax: Math.max(keys.keep_min, keys.keep_max),
    ageMsMax: keys.age_hours * HOUR_MS,
  };
}
