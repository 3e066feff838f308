/**
 * The shared memory of one generation of the processing group, and where everything lies in it.
 *
 *   rings      validation v -> gold g      index v x G + g
 *              gold g -> candles           index V x G + g
 *              candles -> validation v     index V x G + G + v   (slots on their way back)
 *   doorbells  validation 0..V-1, gold 0..G-1, candles, gateway; 128 bytes apart
 *   slots      one pool per validation shard
 *
 * A restart gets new rings and slots, so nothing of an old generation can ever be taken for new.
 * The doorbells alone outlive a generation: ingest actors keep ringing them while the group restarts,
 * and the gateway listens to its own.
 */

import { TradeBatch } from '#src/columns/trade-batch';
import { Doorbell } from '#src/ring/doorbell';
import { Ring } from '#src/ring/ring';
import { slotBatches } from '#src/ring/slot-pool';

const DOORBELL_BYTES = 128;

/** Plain data: it goes to every thread of the group as it is. */
export interface GroupMemory {
  readonly validationShards: number;
  readonly goldShards: number;
  readonly ringCapacity: number;
  readonly slotsPerShard: number;
  readonly rowsPerSlot: number;
  readonly rings: SharedArrayBuffer;
  readonly doorbells: SharedArrayBuffer;
  readonly slots: readonly SharedArrayBuffer[];
}

export interface GroupShape {
  readonly validationShards: number;
  readonly goldShards: number;
  readonly slotsPerShard: number;
  readonly rowsPerSlot: number;
}

export function allocateDoorbells(shape: GroupShape): SharedArrayBuffer {
  return new SharedArrayBuffer((shape.validationShards + shape.goldShards + 2) * DOORBELL_BYTES);
}

export function allocateGroupMemory(shape: GroupShape, doorbells: SharedArrayBuffer): GroupMemory {
  const { validationShards: v, goldShards: g, slotsPerShard, rowsPerSlot } = shape;
  // A return ring must hold every slot of its shard, a forward ring every slot of all shards plus
  // the watermarks and barriers between them: then only a missing slot ever stops a stage.
  const ringCapacity = 2 ** Math.ceil(Math.log2(2 * v * slotsPerShard + 64));
  const rings = v * g + g + v;
  return {
    ...shape,
    ringCapacity,
    rings: new SharedArrayBuffer(rings * Ring.byteSize(ringCapacity)),
    doorbells,
    slots: Array.from(
      { length: v },
      () => new SharedArrayBuffer(slotsPerShard * TradeBatch.byteSize(rowsPerSlot)),
    ),
  };
}

export function ringToGold(memory: GroupMemory, validation: number, gold: number): Ring {
  return ringAt(memory, validation * memory.goldShards + gold);
}

export function ringToCandles(memory: GroupMemory, gold: number): Ring {
  return ringAt(memory, memory.validationShards * memory.goldShards + gold);
}

export function ringBack(memory: GroupMemory, validation: number): Ring {
  const { validationShards, goldShards } = memory;
  return ringAt(memory, validationShards * goldShards + goldShards + validation);
}

export function validationDoorbell(doorbells: SharedArrayBuffer, shard: number): Doorbell {
  return new Doorbell(doorbells, shard * DOORBELL_BYTES);
}

export function goldDoorbell(memory: GroupMemory, shard: number): Doorbell {
  return new Doorbell(memory.doorbells, (memory.validationShards + shard) * DOORBELL_BYTES);
}

export function candlesDoorbell(memory: GroupMemory): Doorbell {
  const { validationShards, goldShards } = memory;
  return new Doorbell(memory.doorbells, (validationShards + goldShards) * DOORBELL_BYTES);
}

/** Rung when live trades and candles have changed; the last one, whatever the shape. */
export function gatewayDoorbell(doorbells: SharedArrayBuffer): Doorbell {
  return new Doorbell(doorbells, doorbells.byteLength - DOORBELL_BYTES);
}

/** The batches of every validation shard's slots, as gold and candles see them. */
export function allBatches(memory: GroupMemory): TradeBatch[][] {
  return memory.slots.map((slots) => slotBatches(slots, memory.slotsPerShard, memory.rowsPerSlot));
}

function ringAt(memory: GroupMemory, index: number): Ring {
  const { rings, ringCapacity } = memory;
  return new Ring(rings, index * Ring.byteSize(ringCapacity), ringCapacity);
}
