/**
 * Reads the instrument list (configs/instruments.yaml): which pairs to listen to, per exchange, in
 * the file's order. Codes are not given here: the data directory's registry does that, once and
 * for ever (schemas/instrument.ts).
 */
import { type Static, Type } from '@sinclair/typebox';
import { EXCHANGES, type ExchangeKey, exchangeKey } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { EXIT, UserError } from '#src/base/errors';
import { firstFault } from '#src/config/check';
import { locate } from '#src/config/load';
import { PACKAGE_ROOT } from '#src/config/package-root';
import { readYaml, type YamlFile } from '#src/config/yaml-file';

/** An instrument that has no dictionary code yet. */
export type ConfiguredInstrument = Omit<Instrument, 'code'>;

const INSTRUMENTS_FILE = 'configs/instruments.yaml';

const asset = Type.String({
  pattern: '^[A-Z0-9]{1,16}$',
  allowed: 'an asset name of 1 to 16 capital letters and digits, such as BTC',
});

const entry = Type.Object(
  {
    native_symbol: Type.String({
      pattern: '^[A-Z0-9]{1,16}([/-][A-Z0-9]{1,16})?$',
      allowed: "the exchange's own spelling, such as BTCUSDT, BTC/USD or BTC-USD",
    }),
    base_asset: asset,
    quote_asset: asset,
  },
  {
    additionalProperties: false,
    allowed: 'a mapping with the keys native_symbol, base_asset, quote_asset',
  },
);

const list = Type.Array(entry, { allowed: 'a list of instruments' });

const FILE = Type.Object(
  { binance: list, kraken: list, coinbase: list } satisfies Record<ExchangeKey, typeof list>,
  {
    additionalProperties: false,
    allowed: 'a mapping with the keys binance, kraken, coinbase',
  },
);

/** Kraken's old asset names, still in recordings of its v1 feed. */
const ASSET_NAMES: Readonly<Record<string, string>> = { XBT: 'BTC', XDG: 'DOGE' };

/** The exchange's spelling in ours: `XBT/USD` and `BTC-USD` are `BTCUSD`. */
function canonical(nativeSymbol: string): string {
  const legs = nativeSymbol.split(/[/-]/);
  return legs.map((leg) => ASSET_NAMES[leg] ?? leg).join('');
}

export interface InstrumentOptions {
  /** Relative to `cwd`, or to the package; the package's own list unless given. */
  readonly path?: string;
  readonly cwd?: string;
  readonly root?: string;
}

export function loadInstruments(options: InstrumentOptions = {}): readonly ConfiguredInstrument[] {
  const { path = INSTRUMENTS_FILE, root = PACKAGE_ROOT, cwd = root } = options;
  return instrumentsOf(readYaml(locate(path, cwd, root), path), path);
}

/** The list in a file that has been read; `path` is what messages call it. */
export function instrumentsOf(file: YamlFile, path: string): readonly ConfiguredInstrument[] {
  const fault = firstFault(FILE, file.data);
  if (fault !== undefined) {
    throw new UserError(EXIT.config, `${file.where(fault.path)}: ${fault.sentence}`);
  }
  const lists = file.data as Static<typeof FILE>;
  const instruments: ConfiguredInstrument[] = [];
  const firstAt = new Map<string, string>();
  for (const exchange of EXCHANGES) {
    const key = exchangeKey(exchange);
    for (const [index, item] of lists[key].entries()) {
      const where = file.where([key, String(index)]);
      const symbol = `${item.base_asset}${item.quote_asset}`;
      const name = `${key} ${item.native_symbol}`;
      if (canonical(item.native_symbol) !== symbol) {
        const assets = `${item.base_asset} against ${item.quote_asset}`;
        throw new UserError(EXIT.config, `${where}: ${name} is not the symbol of ${assets}`);
      }
      // Both spellings must be free: `XBT/USD` and `BTC/USD` would be one and the same BTCUSD.
      const first = firstAt.get(`${key} ${symbol}`);
      if (first !== undefined) {
        const again = `${name} (${symbol}) is listed already, at ${first}: keep one of them`;
        throw new UserError(EXIT.config, `${where}: ${again}`);
      }
      firstAt.set(`${key} ${symbol}`, where);
      instruments.push(
        Object.freeze({
          exchange,
          nativeSymbol: item.native_symbol,
          symbol,
          baseAsset: item.base_asset,
          quoteAsset: item.quote_asset,
        }),
      );
    }
  }
  if (instruments.length === 0) {
    throw new UserError(EXIT.config, `${path}: the list must hold at least one instrument`);
  }
  return Object.freeze(instruments);
}
