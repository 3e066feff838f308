/**
 * `bullion jobs`: the maintenance jobs, their schedule and what their last runs did; `bullion jobs run
 * NAME` runs one now, where no server does.
 */
import { type Clock, systemClock } from '#src/base/clock';
import { EXIT, UserError } from '#src/base/errors';
import { configOf } from '#src/commands/arguments';
import { type Arguments, defineCommand } from '#src/commands/command';
import { openState } from '#src/commands/open-state';
import { loadInstruments } from '#src/config/instruments';
import type { Config } from '#src/config/schema';
import { isJobName, JOBS, type JobName } from '#src/maintenance/job-names';
import { scheduleOf } from '#src/maintenance/schedule';
import type { OutputColumn, OutputRow } from '#src/output/rows';
import { printRows } from '#src/output/standard-output';
import { isoMicros } from '#src/output/text';
import type { JobRun } from '#src/state/job-run';
import { openDataDirectory } from '#src/supervision/data-directory';
import { commitUpkeep } from '#src/supervision/epoch-commit';
import { maintenanceOf } from '#src/supervision/maintenance-of';
import { openLog } from '#src/supervision/process-log';
import { threadWorkers } from '#src/supervision/workers';

const SCHEDULE = [
  { name: 'job', kind: 'text' },
  { name: 'every_minutes', kind: 'integer' },
  { name: 'last_outcome', kind: 'text' },
  { name: 'last_started', kind: 'time' },
  { name: 'next_due', kind: 'time' },
  { name: 'what', kind: 'text' },
] as const satisfies readonly OutputColumn[];

const HISTORY = [
  { name: 'job', kind: 'text' },
  { name: 'started', kind: 'time' },
  { name: 'took_ms', kind: 'integer' },
  { name: 'outcome', kind: 'text' },
  { name: 'files_in', kind: 'integer' },
  { name: 'files_out', kind: 'integer' },
  { name: 'rows_in', kind: 'integer' },
  { name: 'rows_out', kind: 'integer' },
  { name: 'bytes_in', kind: 'integer' },
  { name: 'bytes_out', kind: 'integer' },
  { name: 'detail', kind: 'text' },
] as const satisfies readonly OutputColumn[];

const MINUTE_US = 60_000_000;

async function run(args: Arguments): Promise<void> {
  const [verb, name] = args.positionals;
  if (verb === undefined) await list(args);
  else if (verb !== 'run') throw args.wrong(`jobs ${verb} is not run`);
  else if (name === undefined || !isJobName(name)) {
    const known = JOBS.map((job) => job.name).join(', ');
    throw args.wrong(`${name ?? 'nothing'} is not a job; the jobs are ${known}`);
  } else await runNow(args, name);
}

async function list(args: Arguments): Promise<void> {
  const config = configOf(args);
  const { store, close } = await openState(config);
  const runs = store.jobRuns().sort((a, b) => b.startedUs - a.startedUs);
  const oldestFirst = [...runs].reverse();
  const schedule = scheduleOf(config.maintenance, oldestFirst, store.identity.createdUs);
  const rows = schedule.map(({ name, everyUs, dueUs, lastRun }) => ({
    job: name,
    every_minutes: everyUs === undefined ? null : everyUs / MINUTE_US,
    last_outcome: lastRun?.outcome ?? null,
    last_started: lastRun === undefined ? null : isoMicros(lastRun.startedUs),
    next_due: dueUs === undefined ? null : isoMicros(dueUs),
    what: JOBS.find((job) => job.name === name)?.doc ?? null,
  }));
  const format = args.values.json === true ? 'jsonl' : 'table';
  await printRows(format, SCHEDULE, rows);
  if (runs.length > 0) {
    if (format === 'table') process.stdout.write('\n');
    await printRows(format, HISTORY, runs.map(historyRow));
  }
  await close();
}

async function runNow(args: Arguments, name: JobName): Promise<void> {
  const finished = await runOffline(configOf(args), systemClock(), name);
  const format = args.values.json === true ? 'jsonl' : 'table';
  await printRows(format, HISTORY, [historyRow(finished)]);
  if (finished.outcome === 'failed') {
    throw new UserError(EXIT.data, `The job ${name} failed: ${finished.detail}`);
  }
}

/** Takes the data directory, runs one job and commits what it changes as an epoch of its own. */
async function runOffline(config: Config, clock: Clock, name: JobName): Promise<JobRun> {
  const data = await openDataDirectory({
    config,
    instruments: loadInstruments({ cwd: process.cwd() }),
    clock,
    purpose: `the job ${name}`,
    binanceStream: undefined,
  });
  try {
    const maintenance = maintenanceOf({
      config,
      data,
      clock,
      jobThread: threadWorkers(new URL('../actors/', import.meta.url)).maintenance,
      isAlone: true,
      commit: (change) => commitUpkeep(data, clock, change),
      isInFlight: () => false,
      log: openLog(config.log.level),
    });
    const finished = await maintenance.run(name);
    await maintenance.suspend();
    return finished;
  } finally {
    await data.close();
  }
}

function historyRow(run: JobRun): OutputRow {
  return {
    job: run.job,
    started: isoMicros(run.startedUs),
    took_ms: run.tookMs,
    outcome: run.outcome,
    files_in: run.filesIn,
    files_out: run.filesOut,
    rows_in: run.rowsIn,
    rows_out: run.rowsOut,
    bytes_in: run.bytesIn,
    bytes_out: run.bytesOut,
    detail: run.detail,
  };
}

export const jobsCommand = defineCommand({
  summary: 'the schedule and history of maintenance, and one job now',
  usage: 'bullion jobs [run NAME]',
  wordsMax: 2,
  options: [],
  run,
});
