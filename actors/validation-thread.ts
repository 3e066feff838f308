/**
 * A validation shard on its thread: opens the logs at the last epoch's positions and runs.
 */

import { join } from 'node:path';
import type { Remote } from 'comlink';
import { type Exchange, exchangeKey } from '#schemas/exchange';
import { LogHead } from '#src/log/log-head';
import { LogReader } from '#src/log/log-reader';
import { SlotPool } from '#src/ring/slot-pool';
import type { StartedActor, ValidationControl } from '#src/runtime/control';
import { ActorCounters } from '#src/runtime/counters';
import type { ExchangeProgress } from '#src/runtime/epoch-report';
import { goldDoorbell, ringBack, ringToGold, validationDoorbell } from '#src/runtime/group-memory';
import type { Machine } from '#src/runtime/machine';
import type { SupervisorLine } from '#src/runtime/supervisor-line';
import type { ValidationSpec } from '#src/runtime/thread-spec';
import { validatorOf } from '#src/trades/validator-of';
import { ValidationActor } from './validation.js';

export async function start(
  spec: ValidationSpec,
  line: Remote<SupervisorLine>,
  machine: Machine,
): Promise<StartedActor<ValidationControl>> {
  const { memory, shard, config, instruments, paths } = spec;

  const sources = spec.sources.map(({ exchange, head, progress = unread(exchange) }) => {
    const reader = LogReader.open({
      disk: machine.disk,
      dir: join(paths.bronze, exchangeKey(exchange)),
      exchange,
      fromSequence: progress.nextSequence,
      onGap: (damage) =>
        void line.log('error', `damaged bytes in the ${exchange} log`, { ...damage }),
      ...(head && { head: new LogHead(head, 0) }),
    });
    return { exchange, reader, validator: validatorOf(exchange, instruments, config), progress };
  });

  const doorbell = validationDoorbell(memory.doorbells, shard);
  const counters = new ActorCounters('validation', spec.board, spec.boardRow);
  let stopped = false;
  let files = 0;
  const actor = new ValidationActor({
    shard,
    sources,
    gold: Array.from({ length: memory.goldShards }, (_, gold) => ({
      ring: ringToGold(memory, shard, gold),
      doorbell: goldDoorbell(memory, gold),
    })),
    slots: new SlotPool(
      memory.slots[shard] as SharedArrayBuffer,
      memory.slotsPerShard,
      memory.rowsPerSlot,
      ringBack(memory, shard),
    ),
    lake: { run: (job) => line.lake(job) },
    nextName: () => `${spec.filePrefix}-${files++}`,
    wake: () => doorbell.ring(),
    counters,
    report: (report) => line.report(report),
  });
  return {
    control: {
      barrier: (epoch) => actor.barrier(epoch),
      progress: () => actor.progress(),
      stop: async () => {
        stopped = true;
        doorbell.ring();
      },
    },
    run: machine
      .run(actor, doorbell, counters, () => stopped)
      .finally(() => {
        for (const { reader } of sources) reader.close();
      }),
  };
}

/** Of a log that no epoch has come to. */
function unread(exchange: Exchange): ExchangeProgress {
  return {
    exchange,
    nextSequence: 0,
    watermarkUs: 0,
    frames: 0,
    control: 0,
    valid: 0,
    deadLetters: 0,
  };
}
