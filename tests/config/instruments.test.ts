/** The instrument list: the packaged one, and what each mistake is answered with. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { EXIT, UserError } from '#src/base/errors';
import { loadInstruments } from '#src/config/instruments';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const dir = temporaryDirectory({ after }, 'instruments');

describe('configs/instruments.yaml', () => {
  const instruments = loadInstruments();
  const of = (exchange: string) => instruments.filter((i) => i.exchange === exchange);

  it('lists 13, 11 and 11 pairs', () => {
    assert.equal(of('BINANCE').length, 13);
    assert.equal(of('KRAKEN').length, 11);
    assert.equal(of('COINBASE').length, 11);
    assert.equal(instruments.length, 35);
  });

  it('spells each exchange its own way', () => {
    for (const { exchange, nativeSymbol, baseAsset, quoteAsset, symbol } of instruments) {
      const separator = { BINANCE: '', KRAKEN: '/', COINBASE: '-' }[exchange];
      assert.equal(nativeSymbol, baseAsset + separator + quoteAsset);
      assert.equal(symbol, baseAsset + quoteAsset);
      assert.equal(quoteAsset, exchange === 'BINANCE' ? 'USDT' : 'USD');
    }
    assert.deepEqual(instruments[0], {
      exchange: 'BINANCE',
      nativeSymbol: 'BTCUSDT',
      symbol: 'BTCUSDT',
      baseAsset: 'BTC',
      quoteAsset: 'USDT',
    });
  });

  it('holds the pairs asked for', () => {
    const usd = 'BTC ETH SOL XRP ADA DOT LINK DOGE LTC AVAX ATOM'.split(' ');
    const usdt = 'BTC ETH BNB SOL XRP ADA DOT LINK DOGE LTC AVAX ATOM TRX'.split(' ');
    const bases = (exchange: string) => of(exchange).map((i) => i.baseAsset);
    assert.deepEqual(bases('BINANCE'), usdt);
    assert.deepEqual(bases('KRAKEN'), usd);
    assert.deepEqual(bases('COINBASE'), usd);
  });
});

describe('an own list', () => {
  const load = (yaml: string) => {
    writeFileSync(join(dir, 'my.yaml'), yaml);
    return loadInstruments({ path: 'my.yaml', cwd: dir });
  };
  const entry = (native: string, base: string, quote: string) =>
    `  - { native_symbol: ${native}, base_asset: ${base}, quote_asset: ${quote} }\n`;
  const rest = 'kraken: []\ncoinbase: []\n';

  it("maps Kraken's old names to ours", () => {
    const [btc, doge] = load(
      `binance: []\nkraken:\n${entry('XBT/USD', 'BTC', 'USD')}${entry('XDG/USD', 'DOGE', 'USD')}coinbase: []\n`,
    );
    assert.equal(btc?.symbol, 'BTCUSD');
    assert.equal(doge?.symbol, 'DOGEUSD');
    assert.equal(doge?.nativeSymbol, 'XDG/USD');
  });

  const cases: readonly [name: string, yaml: string, message: string][] = [
    [
      'twice the same',
      `binance:\n${entry('BTCUSDT', 'BTC', 'USDT')}${entry('BTCUSDT', 'BTC', 'USDT')}${rest}`,
      'my.yaml:3: binance BTCUSDT (BTCUSDT) is listed already, at my.yaml:2: keep one of them',
    ],
    [
      'two spellings of one pair',
      `binance: []\nkraken:\n${entry('XBT/USD', 'BTC', 'USD')}${entry('BTC/USD', 'BTC', 'USD')}coinbase: []\n`,
      'my.yaml:4: kraken BTC/USD (BTCUSD) is listed already, at my.yaml:3: keep one of them',
    ],
    [
      'assets of another pair',
      `binance:\n${entry('BTCUSDT', 'ETH', 'USDT')}${rest}`,
      'my.yaml:2: binance BTCUSDT is not the symbol of ETH against USDT',
    ],
    [
      'unknown exchange',
      `binance: []\nbitstamp: []\n${rest}`,
      'my.yaml:2: bitstamp is not a known key; allowed: binance, kraken, coinbase',
    ],
    [
      'missing exchange',
      'binance: []\nkraken: []\n',
      'my.yaml:1: coinbase is missing; it must be a list of instruments',
    ],
    [
      'unknown key',
      `binance:\n  - { symbol: BTCUSDT }\n${rest}`,
      'my.yaml:2: binance.0.symbol is not a known key; allowed: native_symbol, base_asset, quote_asset',
    ],
    [
      'lower case',
      `binance:\n${entry('btcusdt', 'BTC', 'USDT')}${rest}`,
      'my.yaml:2: binance.0.native_symbol must be the exchange\'s own spelling, such as BTCUSDT, BTC/USD or BTC-USD, got "btcusdt"',
    ],
    [
      'a path for a name',
      `binance:\n${entry('../x', 'BTC', 'USDT')}${rest}`,
      'my.yaml:2: binance.0.native_symbol must be the exchange\'s own spelling, such as BTCUSDT, BTC/USD or BTC-USD, got "../x"',
    ],
    [
      'nothing at all',
      `binance: []\n${rest}`,
      'my.yaml: the list must hold at least one instrument',
    ],
  ];
  for (const [name, yaml, message] of cases) {
    it(name, () => {
      assert.throws(() => load(yaml), { name: UserError.name, exitCode: EXIT.config, message });
    });
  }
});
