/** A working directory whose instrument list is the simulated market's (bench/recording.ts). */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { recordedInstruments } from '#bench/recording';
import { EXCHANGES, exchangeKey } from '#schemas/exchange';
import type { Scope } from '#tests/support/process/bullion-process';
import { temporaryDirectory } from '#tests/support/temporary-directory';

export function marketDirectory(scope: Scope, name: string): string {
  const cwd = temporaryDirectory(scope, name);
  mkdirSync(join(cwd, 'configs'));
  const lists = EXCHANGES.map((exchange) => {
    const rows = recordedInstruments()
      .filter((instrument) => instrument.exchange === exchange)
      .map(
        ({ nativeSymbol, baseAsset, quoteAsset }) =>
          `  - { native_symbol: ${nativeSymbol}, base_asset: ${baseAsset}, quote_asset: ${quoteAsset} }\n`,
      );
    return `${exchangeKey(exchange)}:\n${rows.join('')}`;
  });
  writeFileSync(join(cwd, 'configs/instruments.yaml'), lists.join(''));
  return cwd;
}
