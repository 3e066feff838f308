/** Gold against what the exchanges did: nothing that never happened, nothing missing without a reason. */
import type { Exchange } from '#schemas/exchange';
import type { Tape } from '#src/simulator/tape';
import type { StateStore } from '#src/state/store';
import { gapsOf } from '#src/trades/gaps';
import { IntervalSet } from '#src/trades/interval-set';
import type { SimExchange } from '#tests/sim/exchanges';
import type { Truth } from '#tests/sim/truth';
import { hold } from '#tests/sim/violation';
import type { AcceptedTrade } from '#tests/support/oracle/oracle';

type Venues = ReadonlyMap<Exchange, SimExchange>;

/** I1: every gold trade is one of the exchange's, to the last digit. */
export function checkSource(truths: readonly Truth[], venues: Venues): void {
  for (const { oracle, exchange } of truths) {
    const { tapes } = (venues.get(exchange) as SimExchange).state.market;
    const bySymbol = new Map(tapes.map((tape) => [tape.instrument.symbol, tape]));
    for (const trade of oracle.gold) {
      const tape = bySymbol.get(trade.instrument.symbol);
      hold('I1', tape !== undefined && isOn(tape, trade), () => {
        return `${exchange} ${trade.instrument.symbol} ${trade.id} never happened so`;
      });
    }
  }
}

function isOn(tape: Tape, { id, timeUs, price, quantity }: AcceptedTrade): boolean {
  const { startId, priceDecimals, quantityDecimals } = tape.instrument;
  const row = id - startId;
  if (row < 0 || row >= tape.rows) return false;
  const scaled = (value: number, decimals: number): bigint =>
    BigInt(value) * 10n ** BigInt(8 - decimals);
  return (
    tape.time.get(row) === timeUs &&
    scaled(tape.price.get(row), priceDecimals) === price &&
    scaled(tape.quantity.get(row), quantityDecimals) === quantity
  );
}

/** I8, I15: the first trade between two in gold that the exchange has and nobody has given up. */
export function firstMissing(
  store: StateStore,
  venues: Venues,
  isGivenUp: (exchange: Exchange, nativeSymbol: string) => boolean,
): string | undefined {
  for (const venue of venues.values()) {
    for (const tape of venue.state.market.tapes) {
      const { exchange, symbol, nativeSymbol, startId } = tape.instrument;
      const packed = store.intervals({ exchange, symbol });
      if (packed === undefined || isGivenUp(exchange, nativeSymbol)) continue;
      for (const { fromId, toId } of gapsOf(IntervalSet.unpack(packed))) {
        for (let id = fromId; id <= toId; id++) {
          if (!tape.lost(id - startId)) return `${exchange} ${symbol} ${id} is missing`;
        }
      }
    }
  }
  return undefined;
}
