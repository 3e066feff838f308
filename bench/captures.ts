/** Frames as exchanges sent them, one per line, where the recordings are at hand. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Exchange, exchangeKey } from '#schemas/exchange';

const FOLDERS = [join(process.cwd(), '../shared/data'), process.env.BULLION_SHARED_DATA ?? ''];

export function readCapture(exchange: Exchange): string[] | undefined {
  const name = `captures/${exchangeKey(exchange)}-btc-eth-2026-07-07.ndjson`;
  const path = FOLDERS.map((folder) => join(folder, name)).find((file) => existsSync(file));
  if (path === undefined) return undefined;
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}
