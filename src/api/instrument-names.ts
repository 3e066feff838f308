/** Symbols and exchanges of a request, checked against the instruments there are. */
import { EXCHANGES, type Exchange } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { bad, listOf, oneOf, optional, text } from '#src/api/parameters';
import { quoted } from '#src/api/problem';

const LIST = 'GET /v1/symbols lists them';

const symbol = text(`one of the symbols: ${LIST}`, 'Canonical symbol, such as BTCUSD.');

/** What every request about one instrument takes. */
export const INSTRUMENT = {
  symbol,
  exchange: optional({
    ...text('an exchange', ''),
    schema: oneOf(EXCHANGES, 'May be left out where only one exchange lists the symbol.').schema,
  }),
};

/** More than these in one request would read most of the lake. */
const SYMBOLS_MAX = 50;

/** What every request about several instruments takes: all of them unless named. */
export const INSTRUMENTS = {
  symbols: optional(listOf(symbol, SYMBOLS_MAX, 'Canonical symbols; all when left out.')),
  exchanges: optional(
    listOf(oneOf(EXCHANGES, 'Exchange.'), EXCHANGES.length, 'Exchanges; all when left out.'),
  ),
};

function exchangesOf(instruments: readonly Instrument[]): Exchange[] {
  return [...new Set(instruments.map((instrument) => instrument.exchange))];
}

/** The one instrument that is meant. */
export function instrumentOf(
  instruments: readonly Instrument[],
  symbol: string,
  exchange: string | undefined,
): Instrument {
  const names = exchangesOf(instruments);
  if (exchange !== undefined && !(names as string[]).includes(exchange)) {
    throw bad('exchange', `must be one of ${names.join(', ')}, got ${quoted(exchange)}`);
  }
  const found = instruments.filter(
    (i) => i.symbol === symbol && (exchange === undefined || i.exchange === exchange),
  );
  const [first, second] = found;
  if (first === undefined) {
    const where = exchange === undefined ? '' : ` on ${exchange}`;
    throw bad('symbol', `must be one of the symbols${where}, got ${quoted(symbol)}: ${LIST}`);
  }
  if (second !== undefined) {
    const listing = found.map((i) => i.exchange).join(', ');
    throw bad('exchange', `is missing; ${symbol} is on several exchanges: one of ${listing}`);
  }
  return first;
}

/** All instruments that are meant; at least one. */
export function instrumentsOf(
  instruments: readonly Instrument[],
  symbols: readonly string[] | undefined,
  exchanges: readonly string[] | undefined,
): Instrument[] {
  const unknown = symbols?.find((name) => !instruments.some((i) => i.symbol === name));
  if (unknown !== undefined) {
    throw bad('symbols', `must be known symbols, got ${quoted(unknown)}: ${LIST}`);
  }
  const found = instruments.filter(
    (i) => (symbols?.includes(i.symbol) ?? true) && (exchanges?.includes(i.exchange) ?? true),
  );
  if (found.length === 0) throw bad('exchanges', `list none of these symbols: ${LIST}`);
  return found;
}
