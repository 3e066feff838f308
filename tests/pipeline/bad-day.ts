/** Simulated trading with everything that can go wrong going wrong, several times an hour or more. */
import type { Exchange } from '#schemas/exchange';
import { GARBAGE } from '#src/simulator/faults';
import type { Feed } from '#src/simulator/frame-format';
import { simulatedInstrument } from '#src/simulator/instrument';
import { OfflineSimulation } from '#src/simulator/offline';
import { INSTRUMENTS } from '#tests/pipeline/pipeline';

/**
 * Every fault that a log can show (a slow drip of bytes and a refused connection leave no trace in
 * it), the rare ones often enough to come several times in 10,000 messages.
 */
const EVERY_FAULT = {
  duplicate: 0.02,
  reorder: 0.03,
  late: 0.01,
  drop: 0.01,
  invalid: 0.02,
  garbage: 0.005,
  control: 0.005,
  oversize: 0.0004,
  disconnect: 0.0008,
  abort: 0.0008,
  halfOpen: 0.0004,
  lose: 0.003,
  reorderWindow: 8,
  // From well within the allowed lateness of the tests to far beyond it.
  lateUs: [1_000_000, 400_000_000],
  replayTrades: 20,
  garbageKinds: GARBAGE,
} as const;

export interface BadDay {
  readonly seed: number;
  readonly startUs: number;
  readonly durationUs: number;
  /** Trades per second and exchange. */
  readonly rate: number;
  readonly feeds?: readonly Feed[];
  readonly exchanges?: readonly Exchange[];
  readonly instrumentsPerExchange: number;
  /** Without it nothing is fetched that the feed left out, so late trades come truly late. */
  readonly backfill: boolean;
  /** Ids start so much lower than they usually would. */
  readonly firstIdsBack?: number;
}

export function badDay(day: BadDay): OfflineSimulation {
  const exchanges = day.exchanges ?? (['BINANCE', 'KRAKEN', 'COINBASE'] as const);
  const instruments = exchanges.flatMap((exchange) =>
    INSTRUMENTS.filter((instrument) => instrument.exchange === exchange)
      .slice(0, day.instrumentsPerExchange)
      .map((instrument) => simulatedInstrument(instrument))
      .map((made) => ({ ...made, startId: made.startId - (day.firstIdsBack ?? 0) })),
  );
  return new OfflineSimulation({
    seed: day.seed,
    instruments,
    ...(day.feeds !== undefined && { feeds: day.feeds }),
    startUs: day.startUs,
    durationUs: day.durationUs,
    ratePerSecond: day.rate,
    faults: EVERY_FAULT,
    connections: 2,
    backfill: day.backfill,
  });
}
