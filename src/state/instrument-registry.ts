/**
 * The instrument registry: which code means which instrument, for ever. A code is given out once;
 * an instrument that leaves the configuration keeps its own and gets it back when it returns.
 * An instrument is its exchange and canonical symbol; the exchange may rename its native symbol.
 */
import type { Instrument } from '#schemas/instrument';
import { EXIT, UserError } from '#src/base/errors';

export type ConfiguredInstrument = Omit<Instrument, 'code'>;

export interface RegisteredInstrument extends Instrument {
  /** Whether it is in the configuration of this start. */
  readonly configured: boolean;
}

/** What identifies an instrument on disk. */
export function instrumentName(instrument: Pick<Instrument, 'exchange' | 'symbol'>): string {
  return `${instrument.exchange}|${instrument.symbol}`;
}

/** Codes for `configured`: those of `known` (in code order) stay, new ones follow. */
export function register(
  known: readonly Instrument[],
  configured: readonly ConfiguredInstrument[],
): RegisteredInstrument[] {
  refuseTwice(configured, (i) => i.symbol);
  refuseTwice(configured, (i) => i.nativeSymbol);
  const wanted = new Map(configured.map((i) => [instrumentName(i), i]));
  const registered: RegisteredInstrument[] = known.map((instrument) => {
    const now = wanted.get(instrumentName(instrument));
    wanted.delete(instrumentName(instrument));
    return { ...instrument, ...now, code: instrument.code, configured: now !== undefined };
  });
  for (const instrument of wanted.values()) {
    registered.push({ ...instrument, code: registered.length, configured: true });
  }
  return registered;
}

function refuseTwice(
  configured: readonly ConfiguredInstrument[],
  symbolOf: (instrument: ConfiguredInstrument) => string,
): void {
  const seen = new Set<string>();
  for (const instrument of configured) {
    const name = `${instrument.exchange} ${symbolOf(instrument)}`;
    if (seen.has(name)) {
      const message = `The configuration lists ${name} twice; remove one of the two instruments.`;
      throw new UserError(EXIT.config, message);
    }
    seen.add(name);
  }
}
