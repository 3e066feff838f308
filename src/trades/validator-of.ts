/** The validator a configuration asks for: the same one for live data, imports and replays. */
import type { Exchange } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import type { Config } from '#src/config/schema';
import { createFrameParser } from '#src/exchanges/frame-parsers';
import { Validator } from '#src/trades/validator';

const DAY_US = 86_400_000_000;

export function validatorOf(
  exchange: Exchange,
  instruments: readonly Instrument[],
  config: Config,
): Validator {
  const { future_tolerance_ms, age_limit_days } = config.validation;
  const parser = createFrameParser(exchange, instruments, config.exchanges.binance.channel);
  return new Validator(parser, {
    futureToleranceUs: future_tolerance_ms * 1000,
    ageLimitUs: age_limit_days * DAY_US,
  });
}
