/**
 * The candle aggregator on its thread: restores the book from the last epoch and runs. It keeps the
 * state store open, read-only, because a late trade may touch a candle that is no longer in memory.
 */
import type { Remote } from 'comlink';
import { CandleBook } from '#src/candles/candle-book';
import { LiveCandlesWriter } from '#src/candles/live-candles';
import type { CandlesControl, StartedActor } from '#src/runtime/control';
import { ActorCounters } from '#src/runtime/counters';
import {
  allBatches,
  candlesDoorbell,
  gatewayDoorbell,
  ringBack,
  ringToCandles,
  validationDoorbell,
} from '#src/runtime/group-memory';
import type { MachineWithState } from '#src/runtime/machine';
import type { SupervisorLine } from '#src/runtime/supervisor-line';
import type { CandlesSpec } from '#src/runtime/thread-spec';
import { StateStore } from '#src/state/store';
import { CandlesActor } from './candles.js';

export async function start(
  spec: CandlesSpec,
  line: Remote<SupervisorLine>,
  machine: MachineWithState,
): Promise<StartedActor<CandlesControl>> {
  const { memory, config, instruments, paths } = spec;
  const store = await StateStore.open(paths.state, {
    readOnly: true,
    databases: machine.databases,
  });
  const doorbell = candlesDoorbell(memory);
  const counters = new ActorCounters('candles', spec.board, spec.boardRow);
  const book = new CandleBook({
    instruments,
    goldShards: memory.goldShards,
    allowedLatenessUs: config.candles.allowed_lateness_ms * 1000,
    load: (timeframe, instrument, windowStartUs) =>
      store.candle(timeframe, instrument, windowStartUs),
  });
  book.expire(store.epoch().candlesFromUs);
  book.restore({
    intervals: store.intervalSets(),
    watermarks: store.epoch().progress,
    pending: store.pendingCandles(),
  });

  let stopped = false;
  let files = 0;
  let crash: unknown;
  const actor = new CandlesActor({
    inputs: Array.from({ length: memory.goldShards }, (_, gold) => ringToCandles(memory, gold)),
    batches: allBatches(memory),
    returns: Array.from({ length: memory.validationShards }, (_, shard) => ({
      ring: ringBack(memory, shard),
      doorbell: validationDoorbell(memory.doorbells, shard),
    })),
    book,
    live: new LiveCandlesWriter(spec.live),
    changed: gatewayDoorbell(memory.doorbells),
    committed: (timeframe, fromUs, toUs) => {
      const all: Uint8Array[] = [];
      for (const { code } of instruments) {
        all.push(...store.candles(timeframe, code, fromUs, toUs));
      }
      return all;
    },
    lake: { run: (job) => line.lake(job) },
    nextName: () => `${spec.filePrefix}-${files++}`,
    counters,
    report: (report) => line.report(report),
    fail: (error) => {
      crash = error;
      doorbell.ring();
    },
  });
  const failing = {
    step: () => {
      if (crash !== undefined) throw crash;
      return actor.step();
    },
  };
  return {
    control: {
      committed: () => {
        book.expire(store.epoch().candlesFromUs);
        actor.committed();
      },
      stop: async () => {
        stopped = true;
        doorbell.ring();
      },
    },
    run: machine.run(failing, doorbell, counters, () => stopped).finally(() => store.close()),
  };
}
