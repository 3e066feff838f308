/** What exchanges sent and published, recorded, where the recordings are at hand. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ExchangeKey } from '#schemas/exchange';

/** A file or folder of the recorded data, which lies beside the project or where the environment says. */
export function recordedData(path: string): string | undefined {
  return [resolve('../shared/data'), process.env.BULLION_SHARED_DATA]
    .flatMap((folder) => (folder === undefined ? [] : resolve(folder, path)))
    .find((found) => existsSync(found));
}

/** Frames as an exchange sent them. */
export function readCapture(exchange: ExchangeKey): string[] | undefined {
  const path = recordedData(`captures/${exchange}-btc-eth-2026-07-07.ndjson`);
  if (path === undefined) return undefined;
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}
