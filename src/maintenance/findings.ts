/**
 * What maintenance has found wrong and not since found mended, a sentence each, for whoever looks at
 * the health of the server. Pure: from the runs that are remembered.
 *
 * An audit checks the digests of some files a run, so what it found stays until it has come round to
 * the same files again, or as long as its run is remembered. Of other jobs the last run counts.
 */
import { parseCursor } from '#src/maintenance/audit';
import { JOBS } from '#src/maintenance/job-names';
import type { JobRun } from '#src/state/job-run';

/** More are counted. */
const TOLD_MAX = 5;

/** `runs`: of all jobs, of each the oldest first. */
export function findingsOf(runs: readonly JobRun[]): string[] {
  const found = new Set<string>();
  for (const { name } of JOBS) {
    const own = runs.filter(({ job, outcome }) => job === name && outcome !== 'abandoned');
    if (name === 'audit') {
      for (const what of auditFindings(own)) found.add(`The audit found: ${what}.`);
      continue;
    }
    const last = own.at(-1);
    if (last?.outcome === 'failed') found.add(`The job ${name} failed: ${last.detail}.`);
  }
  const all = [...found];
  if (all.length <= TOLD_MAX) return all;
  const more = all.length - TOLD_MAX;
  return [...all.slice(0, TOLD_MAX), `Maintenance found ${more} more; "bullion jobs" lists them.`];
}

function auditFindings(runs: readonly JobRun[]): string[] {
  return runs
    .filter((run, i) => run.outcome === 'failed' && !hasComeRound(run, runs.slice(i + 1)))
    .flatMap(({ detail }) => detail.split('; '));
}

/** Whether `later` runs have gone past the last file and on to where `run` had ended. */
function hasComeRound(run: JobRun, later: readonly JobRun[]): boolean {
  const end = parseCursor(run.cursor).path;
  let last = end;
  let isPast = false;
  for (const { cursor } of later) {
    const { path } = parseCursor(cursor);
    isPast ||= path <= last;
    last = path;
    if (isPast && path >= end) return true;
  }
  return false;
}
