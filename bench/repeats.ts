/** A measurement made several times: the run in the middle stands for them, and all are told. */
export interface Repeats<Run> {
  /** The run with the median rate. */
  readonly median: Run;
  readonly runs: readonly Run[];
}

export async function repeat<Run>(
  times: number,
  rate: (run: Run) => number,
  run: (time: number) => Promise<Run>,
): Promise<Repeats<Run>> {
  const runs: Run[] = [];
  for (let time = 0; time < times; time++) runs.push(await run(time));
  const sorted = [...runs].sort((a, b) => rate(a) - rate(b));
  return { median: sorted[Math.floor((times - 1) / 2)] as Run, runs };
}
