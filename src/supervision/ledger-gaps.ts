/**
 * The gaps an ingest actor is asked to fetch after an epoch, from the interval sets in the state.
 *
 * An actor that starts knows the ledger of the last epoch, not what the log behind it will show once
 * it is judged: a gap of a life too short for an epoch comes to light only then.
 */
import type { Exchange } from '#schemas/exchange';
import type { IdRange } from '#src/feed/trade-history';
import type { RegisteredInstrument } from '#src/state/instrument-registry';
import type { StateStore } from '#src/state/store';
import { RECENT_GAP_US, recentGapsOf } from '#src/trades/gaps';
import { IntervalSet } from '#src/trades/interval-set';

/** The newest gaps of an instrument that are passed on: more are no cut but a feed that loses trades. */
const GAPS_MAX = 20;

export function ledgerGaps(
  store: Pick<StateStore, 'intervals'>,
  instruments: readonly RegisteredInstrument[],
  exchange: Exchange,
): IdRange[] {
  return instruments
    .filter((instrument) => instrument.exchange === exchange && instrument.configured)
    .flatMap((instrument) => {
      const packed = store.intervals(instrument);
      if (packed === undefined) return [];
      return recentGapsOf(IntervalSet.unpack(packed), RECENT_GAP_US)
        .slice(-GAPS_MAX)
        .map(({ fromId, toId, afterUs }) => ({
          symbol: instrument.nativeSymbol,
          lo: fromId,
          hi: toId,
          sinceUs: afterUs,
        }));
    });
}
