/** The validator a configuration asks for: the same one for live data, imports and replays. */
import type { Exchange } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import type { Config } from '#src/config/schema';
import { Validator } from '#src/trades/validator';

const DAY_US = 86_400_000_000;

export function validatorOf(
  exchange: Exchange,
  instruments: readonly Instrument[],
  config: Config,
): Validator {
  return new Validator({
    exchange,
    instruments,
    binanceStream: config.exchanges.binance.channel,
    futureToleranceUs: config.validation.future_tolerance_ms * 1000,
    ageLimitUs: config.validation.age_limit_days * DAY_US,
  });
}
