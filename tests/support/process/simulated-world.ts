/**
 * The world around a Bullion process under test: a temporary directory with a short instrument list,
 * and simulated exchanges in the test's own process, which go on whatever happens to Bullion.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REASONS } from '#schemas/dead-letter';
import { EXCHANGES, type Exchange } from '#schemas/exchange';
import { loadInstruments } from '#src/config/instruments';
import { simulatorAddresses } from '#src/simulator/addresses';
import type { FaultProfile } from '#src/simulator/faults';
import { simulatedInstrument } from '#src/simulator/instrument';
import { Simulator, type SimulatorOptions } from '#src/simulator/server';
import type { Scope } from '#tests/support/process/bullion-process';
import { temporaryDirectory } from '#tests/support/temporary-directory';

/** Three pairs an exchange: few enough that the REST pace of every exchange keeps a test short. */
const INSTRUMENTS = `
binance:
  - { native_symbol: BTCUSDT, base_asset: BTC, quote_asset: USDT }
  - { native_symbol: ETHUSDT, base_asset: ETH, quote_asset: USDT }
  - { native_symbol: SOLUSDT, base_asset: SOL, quote_asset: USDT }
kraken:
  - { native_symbol: BTC/USD, base_asset: BTC, quote_asset: USD }
  - { native_symbol: ETH/USD, base_asset: ETH, quote_asset: USD }
  - { native_symbol: DOGE/USD, base_asset: DOGE, quote_asset: USD }
coinbase:
  - { native_symbol: BTC-USD, base_asset: BTC, quote_asset: USD }
  - { native_symbol: ETH-USD, base_asset: ETH, quote_asset: USD }
  - { native_symbol: XRP-USD, base_asset: XRP, quote_asset: USD }
`;

/** Everything exchanges do wrong, often enough to happen within seconds. */
export const FAULTS: Partial<FaultProfile> = {
  duplicate: 0.02,
  reorder: 0.01,
  late: 0.003,
  lateUs: [500_000, 3_000_000],
  drop: 0.002,
  lose: 0.002,
  invalid: 0.003,
  garbage: 0.002,
  control: 0.002,
  disconnect: 0.0002,
  abort: 0.0001,
  replayTrades: 20,
  // A repeated key is judged by validation and invisible to JSON.parse, the second opinion here.
  invalidReasons: REASONS.map(({ name }) => name).filter((name) => name !== 'malformed_trade'),
};

export interface World {
  /** Working directory: holds configs/instruments.yaml. */
  readonly cwd: string;
  readonly dataDir: string;
  readonly simulator: Simulator;
  /** Those that Bullion listens to. */
  readonly exchanges: readonly Exchange[];
  /** Points a Bullion at the exchanges and the data directory. */
  readonly env: Readonly<Record<string, string>>;
}

export interface WorldOptions extends Partial<SimulatorOptions> {
  readonly seed: number;
  /** All of them unless given. */
  readonly exchanges?: readonly Exchange[];
}

export async function startWorld(
  t: Scope,
  { exchanges = EXCHANGES, ...options }: WorldOptions,
): Promise<World> {
  const cwd = temporaryDirectory(t);
  mkdirSync(join(cwd, 'configs'));
  writeFileSync(join(cwd, 'configs/instruments.yaml'), INSTRUMENTS);
  const instruments = loadInstruments({ cwd });
  const simulator = await Simulator.start({
    instruments: instruments.map((instrument) => simulatedInstrument(instrument)),
    ratePerSecond: 300,
    binanceMicroseconds: true,
    faults: FAULTS,
    ...options,
  });
  t.after(() => simulator.stop());
  const dataDir = join(cwd, 'data');
  return {
    cwd,
    dataDir,
    simulator,
    exchanges,
    env: {
      ...SHORT,
      ...simulatorAddresses(simulator),
      ...at(dataDir),
      ...Object.fromEntries(
        EXCHANGES.filter((exchange) => !exchanges.includes(exchange)).map((exchange) => [
          `BULLION_EXCHANGES_${exchange}_ENABLED`,
          'false',
        ]),
      ),
    },
  };
}

function at(dataDir: string): Record<string, string> {
  return { BULLION_DATA_DIR: dataDir, BULLION_HTTP_PORT: '0' };
}

/** Short epochs and small segments and slots: more edges to be cut at. */
const SHORT: Readonly<Record<string, string>> = {
  BULLION_EPOCHS_INTERVAL_MS: '700',
  BULLION_BRONZE_SYNC_INTERVAL_MS: '20',
  BULLION_BRONZE_SEGMENT_MB: '1',
  BULLION_BATCHES_ROWS: '64',
  BULLION_BATCHES_SLOTS_PER_SHARD: '8',
  BULLION_BATCHES_CHUNK_ROWS: '1024',
  BULLION_LAYOUT_GOLD_SHARDS: '2',
  BULLION_CANDLES_ALLOWED_LATENESS_MS: '2000',
  BULLION_EXCHANGES_BINANCE_SILENCE_LIMIT_MS: '5000',
  BULLION_EXCHANGES_KRAKEN_SILENCE_LIMIT_MS: '5000',
  BULLION_EXCHANGES_COINBASE_SILENCE_LIMIT_MS: '5000',
};

/** The allowed lateness above, us. */
export const ALLOWED_LATENESS_US = 2_000_000;
