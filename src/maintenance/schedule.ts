/** When each job is due: pure, from its interval and its last run. */
import type { Config } from '#src/config/schema';
import { JOBS, type JobName } from '#src/maintenance/job-names';
import type { JobRun } from '#src/state/job-run';

export interface ScheduledJob {
  readonly name: JobName;
  /** Undefined when its schedule is switched off. */
  readonly everyUs: number | undefined;
  readonly dueUs: number | undefined;
  readonly lastRun: JobRun | undefined;
}

const MINUTE_US = 60_000_000;

/** `createdUs`: when the data directory was made; a job's first run is an interval later. */
export function scheduleOf(
  config: Config['maintenance'],
  runs: readonly JobRun[],
  createdUs: number,
): ScheduledJob[] {
  return JOBS.map(({ name }) => {
    const everyUs = config.every_minutes[name] * MINUTE_US || undefined;
    const lastRun = runs.filter(({ job }) => job === name).at(-1);
    const dueUs = everyUs && (lastRun?.startedUs ?? createdUs) + everyUs;
    return { name, everyUs, dueUs, lastRun };
  });
}

/** The job to run now: the one that has been due for the largest part of its interval. */
export function dueJob(schedule: readonly ScheduledJob[], nowUs: number): JobName | undefined {
  const urgency = ({ dueUs, everyUs }: ScheduledJob): number =>
    dueUs === undefined || everyUs === undefined ? -1 : (nowUs - dueUs) / everyUs;
  let due: ScheduledJob | undefined;
  for (const job of schedule) {
    if (urgency(job) >= 0 && (due === undefined || urgency(job) > urgency(due))) due = job;
  }
  return due?.name;
}
