/** The maintenance jobs, in the order in which they are taken when several are due. */
export const JOBS = [
  { name: 'compaction', doc: 'small files of closed partitions become one sorted file' },
  { name: 'retention', doc: 'partitions, candles and log segments past their time leave' },
  { name: 'snapshots', doc: 'old snapshots are forgotten, files that none shows are deleted' },
  { name: 'manifests', doc: 'small manifests are merged' },
  { name: 'orphans', doc: 'files that nothing names are deleted' },
  { name: 'audit', doc: 'rows are counted, digests checked, tables compared with each other' },
] as const;

export type JobName = (typeof JOBS)[number]['name'];

export function isJobName(text: string): text is JobName {
  return JOBS.some(({ name }) => name === text);
}
