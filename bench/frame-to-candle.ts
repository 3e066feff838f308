/**
 * From a frame's arrival to its trade's live candle: the receive time that ingest wrote into the log
 * against the moment a watching thread first saw the trade's id in shared memory.
 */
import { join } from 'node:path';
import { EXCHANGES, exchangeKey } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import type { Config } from '#src/config/schema';
import { FRAME_TRADES, NO_REASON } from '#src/exchanges/parsed-trades';
import { LogReader } from '#src/log/log-reader';
import type { DataDirectory } from '#src/supervision/data-directory';
import { validatorOf } from '#src/trades/validator-of';
import type { Sighting } from './live-watch.js';

/** Of every trade of `watched` received in [fromUs, toUs), ascending, us. */
export function frameToCandleUs(
  { disk, paths, instruments }: DataDirectory,
  config: Config,
  watched: readonly Instrument[],
  sightings: readonly Sighting[],
  fromUs: number,
  toUs: number,
): number[] {
  const took: number[] = [];
  for (const exchange of EXCHANGES) {
    const mine = watched.filter((instrument) => instrument.exchange === exchange);
    const seen = new Map(
      mine.map(({ code }) => [code, sightings.filter(({ instrument }) => instrument === code)]),
    );
    /** By instrument: how far into its sightings the log has come. */
    const at = new Map(mine.map(({ code }) => [code, 0]));
    const validator = validatorOf(exchange, instruments, config);
    const dir = join(paths.bronze, exchangeKey(exchange));
    const reader = LogReader.open({ disk, dir, fromSequence: 0 });
    while (reader.next()) {
      const { bytes, start, end, kind, receiveTimeUs } = reader;
      if (receiveTimeUs < fromUs || receiveTimeUs >= toUs) continue;
      if (validator.validate(bytes, start, end, kind, receiveTimeUs) !== FRAME_TRADES) continue;
      const { count, reason, instrument, tradeId } = validator.parsed;
      for (let row = 0; row < count; row++) {
        const code = instrument[row] as number;
        const candles = seen.get(code);
        if (candles === undefined || reason[row] !== NO_REASON) continue;
        let i = at.get(code) as number;
        while (
          i < candles.length &&
          (candles[i] as Sighting).lastTradeId < (tradeId[row] as number)
        )
          i++;
        at.set(code, i);
        const sighting = candles[i];
        if (sighting !== undefined) took.push(sighting.timeUs - receiveTimeUs);
      }
    }
    reader.close();
  }
  return took.sort((a, b) => a - b);
}
