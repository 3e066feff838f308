/** A data directory on the real disk whose epochs are made up: data files of zeros, no actors. */
import { join } from 'node:path';
import { systemClock } from '#src/base/clock';
import type { Environment } from '#src/config/environment';
import { loadConfig } from '#src/config/load';
import type { StagedFile } from '#src/lake/staged-file';
import type { Steps } from '#src/maintenance/upkeep-steps';
import { type DataDirectory, openDataDirectory } from '#src/supervision/data-directory';
import { CANDLES, dataFile, GOLD } from '#tests/iceberg/lake-model';

const HOUR = 'exchange_date=2026-11-23/exchange_hour=07';
export const DAY = 'window_date=2026-11-23';

/** `env`: where else than in the directory the tables are. */
export function openDirectory(
  dir: string,
  step?: Steps,
  env: Environment = {},
): Promise<DataDirectory> {
  return openDataDirectory({
    config: { ...loadConfig({ env, cwd: dir }), data_dir: join(dir, 'data') },
    instruments: [],
    clock: systemClock(),
    binanceStream: undefined,
    purpose: 'a test',
    ...(step && { step }),
  });
}

/** A gold file that adds up, and a candle file that replaces the earlier one. */
export function epochFiles(n: number): StagedFile[] {
  return [dataFile(GOLD, HOUR, `g${n}`, n), dataFile(CANDLES, DAY, `c${n}`, n)];
}

/** Writes the files and commits the epoch; the tables do not know of it yet. */
export async function commitEpoch(
  data: DataDirectory,
  files: readonly StagedFile[],
): Promise<number> {
  for (const { path, bytes } of files) {
    await data.tables.warehouse.put(path, Buffer.alloc(bytes));
  }
  const epoch = data.store.epoch().epoch + 1;
  await data.store.commitEpoch({
    epoch,
    committedUs: systemClock().nowUs(),
    progress: [],
    gold: [],
    bronze: [],
    instruments: [],
    candles: new Uint8Array(0),
    files,
  });
  return epoch;
}
