/** The parser of each exchange. */
import type { Exchange } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { BinanceFormat, type BinanceStreamKind } from '#src/exchanges/binance';
import { CoinbaseFormat } from '#src/exchanges/coinbase';
import { FrameParser } from '#src/exchanges/frame-parser';
import { KrakenFormat } from '#src/exchanges/kraken';
import { SymbolTable } from '#src/exchanges/symbol-table';

/** `instruments` may be those of all exchanges; `streamKind` is Binance's. */
export function createFrameParser(
  exchange: Exchange,
  instruments: readonly Instrument[],
  streamKind: BinanceStreamKind,
): FrameParser {
  const symbols = new SymbolTable(instruments.filter((each) => each.exchange === exchange));
  switch (exchange) {
    case 'BINANCE': {
      const csvKind = streamKind === 'aggTrade' ? 'aggTrades' : 'trades';
      return new FrameParser(new BinanceFormat(symbols, streamKind), symbols, csvKind);
    }
    case 'KRAKEN':
      return new FrameParser(new KrakenFormat(symbols), symbols, 'trades');
    case 'COINBASE':
      return new FrameParser(new CoinbaseFormat(symbols), symbols, 'trades');
  }
}
