/**
 * What the commands that run the pipeline share: opening the data directory, one offline run, and
 * closing both whatever happens.
 */

import type { Exchange } from '#schemas/exchange';
import { systemClock } from '#src/base/clock';
import { systemTimers } from '#src/base/timers';
import { type ConfiguredInstrument, loadInstruments } from '#src/config/instruments';
import type { Config } from '#src/config/schema';
import { withRules } from '#src/state/rules';
import {
  type DataDirectory,
  type OpenOptions,
  openDataDirectory,
} from '#src/supervision/data-directory';
import { OfflineRun } from '#src/supervision/offline-run';
import { openLog } from '#src/supervision/process-log';
import { threadWorkers } from '#src/supervision/workers';

export interface OfflineContext {
  readonly data: DataDirectory;
  readonly run: OfflineRun;
  readonly nowUs: () => number;
}

export interface OfflineRequest {
  readonly config: Config;
  /** Named to whoever wants the directory meanwhile. */
  readonly purpose: string;
  /** The exchange whose log frames will be appended to, if any. */
  readonly appendTo: Exchange | undefined;
  readonly binanceStream: OpenOptions['binanceStream'];
  /** Derive by the directory's own rules, not by those of the configuration. */
  readonly keepRules?: boolean;
  /** The state may be damaged. */
  readonly distrustState?: boolean;
  /** Instead of the configured instruments. */
  readonly instruments?: readonly ConfiguredInstrument[];
  readonly bronze?: string;
}

export async function withOfflineRun<T>(
  request: OfflineRequest,
  work: (context: OfflineContext) => Promise<T>,
): Promise<T> {
  const { purpose, appendTo, binanceStream, bronze } = request;
  const { keepRules = false, distrustState = false } = request;
  const clock = systemClock();
  const data = await openDataDirectory({
    config: request.config,
    instruments: request.instruments ?? loadInstruments({ cwd: process.cwd() }),
    clock,
    purpose,
    binanceStream,
    keepRules,
    distrustState,
    ...(bronze !== undefined && { bronze }),
  });
  const config = withRules(withBinanceStream(request.config, data.binanceStream), data.rules);
  try {
    const run = new OfflineRun({
      config,
      data,
      clock,
      timers: systemTimers,
      workers: threadWorkers(new URL('../actors/', import.meta.url)),
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

/** The configuration with the kind of Binance stream that the directory holds. */
function withBinanceStream(config: Config, channel: DataDirectory['binanceStream']): Config {
  const { exchanges } = config;
  return { ...config, exchanges: { ...exchanges, binance: { ...exchanges.binance, channel } } };
}
