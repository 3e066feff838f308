/**
 * The entry of a worker thread with a fault to arm: the real entry, and a heartbeat that throws,
 * hangs or ends the thread when it is told to. Every actor beats from its own loop or timer, so the
 * fault happens where the actor's own code would fail.
 *
 * Two ways to arm it: a message on the channel hits the running thread once; the environment
 * variable hits every thread of that id at its first beat, again after every restart.
 */
import { BroadcastChannel, workerData } from 'node:worker_threads';
import { ActorCounters } from '#src/runtime/counters';
import type { ThreadSpec } from '#src/runtime/thread-spec';

export const FAULTS = ['throw', 'hang', 'exit'] as const;
export type ThreadFault = (typeof FAULTS)[number];

export interface ArmedFault {
  readonly actor: string;
  readonly fault: ThreadFault;
}

/** `<actor> <fault>` */
export const EVERY_START = 'FAULTY_THREAD';
export const CHANNEL = 'faulty-thread';

function happen(fault: ThreadFault): void {
  if (fault === 'throw') throw new Error('an armed fault');
  if (fault === 'exit') process.exit(3); // of this thread only
  for (;;); // until the thread is terminated
}

async function run({ id }: ThreadSpec): Promise<void> {
  const [actor, always] = (process.env[EVERY_START] ?? '').split(' ');
  let armed: ThreadFault | undefined = actor === id ? (always as ThreadFault) : undefined;
  const { beat } = ActorCounters.prototype;
  ActorCounters.prototype.beat = function (this: ActorCounters): void {
    beat.call(this);
    if (armed !== undefined) happen(armed);
  };
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = ({ data }: { data: unknown }): void => {
    const order = data as ArmedFault;
    if (order.actor === id) armed = order.fault;
  };
  channel.unref();
  await import('#actors/thread');
}

// The tests import this file for its names; only a worker thread of the tree has a spec.
const spec = (workerData as { spec?: ThreadSpec } | null)?.spec;
if (spec !== undefined) await run(spec);
