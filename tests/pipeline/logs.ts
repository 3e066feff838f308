/** Frames into the bronze logs of a data directory and, in the same order, to the oracles. */
import type { Exchange } from '#schemas/exchange';
import { FEED_EXCHANGE } from '#src/simulator/frame-format';
import type { OfflineSimulation } from '#src/simulator/offline';
import { INSTRUMENTS, openLog } from '#tests/pipeline/pipeline';
import { Oracle } from '#tests/support/oracle/oracle';

export interface Frame {
  readonly bytes: Uint8Array;
  readonly kind: number;
  readonly connection: number;
  readonly receiveTimeUs: number;
}

export function newOracle(
  exchange: Exchange,
  allowedLatenessMs: number,
  aggregates = false,
): Oracle {
  return new Oracle({
    exchange,
    instruments: INSTRUMENTS,
    aggregates,
    allowedLatenessUs: allowedLatenessMs * 1000,
    futureToleranceUs: 5_000_000,
    ageLimitUs: 365 * 86_400_000_000,
  });
}

/** Frames in a block of the log: sometimes one, seldom many. */
const BLOCKS = [1, 2, 3, 5, 8, 13, 200, 1000] as const;

/** Appends frames to an exchange's log in blocks of all sizes. */
export async function appendLog(
  dir: string,
  exchange: Exchange,
  frames: Iterable<Frame>,
  oracle?: Oracle,
): Promise<void> {
  const writer = openLog(dir, exchange);
  let blocks = 0;
  let left: number = BLOCKS[0];
  for (const { bytes, kind, connection, receiveTimeUs } of frames) {
    writer.append(bytes, kind, connection, receiveTimeUs);
    oracle?.frame(bytes, kind, receiveTimeUs);
    if (--left > 0) continue;
    writer.flush();
    left = BLOCKS[++blocks % BLOCKS.length] as number;
  }
  await writer.close();
}

/** Every feed of a simulation into its exchange's log. */
export async function appendSimulation(
  dir: string,
  simulation: OfflineSimulation,
  oracleOf: (exchange: Exchange) => Oracle | undefined,
): Promise<void> {
  for (const feed of simulation.feeds) {
    const exchange = FEED_EXCHANGE[feed];
    await appendLog(dir, exchange, simulation.frames(feed), oracleOf(exchange));
  }
}
