/** Generated trades as files in memory, the way the pipeline writes them. */
import type { Instrument } from '#schemas/instrument';
import { readFile } from '#src/base/disk';
import type { StagedFile } from '#src/lake/staged-file';
import type { ReadFile } from '#src/lake/table-reader';
import { TradeEncoder } from '#src/lake/trade-encoder';
import { INSTRUMENTS, type Trade, tradesJob } from '#tests/lake/trade-rows';
import { MemoryDisk } from '#tests/support/memory-disk';

export interface TradesLake {
  readonly files: readonly StagedFile[];
  readonly read: ReadFile;
}

/** `parts`: trades by the job that writes them; their files share partitions. */
export function tradesLake(parts: readonly (readonly Trade[])[]): TradesLake {
  const disk = new MemoryDisk();
  const encoder = new TradeEncoder(INSTRUMENTS, { lakeDir: '/lake', disk });
  const files = parts
    .filter(({ length }) => length > 0)
    .flatMap((part, k) => encoder.run(tradesJob(part, `job-${k}`)));
  return { files, read: async (path) => readFile(disk, `/lake/${path}`) };
}

export function instrumentOf(trade: Trade): Instrument {
  return INSTRUMENTS[trade.instrument] as Instrument;
}

/** By (time, exchange, symbol, id), as one text that sorts that way. */
export function sortText(trade: Trade): string {
  const { exchange, symbol } = instrumentOf(trade);
  const digits = (value: number): string => String(value).padStart(17, '0');
  return `${digits(trade.timeUs)} ${exchange} ${symbol} ${digits(trade.id)}`;
}
