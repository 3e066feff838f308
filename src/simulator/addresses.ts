/** The environment that points Bullion at simulated exchanges. */
import type { Simulator } from '#src/simulator/server';

export function simulatorAddresses(simulator: Simulator): Record<string, string> {
  return {
    BULLION_EXCHANGES_BINANCE_WS_URL: `${simulator.url('BINANCE')}/ws?timeUnit=MICROSECOND`,
    BULLION_EXCHANGES_BINANCE_REST_URL: simulator.restUrl('BINANCE'),
    BULLION_EXCHANGES_KRAKEN_WS_URL: simulator.url('KRAKEN'),
    BULLION_EXCHANGES_KRAKEN_REST_URL: simulator.restUrl('KRAKEN'),
    BULLION_EXCHANGES_COINBASE_WS_URL: simulator.url('COINBASE'),
    BULLION_EXCHANGES_COINBASE_REST_URL: simulator.restUrl('COINBASE'),
  };
}
