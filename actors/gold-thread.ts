/**
 * A gold shard on its thread: goes on from the last epoch's interval sets.
 */
import type { Remote } from 'comlink';
import type { StartedActor } from '#src/runtime/control';
import { ActorCounters } from '#src/runtime/counters';
import {
  allBatches,
  candlesDoorbell,
  goldDoorbell,
  ringToCandles,
  ringToGold,
} from '#src/runtime/group-memory';
import type { Machine } from '#src/runtime/machine';
import type { SupervisorLine } from '#src/runtime/supervisor-line';
import type { GoldSpec } from '#src/runtime/thread-spec';
import { LiveTradesWriter } from '#src/trades/live-trades';
import { GoldActor } from './gold.js';

export async function start(
  spec: GoldSpec,
  line: Remote<SupervisorLine>,
  machine: Machine,
): Promise<StartedActor> {
  const { memory, shard, config, instruments, intervals } = spec;
  const doorbell = goldDoorbell(memory, shard);
  const counters = new ActorCounters('gold', spec.board, spec.boardRow);
  let stopped = false;
  let files = 0;
  const actor = new GoldActor({
    shard,
    inputs: Array.from({ length: memory.validationShards }, (_, validation) =>
      ringToGold(memory, validation, shard),
    ),
    batches: allBatches(memory),
    output: { ring: ringToCandles(memory, shard), doorbell: candlesDoorbell(memory) },
    instruments,
    intervals,
    live: spec.liveTrades && new LiveTradesWriter(spec.liveTrades),
    lake: { run: (job) => line.lake(job) },
    chunkRows: config.batches.chunk_rows,
    nextName: () => `${spec.filePrefix}-${files++}`,
    wake: () => doorbell.ring(),
    counters,
    report: (report) => line.report(report),
  });
  return {
    control: {
      stop: async () => {
        stopped = true;
        doorbell.ring();
      },
    },
    run: machine.run(actor, doorbell, counters, () => stopped),
  };
}
