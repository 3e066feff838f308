/**
 * The tables whose files add up and are compacted, by name alone: the supervisor plans with it and
 * must not load the encoders.
 */
import { bronzeTable } from '#schemas/bronze';
import { DEAD_LETTERS } from '#schemas/dead-letter';
import { EXCHANGES, exchangeKey } from '#schemas/exchange';
import { GOLD_TRADES, silverTable } from '#schemas/trade';

const KEYS = EXCHANGES.map(exchangeKey);

export const COMPACTED_NAMES: readonly string[] = [
  ...KEYS.map(bronzeTable),
  ...KEYS.map(silverTable),
  DEAD_LETTERS,
  GOLD_TRADES,
];
