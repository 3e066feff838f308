/** Simulated exchanges on loopback, and the environment that points Bullion at them. */
import { simulatorAddresses } from '#src/simulator/addresses';
import { type SimulatedInstrument, simulatedInstrument } from '#src/simulator/instrument';
import { Simulator } from '#src/simulator/server';
import { recordedInstruments } from './recording.js';

/** Above every id of the recording: a run on an old directory makes no duplicates of its trades. */
export const IDS_ABOVE = 10_000_000_000;

const SEED = 20_260_707;
/** What REST could be asked for; more would only fill this process's memory. */
const KEEP_TRADES = 50_000;
/** Trades are sent as they happen, as near as a timer allows: not in bursts of ten milliseconds. */
const TICK_MS = 1;

export interface Exchanges {
  readonly simulator: Simulator;
  readonly env: Readonly<Record<string, string>>;
}

/** `tradesPerSecond` over all three exchanges, without faults. */
export async function startExchanges(tradesPerSecond: number, dataDir: string): Promise<Exchanges> {
  const instruments = recordedInstruments().map((instrument): SimulatedInstrument => {
    const made = simulatedInstrument(instrument);
    return { ...made, startId: made.startId + IDS_ABOVE };
  });
  const simulator = await Simulator.start({
    seed: SEED,
    instruments,
    ratePerSecond: tradesPerSecond / 3,
    binanceMicroseconds: true,
    keepTradesMax: KEEP_TRADES,
    tickMs: TICK_MS,
  });
  return {
    simulator,
    env: {
      BULLION_DATA_DIR: dataDir,
      BULLION_HTTP_PORT: '0',
      // One client asks as fast as it is answered.
      BULLION_HTTP_REQUESTS_PER_SECOND: '1000000',
      ...simulatorAddresses(simulator),
      // What an old directory lacks is older than the simulated exchanges' history.
      BULLION_EXCHANGES_BINANCE_BACKFILL: 'false',
      BULLION_EXCHANGES_KRAKEN_BACKFILL: 'false',
      BULLION_EXCHANGES_COINBASE_BACKFILL: 'false',
    },
  };
}
