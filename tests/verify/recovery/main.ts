/**
 * Recovery after kill -9 with a long way to go: five minutes of 10,000 trades a second in bronze and
 * no epoch over them. Every start reads them all again; measured from the start of the process until
 * it is live again: ready, every exchange connected, every frame of before judged.
 *
 * `--count` is the number of trades in the log (3,000,000 unless given).
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { recordedInstruments } from '#bench/recording';
import { startExchanges } from '#bench/simulated-exchanges';
import { EXCHANGES, exchangeKey } from '#schemas/exchange';
import { systemClock } from '#src/base/clock';
import { nodeDisk } from '#src/base/node-disk';
import { LogHead } from '#src/log/log-head';
import { LogWriter } from '#src/log/log-writer';
import { simulatedInstrument } from '#src/simulator/instrument';
import { OfflineSimulation } from '#src/simulator/offline';
import { Bullion, until } from '#tests/support/process/bullion-process';
import { runCheck } from '#tests/verify/check-program';
import { marketDirectory } from '#tests/verify/market-directory';

const TRADES = 3_000_000;
const SECONDS = 300;
const STARTS = 5;
/** Generous: the bar of 3 s is for a machine with nothing else to do, and judged by who reads. */
const HARD_LIMIT_MS = 60_000;
const BAR_MS = 3_000;
const FLUSH_EVERY = 500;

/** Bronze of the last five minutes, by exchange, written as ingest writes it. */
async function record(dataDir: string, trades: number): Promise<number> {
  const perSecond = trades / SECONDS / EXCHANGES.length;
  let frames = 0;
  for (const exchange of EXCHANGES) {
    const dir = join(dataDir, 'bronze', exchangeKey(exchange));
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const head = new LogHead(new SharedArrayBuffer(LogHead.byteSize), 0);
    const log = LogWriter.open({ disk: nodeDisk(), dir, exchange, head });
    const simulation = new OfflineSimulation({
      seed: 7,
      instruments: recordedInstruments()
        .filter((instrument) => instrument.exchange === exchange)
        .map((instrument) => simulatedInstrument(instrument)),
      startUs: systemClock().nowUs() - (SECONDS + 30) * 1e6,
      durationUs: SECONDS * 1e6,
      ratePerSecond: perSecond,
    });
    for (const feed of simulation.feeds) {
      for (const { bytes, kind, connection, receiveTimeUs } of simulation.frames(feed)) {
        log.append(bytes, kind, connection, receiveTimeUs);
        if (++frames % FLUSH_EVERY === 0) log.flush();
      }
    }
    await log.close();
  }
  return frames;
}

await runCheck('recovery', async (run, scope) => {
  const trades = run.options.count ?? TRADES;
  const cwd = marketDirectory(scope, 'recovery');
  const dataDir = join(cwd, 'data');
  const frames = await record(dataDir, trades);
  const { simulator, env } = await startExchanges(300, dataDir);
  scope.after(() => simulator.stop());
  const took: number[] = [];
  for (let start = 0; start < STARTS; start++) {
    const bullion = Bullion.start(scope, {
      cwd,
      // No epoch may come over the log: it is to be as long at the next start.
      env: {
        ...env,
        BULLION_EPOCHS_ROWS_MAX: '1000000000',
        BULLION_HTTP_REQUESTS_PER_SECOND: '100000',
      },
    });
    await bullion.url();
    await until(
      'Bullion to be live again',
      async () => {
        const health = await bullion.health();
        return health?.exchanges.every(
          ({ state, lag_frames }) => state === 'connected' && lag_frames < 300,
        );
      },
      HARD_LIMIT_MS,
      20,
    );
    const ms = performance.now() - bullion.startedMs;
    took.push(ms);
    run.took(`start ${start + 1}`, ms);
    await bullion.end('SIGKILL');
  }
  took.sort((a, b) => a - b);
  const p95 = took[Math.min(took.length - 1, Math.ceil(took.length * 0.95) - 1)] as number;
  run.outcome('kill -9 with an un-checkpointed log', 'live again', STARTS);
  Object.assign(run.figures, {
    'frames in the log, none in an epoch': frames,
    starts: STARTS,
    'live again, median ms': Math.round(took[took.length >> 1] as number),
    'live again, p95 ms': Math.round(p95),
    'bar, ms': BAR_MS,
    'within the bar': p95 <= BAR_MS ? 'yes' : 'no',
  });
});
