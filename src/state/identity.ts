/**
 * What a data directory is: when it was made, in which format, by which rules, and of which kind of
 * Binance stream (`trade` and `aggTrade` number their trades differently: one directory, one kind).
 */
import { EXIT, UserError } from '#src/base/errors';
import type { DerivationRules } from '#src/state/rules';

/** Counts up with every change that an older program cannot read. 2: digests of areas are mixed. */
export const STATE_FORMAT = 2;

export type BinanceStream = 'trade' | 'aggTrade';

export interface Identity {
  readonly format: number;
  readonly createdUs: number;
  /** Set once, by the first start with Binance instruments. */
  readonly binanceStream?: BinanceStream;
  /** The rules of the last run, and the epoch after which they or the instruments changed last. */
  readonly rules?: DerivationRules;
  readonly rulesSinceEpoch?: number;
}

export function newIdentity(createdUs: number): Identity {
  return { format: STATE_FORMAT, createdUs };
}

/** Refuses a state that a newer program wrote. */
export function checkFormat(directory: string, { format }: Identity): void {
  if (format > STATE_FORMAT) {
    const message = `The state in ${directory} has format ${format} and this program reads up to ${STATE_FORMAT}; start the newer bullion that wrote it, or use another data directory.`;
    throw new UserError(EXIT.config, message);
  }
}
