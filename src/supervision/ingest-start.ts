/**
 * What an ingest actor is told of the last epoch when it starts: whom to listen to, how far the log
 * is durable, and which trades are held.
 */
import type { Exchange } from '#schemas/exchange';
import type { IngestSpec } from '#src/runtime/thread-spec';
import type { DataDirectory } from '#src/supervision/data-directory';

export function ingestStart(
  { store, instruments }: Pick<DataDirectory, 'store' | 'instruments'>,
  exchange: Exchange,
): Pick<IngestSpec, 'instruments' | 'durableNextSequence' | 'intervals'> {
  // A pair taken out of the list keeps its code and its history, but is not listened to.
  const listed = instruments.filter((one) => one.exchange === exchange && one.configured);
  const progress = store.epoch().progress.find((one) => one.exchange === exchange);
  const intervals = new Map<number, Uint8Array>();
  for (const instrument of listed) {
    const packed = store.intervals(instrument);
    if (packed !== undefined) intervals.set(instrument.code, packed);
  }
  return { instruments: listed, durableNextSequence: progress?.nextSequence ?? 0, intervals };
}
