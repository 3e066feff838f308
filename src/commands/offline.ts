/**
 * What the commands that run the pipeline share: opening the data directory, one offline run, and
 * closing both whatever happens.
 */
import type { Exchange } from '#schemas/exchange';
import { systemClock } from '#src/base/clock';
import { loadInstruments } from '#src/config/instruments';
import type { Config } from '#src/config/schema';
import { type DataDirectory, openDataDirectory } from '#src/supervision/data-directory';
import { OfflineRun } from '#src/supervision/offline-run';
import { openLog } from '#src/supervision/process-log';

export interface OfflineContext {
  readonly data: DataDirectory;
  readonly run: OfflineRun;
  readonly nowUs: () => number;
}

export async function withOfflineRun<T>(
  config: Config,
  purpose: string,
  appendTo: Exchange | undefined,
  work: (context: OfflineContext) => Promise<T>,
): Promise<T> {
  const clock = systemClock();
  const instruments = loadInstruments({ cwd: process.cwd() });
  const data = await openDataDirectory({ config, instruments, clock, purpose });
  try {
    const run = new OfflineRun({
      config,
      data,
      clock,
      entry: new URL('../actors/thread.js', import.meta.url),
      lakeWorker: new URL('../actors/lake-worker.js', import.meta.url),
      log: openLog(config.log.level),
      appendTo,
    });
    try {
      await run.ready();
      return await work({ data, run, nowUs: clock.nowUs });
    } finally {
      await run.close();
    }
  } finally {
    await data.close();
  }
}
